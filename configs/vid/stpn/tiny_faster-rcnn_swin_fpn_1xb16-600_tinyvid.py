# Single-frame baseline of the experiment: no prompts; support frames are left unused.
_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-600_tinyvid.py']

model = dict(
    _delete_=True,
    type='SingleFrameDetector',
    data_preprocessor=_base_.model.data_preprocessor,
    detector=_base_.model.detector,
)
