# Ours: augmentation, start weights and schedule of STPN, so that nothing but the
# prompts differs. The released baseline trains for 3 epochs on images of 1000 x 600,
# from ImageNet weights.
_base_ = [
    '../../_base_/models/faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_single-frame_multi-scale.py',
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
