# Released as dvp_fasterrcnn_swinb_att_14x_cocopretrains: learning rate reduced after
# epoch 8.
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_14e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    detector=dict(
        backbone=dict(
            arch='base',
            # COCO Cascade Mask R-CNN, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.2/cascade_mask_rcnn_swin_base_patch4_window7.pth'
            ),
        ),
        neck=dict(in_channels=[128, 256, 512, 1024]),
    ),
)
