# As the config that this inherits, for cameras: past frames alone make prompts.
_base_ = ['./stpn-bytetrack_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(support=dict(type='PastSupport', num_frames=14, interval=10))

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='PackTrackInputs', pack_single_img=True),
]
val_dataloader = dict(dataset=dict(ref_img_sampler=None, pipeline=test_pipeline))
test_dataloader = val_dataloader
