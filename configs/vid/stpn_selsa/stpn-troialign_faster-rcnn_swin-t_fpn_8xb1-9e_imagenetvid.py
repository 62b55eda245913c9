# Ours: SELSA with the RoI extractor of temporal RoI align, to show that mmtrack's heads
# fit; the authors released none.
_base_ = ['./stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    detector=dict(
        roi_head=dict(
            bbox_roi_extractor=dict(
                type='mmtrack.TemporalRoIAlign',
                num_most_similar_points=2,
                num_temporal_attention_blocks=4,
            )
        )
    )
)
