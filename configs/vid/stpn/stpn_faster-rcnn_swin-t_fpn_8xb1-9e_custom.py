"""STPN on a data set of your own, in CocoVID format.

Copy this file, change its first block, and train with it. (A config that inherits from
it cannot change the block: its values are used up below.) The annotation files are
COCO's with videos:

* ``categories``: ``[{id, name}]``, in any order: labels follow ``classes`` below by
  name, and other categories are left out.
* ``videos``: ``[{id, name}]``.
* ``images``: ``[{id, video_id, frame_id, file_name, height, width}]``, all frames of
  each video, ``frame_id`` counting from 0 within the video.
* ``annotations``: ``[{id, image_id, video_id, category_id, instance_id, bbox, area,
  iscrowd}]``, ``bbox`` as [x, y, width, height], ``instance_id`` the same for an object
  in all its frames.
"""

_base_ = ['./stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

# --------------------------------------------------------- always changed
data_root = 'data/my_videos/'
classes = ('first_class', 'second_class')
train_ann_file = 'annotations/train.json'
val_ann_file = 'annotations/val.json'
img_prefix = 'images'  # `file_name` is relative to data_root + img_prefix
key_frame_interval = 15  # train on every 15th frame of a video

# ------------------------------------------------------- seldom changed
metainfo = dict(CLASSES=classes)

model = dict(detector=dict(roi_head=dict(bbox_head=dict(num_classes=len(classes)))))

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='STPNVideoDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file=train_ann_file,
        data_prefix=dict(img_path=img_prefix),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=_base_.train_pipeline,
        key_img_sampler=dict(interval=key_frame_interval),
        ref_img_sampler=dict(
            num_ref_imgs=2,
            frame_range=9,
            filter_key_img=True,
            method='bilateral_uniform',
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        type='STPNVideoDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file=val_ann_file,
        data_prefix=dict(img_path=img_prefix),
    )
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='CocoVideoMetric', ann_file=data_root + val_ann_file, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file=data_root + val_ann_file),
]
test_evaluator = val_evaluator
