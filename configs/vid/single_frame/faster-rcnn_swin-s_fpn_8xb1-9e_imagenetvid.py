# Ours: augmentation, start weights and schedule of STPN, so that nothing but the
# prompts differs. The released baseline trains for 3 epochs on images of 1000 x 600,
# from ImageNet weights.
_base_ = ['./faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            arch='small',
            drop_path_rate=0.3,
            convert_weights=False,
            # COCO Mask R-CNN, of mmdet
            init_cfg=dict(
                checkpoint='https://download.openmmlab.com/mmdetection/v2.0/swin/'
                'mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco/'
                'mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco_20210903_104808-'
                'b92c91f1.pth'
            ),
        ),
    ),
)
