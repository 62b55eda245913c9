# SELSA trains on one key frame at a time: gradients of as many frames as the others
# have in a batch are accumulated, so that updates, key frames and learning rates are
# the same in number. It sees twice the support frames: half of them make prompts, as
# many as elsewhere, and half are references.
_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py']

batch_size = 1
accumulative_counts = _base_.batch_size
max_iters = _base_.max_iters * accumulative_counts
num_support_frames = 2 * _base_.num_support_frames
num_test_support_frames = 2 * _base_.num_test_support_frames

model = dict(
    type='STPNSelsa',
    extra_frames=True,
    detector=dict(
        roi_head=dict(
            type='mmtrack.SelsaRoIHead',
            bbox_roi_extractor=dict(type='mmtrack.SingleRoIExtractor'),
            bbox_head=dict(
                type='mmtrack.SelsaBBoxHead',
                num_shared_fcs=2,
                aggregator=dict(
                    type='mmtrack.SelsaAggregator',
                    in_channels=128,
                    num_attention_blocks=4,
                ),
            ),
        )
    ),
)

train_pipeline = [
    dict(type='FillSupportFrames', num_support_frames=num_support_frames),
    *_base_.train_pipeline[1:],
]
(vid_train,) = _base_.train_dataloader.dataset.datasets
vid_train.update(pipeline=train_pipeline)
vid_train.ref_img_sampler.update(num_ref_imgs=num_support_frames)
train_dataloader = dict(batch_size=batch_size, dataset=dict(datasets=[vid_train]))
val_dataloader = dict(
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=num_test_support_frames,
            frame_range=[-num_test_support_frames // 2, num_test_support_frames // 2],
        )
    )
)
test_dataloader = val_dataloader

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(accumulative_counts=accumulative_counts)
warmup, annealing = _base_.param_scheduler
warmup.update(end=warmup.end * accumulative_counts)
annealing.update(
    begin=annealing.begin * accumulative_counts,
    end=annealing.end * accumulative_counts,
    T_max=annealing.T_max * accumulative_counts,
)
param_scheduler = [warmup, annealing]
