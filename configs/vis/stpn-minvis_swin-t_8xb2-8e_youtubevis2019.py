# MinVIS with a prompted Swin-T, STPN's second task: Mask2Former for images, whose
# queries are matched from frame to frame. Trained on single frames with two support
# frames; schedule and sizes are those of the Mask2Former config, which mmtrack took
# from the authors of Mask2Former for videos; MinVIS's own may differ.
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
    ),
)

train_dataloader = dict(
    dataset=dict(
        ref_img_sampler=dict(num_ref_imgs=num_support_frames),
        pipeline=[
            _base_.train_pipeline[0],
            dict(
                type='PackPromptedInputs',
                num_support_frames=num_support_frames,
                num_key_frames=1,
            ),
        ],
    )
)
