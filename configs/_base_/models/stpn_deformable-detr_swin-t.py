_base_ = ['./stpn_faster-rcnn_swin-t_fpn.py']

deformable_attention = dict(type='MultiScaleDeformableAttention', embed_dims=256)
ffn = dict(
    type='FFN',
    embed_dims=256,
    feedforward_channels=1024,
    ffn_drop=0.1,
    act_cfg=dict(type='ReLU', inplace=True),
)

model = dict(
    detector=dict(
        _delete_=True,
        _scope_='mmdet',
        type='DeformableDETR',
        # The norm of a stage that the neck does not use would get no gradient.
        backbone=dict(_base_.model.detector.backbone, out_indices=(1, 2, 3)),
        neck=dict(
            type='ChannelMapper',
            in_channels=[192, 384, 768],
            kernel_size=1,
            out_channels=256,
            act_cfg=None,
            norm_cfg=dict(type='GN', num_groups=32),
            num_outs=4,
        ),
        bbox_head=dict(
            type='DeformableDETRHead',
            num_query=300,
            num_classes=30,
            in_channels=2048,
            sync_cls_avg_factor=True,
            as_two_stage=False,
            with_box_refine=True,
            transformer=dict(
                type='DeformableDetrTransformer',
                encoder=dict(
                    type='DetrTransformerEncoder',
                    num_layers=6,
                    transformerlayers=dict(
                        type='BaseTransformerLayer',
                        attn_cfgs=deformable_attention,
                        ffn_cfgs=ffn,
                        operation_order=('self_attn', 'norm', 'ffn', 'norm'),
                    ),
                ),
                decoder=dict(
                    type='DeformableDetrTransformerDecoder',
                    num_layers=6,
                    return_intermediate=True,
                    transformerlayers=dict(
                        type='DetrTransformerDecoderLayer',
                        attn_cfgs=[
                            dict(
                                type='MultiheadAttention',
                                embed_dims=256,
                                num_heads=8,
                                dropout=0.1,
                            ),
                            deformable_attention,
                        ],
                        feedforward_channels=1024,
                        ffn_dropout=0.1,
                        operation_order=(
                            'self_attn',
                            'norm',
                            'cross_attn',
                            'norm',
                            'ffn',
                            'norm',
                        ),
                    ),
                ),
            ),
            positional_encoding=dict(
                type='SinePositionalEncoding',
                num_feats=128,
                normalize=True,
                offset=-0.5,
            ),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True, loss_weight=2.0),
            loss_bbox=dict(type='L1Loss', loss_weight=5.0),
            loss_iou=dict(type='GIoULoss', loss_weight=2.0),
        ),
        train_cfg=dict(
            assigner=dict(
                type='HungarianAssigner',
                match_costs=[
                    dict(type='FocalLossCost', weight=2.0),
                    dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                    dict(type='IoUCost', iou_mode='giou', weight=2.0),
                ],
            )
        ),
        test_cfg=dict(max_per_img=100),
    ),
)
