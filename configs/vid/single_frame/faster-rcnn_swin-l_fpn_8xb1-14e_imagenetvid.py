# Ours: the released baseline with Swin-L trains for 3 epochs on images of 1000 x 600.
# This one has augmentation and schedule of STPN, and starts from the same ImageNet
# weights: there are no public COCO weights of this size and window.
_base_ = ['./faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py']

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
