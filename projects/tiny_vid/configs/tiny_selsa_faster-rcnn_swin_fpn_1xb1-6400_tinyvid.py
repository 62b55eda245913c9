# mmtrack's SELSA without prompts: as many references as STPN with SELSA has.
_base_ = ['./tiny_stpn-selsa_faster-rcnn_swin_fpn_1xb1-6400_tinyvid.py']

single = _base_.model
model = dict(
    _delete_=True,
    type='SELSA',
    data_preprocessor=single.data_preprocessor,
    detector=single.detector,
)

(vid_train,) = _base_.train_dataloader.dataset.datasets
vid_train.ref_img_sampler.update(
    num_ref_imgs=vid_train.ref_img_sampler.num_ref_imgs // 2
)
train_dataloader = dict(dataset=dict(datasets=[vid_train]))
sampler = _base_.test_dataloader.dataset.ref_img_sampler
test_dataloader = dict(
    dataset=dict(ref_img_sampler=dict(num_ref_imgs=sampler.num_ref_imgs // 2))
)
