# Released as faster_rcnn_swinl_fpn_3x_vid.
_base_ = ['./faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            arch='large',
            # ImageNet-22K classification, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_large_patch4_window7_224_22k.pth'
            ),
        ),
        neck=dict(in_channels=[192, 384, 768, 1536]),
    ),
)
