# StrongSORT's tracker with the detector of stpn-deepsort, in place of its YOLOX. Tracks
# are scored as they come; linked and smoothed afterwards, as in mmtrack's config, they
# would be those of StrongSORT++.
_base_ = [
    './stpn-deepsort_faster-rcnn_swin-t_fpn_mot17halfval.py',
    '../_base_/models/trackers.py',
]

model = dict(_base_.model, _delete_=True, type='STPNStrongSORT', **_base_.strong_sort)
model.pop('motion')  # its `kalman`
