# Ours: mixed precision; the released recipe trains in fp32.
_base_ = ['./stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
