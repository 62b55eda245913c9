_base_ = ['mmtrack::_base_/models/faster-rcnn_r50_fpn.py']

model = dict(
    type='SingleFrameDetector',
    data_preprocessor=dict(pad_size_divisor=16),
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='mmtrack.STPNSwinTransformer',
            arch='tiny',
            drop_path_rate=0.2,
            convert_weights=True,
            # COCO Mask R-CNN, of the Swin authors
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.2/mask_rcnn_swin_tiny_patch4_window7.pth',
            ),
        ),
        neck=dict(in_channels=[96, 192, 384, 768]),
        roi_head=dict(
            bbox_head=dict(
                num_classes=30,
                bbox_coder=dict(target_stds=[0.2, 0.2, 0.2, 0.2]),
                loss_bbox=dict(beta=1 / 9),
            )
        ),
        train_cfg=dict(
            rpn_proposal=dict(nms_pre=1000, max_per_img=300),
            rcnn=dict(assigner=dict(match_low_quality=True), sampler=dict(num=256)),
        ),
        test_cfg=dict(rpn=dict(max_per_img=300), rcnn=dict(score_thr=1e-4)),
    ),
)
