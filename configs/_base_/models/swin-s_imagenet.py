# Swin-S, where a config has Swin-T.
swin_s = dict(
    arch='small',
    # ImageNet-1K classification, of the Swin authors
    init_cfg=dict(
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.0/swin_small_patch4_window7_224.pth'
    ),
)
