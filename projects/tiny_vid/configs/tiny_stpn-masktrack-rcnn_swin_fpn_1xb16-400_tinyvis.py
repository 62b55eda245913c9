# MaskTrack R-CNN with prompts.
_base_ = ['./tiny_masktrack-rcnn_swin_fpn_1xb16-400_tinyvis.py']

num_support_frames = 4

model = dict(
    type='STPNMaskTrackRCNN', prompt_predictor=dict(type='AttentionPromptPredictor')
)

(vid_train,) = _base_.train_dataloader.dataset.datasets
vid_train.update(
    ref_img_sampler=dict(
        vid_train.ref_img_sampler, num_ref_imgs=1 + num_support_frames
    ),
    pipeline=[
        dict(type='DrawReferenceFrames'),
        *_base_.load,
        dict(type='PackPromptedInputs', num_support_frames=num_support_frames),
    ],
)
train_dataloader = dict(dataset=dict(datasets=[vid_train]))

# The predictor has most to learn.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'prompt_predictor': dict(lr_mult=3)})
)
