# Swin-B, where a config has Swin-T.
swin_b = dict(
    arch='base',
    # COCO Cascade Mask R-CNN, of the Swin authors
    init_cfg=dict(
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.2/cascade_mask_rcnn_swin_base_patch4_window7.pth'
    ),
)
swin_b_channels = [128, 256, 512, 1024]
