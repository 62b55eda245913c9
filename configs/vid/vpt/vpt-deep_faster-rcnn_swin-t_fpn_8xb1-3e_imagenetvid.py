# Released as faster_rcnn_swint_vpt_deep_fpn_3x_vid_load_from: every block has learned
# prompts of its own; starts from the trained single-frame baseline.
_base_ = ['./vpt-shallow_faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py']

model = dict(prompt_predictor=dict(deep=True))

# what the baseline leaves in its default work directory
load_from = 'work_dirs/faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid/epoch_3.pth'
