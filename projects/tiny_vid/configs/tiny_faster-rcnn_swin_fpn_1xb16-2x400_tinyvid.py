# Single-frame baseline of the experiment: the second stage goes on for as long as the
# other methods train in their third.
_base_ = ['./tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py']

model = dict(
    detector=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='detector.',
            # what the second stage leaves in its default work directory
            checkpoint='work_dirs/tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid/'
            'iter_400.pth',
        ),
        backbone=dict(init_cfg=None),
    )
)
