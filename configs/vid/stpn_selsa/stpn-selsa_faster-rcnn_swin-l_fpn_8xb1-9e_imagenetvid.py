# Ours: STPN was released up to Swin-B. Schedule of Swin-B; starts from ImageNet
# weights: there are no public COCO weights of this size and window.
_base_ = ['./stpn-selsa_faster-rcnn_swin-b_fpn_8xb1-9e_imagenetvid.py']

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
