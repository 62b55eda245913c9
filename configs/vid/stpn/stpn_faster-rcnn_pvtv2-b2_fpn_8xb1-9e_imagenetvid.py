# Ours: PVTv2 instead of Swin, to show that prompts are not bound to windows; the
# authors released none.
_base_ = ['./stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='mmtrack.STPNPyramidVisionTransformerV2',
            embed_dims=64,
            num_layers=[3, 4, 6, 3],
            # COCO RetinaNet, of mmdet
            init_cfg=dict(
                type='Pretrained',
                prefix='backbone.',
                checkpoint='https://download.openmmlab.com/mmdetection/v2.0/pvt/'
                'retinanet_pvtv2-b2_fpn_1x_coco/'
                'retinanet_pvtv2-b2_fpn_1x_coco_20210901_174843-529f0b9a.pth',
            ),
        ),
        neck=dict(in_channels=[64, 128, 320, 512]),
    ),
)
