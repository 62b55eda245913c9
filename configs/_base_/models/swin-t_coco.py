# A prompted Swin-T, to be put in the place of a config's backbone.
swin_t = dict(
    _delete_=True,
    type='mmtrack.STPNSwinTransformer',
    arch='tiny',
    drop_path_rate=0.2,
    convert_weights=True,
    # COCO Mask R-CNN, of the Swin authors
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.2/mask_rcnn_swin_tiny_patch4_window7.pth',
    ),
)
swin_t_channels = [96, 192, 384, 768]
