# Second stage: a single-frame detector on the backbone of
# tiny_swin_1xb32-1k_tinyvid-stills.py. All methods start from it, as STPN starts from
# a detector trained on COCO otherwise: where boxes are found already, what is left to
# learn is what the prompts are for.
_base_ = [
    './_base_/tiny_faster-rcnn_swin_fpn.py',
    './_base_/tiny_vid_dataset.py',
    './_base_/tiny_schedule.py',
    './_base_/tiny_runtime.py',
]

model = dict(
    detector=dict(
        backbone=dict(
            # Prompts are made from the last stage; trained with the detector it
            # unlearns the classes, see projects/tiny_vid/README.md.
            frozen_stages=4,
            # what the first stage leaves in its default work directory
            init_cfg=dict(
                _delete_=True,
                type='Pretrained',
                checkpoint='work_dirs/tiny_swin_1xb32-1k_tinyvid-stills/iter_1000.pth',
            ),
        )
    )
)
