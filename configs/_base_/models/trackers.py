# What makes a tracker of a detector, as mmtrack's configs with a YOLOX have it. They
# cannot be bases of ours themselves: mmengine takes one base with a `model` only.
_base_ = []  # or mmengine would read a file with an import as a pure Python config

from mmengine.hub import get_config  # noqa: E402

YOLOX = '_yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py'
byte_cfg = get_config(f'mmtrack::mot/bytetrack/bytetrack{YOLOX}')
strong_cfg = get_config(f'mmtrack::mot/strongsort/strongsort{YOLOX}')

byte_track = {key: byte_cfg.model[key] for key in ('motion', 'tracker')}
byte_track_evaluator = byte_cfg.val_evaluator

parts = ('kalman', 'cmc', 'reid', 'tracker')
strong_sort = {key: strong_cfg.model[key] for key in parts}
# Images come from our preprocessor normalized, as `reid` needs them.
strong_sort['tracker'].reid.img_norm_cfg = None

del YOLOX, byte_cfg, strong_cfg, parts
