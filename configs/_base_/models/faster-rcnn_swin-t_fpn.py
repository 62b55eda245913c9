_base_ = ['mmtrack::_base_/models/faster-rcnn_r50_fpn.py', './swin-t_coco.py']

model = dict(
    type='SingleFrameDetector',
    data_preprocessor=dict(pad_size_divisor=16),
    detector=dict(
        backbone=_base_.swin_t,
        neck=dict(in_channels=_base_.swin_t_channels),
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
