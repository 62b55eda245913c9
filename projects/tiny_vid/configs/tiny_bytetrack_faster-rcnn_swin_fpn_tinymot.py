# ByteTrack behind the single-frame detector, whose checkpoints load as they are.
_base_ = [
    './tiny_faster-rcnn_swin_fpn_1xb16-2x400_tinyvid.py',
    './_base_/tiny_tasks.py',
]

custom_imports = dict(imports=_base_.task_imports)

model = dict(type='ByteTrack', motion=_base_.motion, tracker=_base_.byte_tracker)
test_dataloader = dict(dataset=_base_.mot_data)
test_evaluator = _base_.mot_evaluator
