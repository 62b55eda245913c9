# Faster R-CNN as in the authors' single-frame and static-prompt baselines: it starts
# from ImageNet weights and trains its second stage in another way than STPN's.
_base_ = ['./faster-rcnn_swin-t_fpn.py']

model = dict(
    detector=dict(
        backbone=dict(
            # ImageNet-1K classification, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_tiny_patch4_window7_224.pth'
            )
        ),
        roi_head=dict(
            bbox_head=dict(bbox_coder=dict(target_stds=[0.1, 0.1, 0.2, 0.2]))
        ),
        train_cfg=dict(
            rpn_proposal=dict(max_per_img=600),
            rcnn=dict(assigner=dict(match_low_quality=False), sampler=dict(num=512)),
        ),
    )
)
