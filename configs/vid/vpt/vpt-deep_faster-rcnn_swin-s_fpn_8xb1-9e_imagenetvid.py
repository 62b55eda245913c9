# Ours: as the shallow one of the same size, and every block has learned prompts of its
# own. Deep static prompts were released with Swin-T only, for 3 epochs.
_base_ = ['./vpt-shallow_faster-rcnn_swin-s_fpn_8xb1-9e_imagenetvid.py']

model = dict(prompt_predictor=dict(deep=True))
