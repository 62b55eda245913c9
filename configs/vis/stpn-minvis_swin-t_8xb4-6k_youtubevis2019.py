# MinVIS with a prompted Swin-T, STPN's second task: Mask2Former for images, whose
# queries are matched from frame to frame. Schedule, batch and sizes are those that the
# authors of MinVIS published for YouTube-VIS 2019. They train in mixed precision
# (`--amp`) and draw a video, then a frame of it; here all frames are drawn alike.
# Numbers of support frames are ours: STPN's for this task are not known.
_base_ = ['./stpn-mask2former_swin-t_8xb2-8e_youtubevis2019.py']

num_support_frames = 2

head = _base_.model.track_head
model = dict(
    type='STPNMinVIS',
    track_head=dict(
        _delete_=True,
        type='mmtrack.MinVISHead',
        in_channels=head.in_channels,
        strides=head.strides,
        feat_channels=head.feat_channels,
        out_channels=head.out_channels,
        num_things_classes=_base_.num_classes,
        num_stuff_classes=0,
        num_queries=head.num_queries,
        num_transformer_feat_level=head.num_transformer_feat_level,
        pixel_decoder=head.pixel_decoder,
        enforce_decoder_input_project=head.enforce_decoder_input_project,
        positional_encoding=dict(
            type='mmdet.SinePositionalEncoding', num_feats=128, normalize=True
        ),
        transformer_decoder=head.transformer_decoder,
        loss_cls=head.loss_cls,
        loss_mask=head.loss_mask,
        loss_dice=head.loss_dice,
        train_cfg=head.train_cfg,
        max_tracks=10,
    ),
)

# Single frames, 8 GPUs x 4. The short side of all frames of a sample is 360 or 480.
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ref_img_sampler=dict(num_ref_imgs=num_support_frames),
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
                    dict(
                        type='RandomChoiceResize',
                        resize_type='mmdet.Resize',
                        scales=[(1333, 360), (1333, 480)],
                        keep_ratio=True,
                    ),
                    dict(type='mmdet.RandomFlip', prob=0.5),
                ],
            ),
            dict(
                type='PackPromptedInputs',
                num_support_frames=num_support_frames,
                num_key_frames=1,
            ),
        ],
    ),
)

# In testing the short side is 360. For 16:9, this is the size of the other configs.
test_frames, test_pack = _base_.spread_support.dataset.pipeline
test_frames.transforms[-1].scale = (1333, 360)
val_dataloader = dict(dataset=dict(pipeline=[test_frames, test_pack]))
test_dataloader = val_dataloader

# AdamW at 1e-4, a tenth of it for the backbone, gradients clipped to a norm of 0.01.
# Without warm-up: the authors' is 10 iterations at the full rate.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
max_iters = 6000
param_scheduler = dict(
    type='MultiStepLR',
    begin=0,
    end=max_iters,
    by_epoch=False,
    milestones=[4000],
    gamma=0.1,
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
