# As imagenet_vid_stpn_style.py, with more support frames from farther away: half of
# them make prompts, the others are references of SELSA.
_base_ = ['./imagenet_vid_stpn_style.py']

num_support_frames = 4
num_test_support_frames = 28

train_pipeline = [
    dict(type='FillSupportFrames', num_support_frames=num_support_frames),
    *_base_.train_pipeline[1:],
]

vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.update(
    pipeline=train_pipeline,
    ref_img_sampler=dict(
        num_ref_imgs=num_support_frames,
        frame_range=1000,
        filter_key_img=True,
        method='bilateral_uniform',
    ),
)
det_train.update(pipeline=train_pipeline)
det_train.ref_img_sampler.update(num_ref_imgs=num_support_frames)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))

val_dataloader = dict(
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=num_test_support_frames,
            frame_range=[-num_test_support_frames // 2, num_test_support_frames // 2],
        )
    )
)
test_dataloader = val_dataloader
