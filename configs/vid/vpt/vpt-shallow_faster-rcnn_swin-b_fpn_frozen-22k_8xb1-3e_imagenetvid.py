# Released as faster_rcnn_swinb_vpt_fpn_3x_vid_freeze_bb_22k: as the frozen one, from
# ImageNet-22K weights.
_base_ = ['./vpt-shallow_faster-rcnn_swin-b_fpn_frozen_8xb1-3e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_base_patch4_window7_224_22k.pth'
            ),
        )
    ),
)
