# Transforms of the released recipe, for single frames and for videos: `multi_scale`
# alone, or `resize_before_crop`, `crop` and `multi_scale`. Both end with a short side
# of 480 to 800 and a long side up to 1333.
multi_scale = dict(
    type='RandomChoiceResize',
    resize_type='mmdet.Resize',
    scales=[(1333, short) for short in range(480, 801, 32)],
    keep_ratio=True,
)
resize_before_crop = dict(
    type='RandomChoiceResize',
    resize_type='mmdet.Resize',
    scales=[(1333, short) for short in (400, 500, 600)],
    keep_ratio=True,
)
crop = dict(
    type='TrackRandomCrop',
    crop_type='absolute_range',
    crop_size=(384, 600),
    allow_negative_crop=True,
)
