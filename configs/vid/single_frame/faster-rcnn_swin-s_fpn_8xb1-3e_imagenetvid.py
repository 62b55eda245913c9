# Released as faster_rcnn_swins_fpn_3x_vid.
_base_ = ['./faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py']

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
