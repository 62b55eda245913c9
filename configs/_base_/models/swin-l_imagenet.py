# Swin-L, where a config has another Swin.
swin_l = dict(
    arch='large',
    # ImageNet-22K classification, of the Swin authors
    init_cfg=dict(
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.0/swin_large_patch4_window7_224_22k.pth'
    ),
)
swin_l_channels = [192, 384, 768, 1536]
