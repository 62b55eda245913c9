# Faster R-CNN for images of 96 x 64: narrow, shallow, trained from random weights.
_base_ = ['../../../../configs/_base_/models/faster-rcnn_swin-t_fpn.py']

model = dict(
    detector=dict(
        backbone=dict(
            arch=None,  # smaller than any
            embed_dims=32,
            depths=(2, 2, 2, 2),
            num_heads=(2, 4, 8, 16),
            window_size=4,
            drop_path_rate=0.0,
            convert_weights=False,  # its weights have the plugin's own names
            init_cfg=None,
        ),
        neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
        rpn_head=dict(
            in_channels=64,
            feat_channels=64,
            anchor_generator=dict(scales=[4], ratios=[1.0]),
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=64),
            bbox_head=dict(
                in_channels=64,
                fc_out_channels=128,
                num_classes=4,
                # boxes are easy here, classes are what matters
                loss_cls=dict(loss_weight=3.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(sampler=dict(num=64)),
            rpn_proposal=dict(nms_pre=100, max_per_img=32),
            rcnn=dict(sampler=dict(num=32, pos_fraction=0.5)),
        ),
        test_cfg=dict(
            rpn=dict(nms_pre=100, max_per_img=32),
            rcnn=dict(score_thr=0.01, max_per_img=20),
        ),
    )
)
