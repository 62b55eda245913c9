"""Write a config to train STPN on a data set of one's own, fitted to the set.

Numbers of iterations, image size and anchors follow from the set; what they follow from
stands in the config's comments.
"""

from __future__ import annotations

import os
import os.path as osp
from dataclasses import dataclass
from typing import NamedTuple

import torch

import stpn_plugin

from ..datasets.checks import check_annotations
from ..datasets.set_statistics import SetStatistics, measure_set
from ..utils import category_ids, read_json, whole_text
from .command import BaseOptions, Command, argument, option
from .values import positive

BASE = 'vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
EPOCHS = 12
FEWEST_ITERATIONS = 1000
MOST_ITERATIONS = 90_000


@dataclass
class Options(BaseOptions):
    """The data set, and what to start from."""

    annotations: str = argument('CocoVID file to train on', metavar='SET.json')
    val: str | None = option(
        'CocoVID file to validate on, default: the training file', metavar='VAL.json'
    )
    images: str = option(
        'folder that file names are relative to', default='.', metavar='DIR'
    )
    weights: str | None = option(
        'checkpoint to start from, such as the released STPN, whatever its classes; '
        'default: the detector trained on COCO that the base names',
        metavar='FILE',
    )
    output: str = option(
        'config to write, default: %(default)s',
        default='stpn_config.py',
        flags=('-o', '--output'),
        metavar='CONFIG.py',
    )
    batch_size: int | None = option(
        'key frames at a time, default: 2 on a GPU, 1 without', type=positive
    )


class Recipe(NamedTuple):
    """What is fitted to a set.

    Attributes:
        interval: Every how many frames one is trained on.
        max_iters: Iterations.
        warmup: Iterations until the learning rate is reached.
        val_interval: Iterations from one validation to the next.
        scale: Long and short side of images, in pixels.
        anchor_scale: Scale of the smallest anchors, in strides of their level.
    """

    interval: int
    max_iters: int
    warmup: int
    val_interval: int
    scale: tuple[int, int]
    anchor_scale: int


def fit_recipe(stats: SetStatistics, batch_size: int) -> Recipe:
    """Fit a recipe to a set.

    Args:
        stats: Of the training set.
        batch_size: Key frames in an iteration.

    Returns:
        Twelve times through the key frames, but a thousand iterations at least; large
        sets train on some frames of each video, since neighbours are alike.
    """
    interval = max(1, round(stats.num_annotated / max(15 * stats.num_videos, 3000)))
    key_frames = stats.num_annotated / interval
    iterations = round(EPOCHS * key_frames / batch_size, -2)
    max_iters = int(min(max(iterations, FEWEST_ITERATIONS), MOST_ITERATIONS))
    long, short = max(stats.size), min(stats.size)
    zoom = min(1000 / long, 600 / short, 2.0)  # small frames twice as large at most
    anchor_scale = next(
        scale
        for scale in (8, 4, 2)
        if 4 * scale <= stats.box_sizes[0] * zoom * 1.5 or scale == 2
    )
    return Recipe(
        interval,
        max_iters,
        warmup=min(500, max_iters // 10),
        val_interval=max_iters // 10,
        scale=(round(long * zoom), round(short * zoom)),
        anchor_scale=anchor_scale,
    )


TEMPLATE = """\
# STPN for {annotations!r}, written by `stpn init`.
# {videos} videos, {frames} frames, {annotated} of them with objects; most are {size}.
# Train: stpn train {output!r}
_base_ = [{base!r}]

metainfo = dict(CLASSES={classes!r})
model = dict(
    detector=dict(
        # boxes are {boxes} pixels large (10th, 50th, 90th percentile)
        rpn_head=dict(anchor_generator=dict(scales=[{recipe.anchor_scale}])),
        roi_head=dict(bbox_head=dict(num_classes={num_classes})),
    )
)
load_from = {weights!r}  # may be for other classes: what fits is taken

train_dataloader = dict(
    batch_size={batch_size},
    num_workers=2,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    batch_sampler=None,
    dataset=dict(
        _delete_=True,
        type='STPNVideoDataset',
        metainfo=metainfo,
        ann_file={annotations!r},
        data_prefix=dict(img_path={images!r}),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        key_img_sampler=dict(interval={recipe.interval}),  # every so many frames
        ref_img_sampler=dict(num_ref_imgs=2, frame_range=9, filter_key_img=True,
                             method='bilateral_uniform'),
        pipeline=[
            dict(type='TransformBroadcaster', share_random_params=True, transforms=[
                dict(type={loader!r}),
                dict(type='LoadTrackAnnotations', with_instance_id=True),
                dict(type='mmdet.Resize', scale={recipe.scale!r}, keep_ratio=True),
                dict(type='RandomFlip', prob=0.5),
            ]),
            dict(type='PackTrackInputs'),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='STPNVideoDataset',
        metainfo=metainfo,
        data_root='',
        ann_file={val!r},
        data_prefix=dict(img_path={images!r}),
        pipeline=[
            dict(type='TransformBroadcaster', share_random_params=True, transforms=[
                dict(type={loader!r}),
                dict(type='mmdet.Resize', scale={recipe.scale!r}, keep_ratio=True),
            ]),
            dict(type='PackTrackInputs'),
        ],
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CocoVideoMetric', ann_file={val!r}, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file={val!r}),
]
test_evaluator = val_evaluator

# {epochs:.1f} times through {key_frames} key frames
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters={recipe.max_iters},
                 val_interval={recipe.val_interval})
optim_wrapper = dict(optimizer=dict(lr=5e-5), clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0,
         end={recipe.warmup}),
    dict(type='CosineAnnealingLR', by_epoch=False, begin={recipe.warmup},
         end={recipe.max_iters}, T_max={decay}, eta_min=5e-7),
]
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(by_epoch=False, interval={recipe.val_interval}, max_keep_ckpts=2,
                    save_best='vid/AP50', rule='greater'),
)
log_processor = dict(by_epoch=False)
"""


def run(options: Options) -> None:
    """Write the config.

    Raises:
        AnnotationError: The annotation file has faults that no recipe mends.
        OSError: A file cannot be read or written, or the config exists.
        ValueError: There are no objects to learn from.
    """
    if osp.lexists(options.output):
        raise FileExistsError(
            f'{options.output} exists, and may have been edited: remove it, or give '
            'another name by --output'
        )
    path = options.annotations
    stats = _measure(path)
    if options.val:
        _measure(options.val)
        categories = read_json(options.val)['categories']
        category_ids(categories, stats.classes, options.val)
    batch_size = options.batch_size or (2 if torch.cuda.is_available() else 1)
    recipe = fit_recipe(stats, batch_size)
    key_frames = -(-stats.num_annotated // recipe.interval)
    text = TEMPLATE.format(
        annotations=path,
        val=options.val or path,
        images=options.images,
        loader=stats.loader,
        videos=stats.num_videos,
        frames=stats.num_frames,
        annotated=stats.num_annotated,
        size='{} x {}'.format(*stats.size),
        boxes=', '.join(f'{size:.0f}' for size in stats.box_sizes),
        base=_base(options.output),
        classes=stats.classes,
        num_classes=len(stats.classes),
        weights=options.weights,
        output=options.output,
        batch_size=batch_size,
        recipe=recipe,
        decay=recipe.max_iters - recipe.warmup,
        key_frames=key_frames,
        epochs=recipe.max_iters * batch_size / key_frames,
    )
    with whole_text(options.output) as file:
        file.write(text)
    print(
        f'{options.output}: classes {", ".join(stats.classes)}; {recipe.max_iters:,} '
        f'iterations of {batch_size} key frames, validation every '
        f'{recipe.val_interval}\nnext: stpn train {options.output}'
    )


def _measure(path: str) -> SetStatistics:
    content = read_json(path)
    check_annotations(content, path)
    return measure_set(content, path)


def _base(output: str) -> str:
    """The base config, relative to the new one if both lie in one checkout."""
    package = osp.dirname(osp.realpath(stpn_plugin.__file__))
    configs = osp.realpath(osp.join(package, '.mim', 'configs'))
    checkout = osp.dirname(configs)
    folder = osp.dirname(osp.realpath(output))
    path = osp.join(configs, BASE)
    if folder == checkout or folder.startswith(checkout + os.sep):
        return osp.relpath(path, folder)
    return path


main = Command(__doc__, Options, run)
