_base_ = ['./faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            embed_dims=192,
            num_heads=(6, 12, 24, 48),
            # ImageNet-22K classification, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_large_patch4_window7_224_22k.pth'
            ),
        ),
        neck=dict(in_channels=[192, 384, 768, 1536]),
    )
)
