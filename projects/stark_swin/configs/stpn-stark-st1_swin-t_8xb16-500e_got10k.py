_base_ = [
    'mmtrack::sot/stark/stark-st1_r50_8xb16-500e_got10k.py',
    '../../../configs/_base_/models/swin-t_coco.py',
]
custom_imports = dict(imports=['projects.stark_swin.stpn_stark'])

# Three stages, as STARK's ResNet has: the last has a stride of 16.
_base_.swin_t.update(depths=(2, 2, 6), num_heads=(3, 6, 12), out_indices=[2])
model = dict(
    type='STPNStark',
    backbone=_base_.swin_t,
    neck=dict(in_channels=[384]),
    prompt_predictor=dict(type='AttentionPromptPredictor'),
)
