# SORT of mmtrack with the backbone prompted by past frames. It is for testing; train
# the detector with stpn-qdtrack, or as STPN.
_base_ = [
    'mmtrack::mot/sort/sort_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval.py',
    '../_base_/models/swin-t_coco.py',
    '../_base_/plugin.py',
]

model = dict(
    type='STPNDeepSORT',  # without `reid` it is SORT
    prompt_predictor=dict(type='AttentionPromptPredictor'),
    support=dict(type='PastSupport'),
    detector=dict(
        backbone=_base_.swin_t,
        neck=dict(in_channels=_base_.swin_t_channels),
        init_cfg=None,
    ),
)

# mmtrack names the class in training only; under test it would be one of thirteen.
val_dataloader = dict(dataset=dict(metainfo=dict(CLASSES=('pedestrian',))))
test_dataloader = val_dataloader
