# SELSA trains on one key frame at a time: gradients of as many frames as the others
# have in a batch are accumulated, so that updates, key frames and learning rates are
# the same in number. It sees twice the support frames: half of them make prompts, as
# many as elsewhere, and half are references.
_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py']

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

(vid_train,) = _base_.train_dataloader.dataset.datasets
sampler = _base_.val_dataloader.dataset.ref_img_sampler
vid_train.ref_img_sampler.update(
    num_ref_imgs=2 * vid_train.ref_img_sampler.num_ref_imgs
)
train_dataloader = dict(batch_size=1, dataset=dict(datasets=[vid_train]))
val_dataloader = dict(
    dataset=dict(ref_img_sampler=dict(num_ref_imgs=2 * sampler.num_ref_imgs))
)
test_dataloader = val_dataloader

accumulative_counts = _base_.train_dataloader.batch_size
max_iters = _base_.train_cfg.max_iters * accumulative_counts
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
