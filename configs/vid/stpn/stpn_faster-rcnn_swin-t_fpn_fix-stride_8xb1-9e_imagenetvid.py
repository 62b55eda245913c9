# Ours: tested with a window of support frames that slides along: 7 before the frame, 7
# after it, and every 10th frame counts. The released recipe spreads them over the
# video.
_base_ = ['./stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

val_dataloader = dict(
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=14,
            frame_range=[-7, 7],
            stride=10,
            method='test_with_fix_stride',
        )
    )
)
test_dataloader = val_dataloader
