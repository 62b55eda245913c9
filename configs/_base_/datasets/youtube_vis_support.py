# Whole videos of YouTube-VIS under test, with 14 support frames spread over each.
spread_support = dict(
    collate_fn=dict(type='collate_frames'),
    dataset=dict(
        type='STPNYouTubeVISDataset',
        pipeline=[
            dict(
                type='TransformBroadcaster',
                share_random_params=True,
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        type='LoadTrackAnnotations',
                        with_instance_id=True,
                        with_mask=True,
                        with_bbox=True,
                    ),
                    dict(type='mmdet.Resize', scale=(640, 360), keep_ratio=True),
                ],
            ),
            dict(type='PackTrackInputs'),
        ],
        ref_img_sampler=dict(
            _delete_=True, num_ref_imgs=14, method='test_with_adaptive_stride'
        ),
    ),
)
