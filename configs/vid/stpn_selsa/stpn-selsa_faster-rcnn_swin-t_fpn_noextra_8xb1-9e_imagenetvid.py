# Ours: an option of the released code without a released recipe. All support frames
# make prompts, and all are references of SELSA, unprompted.
_base_ = ['./stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(extra_frames=False)
