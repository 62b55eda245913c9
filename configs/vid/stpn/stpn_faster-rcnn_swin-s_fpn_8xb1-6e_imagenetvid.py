# Released as faster_rcnn_swins_predictvpt_fpn_6x_vid_adam: starts from ImageNet
# weights, learning rate reduced after epoch 4.
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_6e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    detector=dict(
        backbone=dict(
            arch='small',
            # ImageNet-1K classification, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_small_patch4_window7_224.pth'
            ),
        ),
    ),
)
