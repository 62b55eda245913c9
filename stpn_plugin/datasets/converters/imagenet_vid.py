"""ImageNet VID to CocoVID."""

from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from functools import partial
from typing import Counter as CounterType
from typing import NamedTuple

from ...utils import ProgressBar
from ..imagenet_classes import IMAGENET_VID_CATEGORIES
from .coco_writer import CocoSetWriter
from .ilsvrc_lists import Video, read_train_videos, read_val_videos
from .ilsvrc_xml import Annotation, Box, find_annotations, fit_boxes, read_annotation
from .ordered_map import ordered_map
from .report import ConversionError, Problem, ProblemKind, Report

# A list may name more frames than have XML files; not a billion of them.
_MOST_PER_XML = 1000

_NO_ANNOTATION = Annotation(None, [], 0)


class _Frame(NamedTuple):
    size: tuple[int, int]
    boxes: list[Box]


class _ParsedVideo(NamedTuple):
    frames: list[_Frame]
    train_frames: list[int]
    num_others: int
    problems: list[Problem]


def convert_vid(
    data_root: str, out_dir: str, strict: bool = False, jobs: int = 1
) -> list[Report]:
    """Convert the training and the validation set of ImageNet VID.

    Reads the lists ``VID_train_15frames.txt`` and ``VID_val_videos.txt`` in
    ``ImageSets`` or ``Lists`` and the files in ``Annotations/VID``; writes
    ``imagenet_vid_train.json`` and ``imagenet_vid_val.json``. All frames of a listed
    video are in there, annotated or not. Objects outside the 30 classes are left out.
    :class:`ProblemKind` tells what becomes of faulty input.

    Args:
        data_root: Root of ILSVRC.
        out_dir: Folder to write to.
        strict: Whether to raise at the first problem. Defaults to False.
        jobs: Number of processes. The files do not depend on it. Defaults to 1.

    Returns:
        What went into each file.

    Raises:
        FileNotFoundError: If a list or the folder of the annotations is missing.
        ConversionError: If nothing can be converted or, when strict, anything is
            wrong. A file that has not been completed is not written.
    """
    ann_dir = find_annotations(data_root, 'VID')
    lists = dict(train=read_train_videos(data_root), val=read_val_videos(data_root))
    return [
        _convert_set(
            ann_dir,
            videos,
            problems,
            osp.join(out_dir, f'imagenet_vid_{part}.json'),
            strict,
            jobs,
        )
        for part, (videos, problems) in lists.items()
    ]


def _convert_set(
    ann_dir: str,
    videos: list[Video],
    problems: list[Problem],
    path: str,
    strict: bool,
    jobs: int,
) -> Report:
    """Convert videos to the CocoVID file ``path``; ``problems`` are those known."""
    report = Report(path, IMAGENET_VID_CATEGORIES, strict)
    report.add_problems(problems)
    parse = partial(_parse_video, ann_dir)
    sections = ('videos', 'images', 'annotations')
    num_instances = 0
    with CocoSetWriter(path, IMAGENET_VID_CATEGORIES, sections) as writer, ProgressBar(
        total=len(videos), desc=osp.basename(path), unit='video'
    ) as progress:
        for video, parsed in zip(videos, ordered_map(parse, videos, jobs)):
            report.add_problems(parsed.problems)
            if parsed.frames:
                num_instances += _write_video(
                    writer, report, video.name, parsed, num_instances
                )
            progress.update()
        if not report.totals['videos']:
            raise ConversionError(
                f'{path}: no video could be converted; are the XML files in {ann_dir}?'
            )
    return report


def _write_video(
    writer: CocoSetWriter,
    report: Report,
    name: str,
    parsed: _ParsedVideo,
    num_instances: int,
) -> int:
    """Write a video; returns its number of instances."""
    video_id = writer.add('videos', name=name, vid_train_frames=parsed.train_frames)
    train_frames = set(parsed.train_frames)
    instance_ids: dict[str, int] = {}
    instance_categories: dict[int, int] = {}
    for frame_id, ((width, height), boxes) in enumerate(parsed.frames):
        is_train_frame = frame_id in train_frames
        image_id = writer.add(
            'images',
            video_id=video_id,
            frame_id=frame_id,
            file_name=f'{name}/{frame_id:06d}.JPEG',
            height=height,
            width=width,
            is_vid_train_frame=is_train_frame,
        )
        report.add_image([box.category_id for box in boxes], is_train_frame)
        for box in boxes:
            instance_id = instance_ids.setdefault(
                box.track, num_instances + len(instance_ids) + 1
            )
            instance_categories.setdefault(instance_id, box.category_id)
            xmin, ymin, xmax, ymax = box.xyxy
            writer.add(
                'annotations',
                image_id=image_id,
                video_id=video_id,
                category_id=box.category_id,
                instance_id=instance_id,
                bbox=[xmin, ymin, xmax - xmin, ymax - ymin],
                area=(xmax - xmin) * (ymax - ymin),
                iscrowd=False,
                occluded=box.occluded,
                generated=box.generated,
            )
    report.add_video(list(instance_categories.values()))
    report.totals['objects of other classes, left out'] += parsed.num_others
    return len(instance_ids)


def _parse_video(ann_dir: str, video: Video) -> _ParsedVideo:
    """Read all annotation files of a video."""
    folder = osp.join(ann_dir, video.name)
    problems: list[Problem] = []
    num_frames = _count_frames(folder, video.num_frames, problems)
    if num_frames == 0:
        return _ParsedVideo([], [], 0, problems)

    train_frames = [frame for frame in video.train_frames if frame < num_frames]
    for frame in sorted(set(video.train_frames) - set(train_frames)):
        problems.append(
            Problem(
                ProblemKind.LIST_LINE,
                folder,
                f'frame {frame + 1} is listed to train with, but there are '
                f'only {num_frames}',
            )
        )
    paths = [osp.join(folder, f'{frame:06d}.xml') for frame in range(num_frames)]
    annotations = [
        read_annotation(path, None, True, problems) or _NO_ANNOTATION for path in paths
    ]
    sizes: CounterType[tuple[int, int]] = Counter(
        annotation.size for annotation in annotations if annotation.size
    )
    if not sizes:
        problems.append(
            Problem(ProblemKind.SIZE, folder, 'video left out: no frame tells its size')
        )
        return _ParsedVideo([], [], 0, problems)
    # The most frequent one; the first of them on a tie.
    usual_size = max(sizes, key=lambda size: sizes[size])
    frames = []
    for path, annotation in zip(paths, annotations):
        size = annotation.size or usual_size
        if size != usual_size:
            problems.append(
                Problem(
                    ProblemKind.SIZE,
                    path,
                    'size is {} x {}, but that of the video {} x {}'.format(
                        *size, *usual_size
                    ),
                )
            )
        frames.append(_Frame(size, fit_boxes(annotation.boxes, size, path, problems)))
    num_others = sum(annotation.num_others for annotation in annotations)
    return _ParsedVideo(frames, train_frames, num_others, problems)


def _count_frames(folder: str, num_frames: int | None, problems: list[Problem]) -> int:
    """Compare the list's number of frames with the files; 0 if there are none."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problems.append(
            Problem(ProblemKind.MISSING_XML, folder, f'video left out: {reason}')
        )
        return 0
    stems = [osp.splitext(name)[0] for name in names if name.endswith('.xml')]
    found = max((int(stem) + 1 for stem in stems if stem.isdecimal()), default=0)
    if not found:
        problems.append(
            Problem(ProblemKind.MISSING_XML, folder, 'video left out: no XML files')
        )
        return 0
    if num_frames is not None and found > num_frames:
        problems.append(
            Problem(
                ProblemKind.FRAME_COUNT,
                folder,
                f'{num_frames} frames by the list, but there is an XML file of '
                f'frame {found}',
            )
        )
    if num_frames is not None and num_frames > _MOST_PER_XML * found:
        problems.append(
            Problem(
                ProblemKind.FRAME_COUNT,
                folder,
                f'{num_frames} frames by the list, but only {found} by the XML files, '
                'which count',
            )
        )
        return found
    return num_frames or found
