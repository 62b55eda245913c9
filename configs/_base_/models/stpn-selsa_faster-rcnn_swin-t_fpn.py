_base_ = ['./stpn_faster-rcnn_swin-t_fpn.py']

model = dict(
    type='STPNSelsa',
    extra_frames=True,
    detector=dict(
        roi_head=dict(
            type='mmtrack.SelsaRoIHead',
            bbox_roi_extractor=dict(type='mmtrack.SingleRoIExtractor'),
            bbox_head=dict(
                type='mmtrack.SelsaBBoxHead',
                num_shared_fcs=2,
                aggregator=dict(
                    type='mmtrack.SelsaAggregator',
                    in_channels=1024,
                    num_attention_blocks=16,
                ),
            ),
        )
    ),
)
