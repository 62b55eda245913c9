# Released as dvp_selsa_swinb_att_9x_cocopretrains.
_base_ = ['./stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            arch='base',
            # COCO Cascade Mask R-CNN, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.2/cascade_mask_rcnn_swin_base_patch4_window7.pth'
            ),
        ),
        neck=dict(in_channels=[128, 256, 512, 1024]),
    ),
)
