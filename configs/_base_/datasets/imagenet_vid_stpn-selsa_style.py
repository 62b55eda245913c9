# As imagenet_vid_stpn_style.py, with more support frames from farther away: half of
# them make prompts, the others are references of SELSA. The same entries set their
# numbers.
_base_ = ['./imagenet_vid_stpn_style.py']

vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.ref_img_sampler.update(num_ref_imgs=4, frame_range=1000)
det_train.ref_img_sampler.update(num_ref_imgs=4)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))

val_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=28)))
test_dataloader = val_dataloader
