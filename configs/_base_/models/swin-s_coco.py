# Swin-S, where a config has Swin-T.
swin_s = dict(
    arch='small',
    drop_path_rate=0.3,
    convert_weights=False,
    # COCO Mask R-CNN, of mmdet
    init_cfg=dict(
        checkpoint='https://download.openmmlab.com/mmdetection/v2.0/swin/'
        'mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco/'
        'mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco_20210903_104808-b92c91f1.pth'
    ),
)
