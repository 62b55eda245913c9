"""A copy of an annotation file without its faults."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any, Callable, NamedTuple, Sequence

from .faults import Entry, Fault, FaultKind, is_id
from .masks import whole_polygons


class Cleaned(NamedTuple):
    """What :func:`clean` made of a file.

    Attributes:
        content: Its content, a copy.
        changes: What was changed, one line each.
        left: Faults that are still there.
    """

    content: Any
    changes: list[str]
    left: list[Fault]


def clean(
    content: Any,
    faults: Sequence[Fault],
    find: Callable[[Any], list[Fault]],
    as_video: bool = True,
) -> Cleaned:
    """Remove what has faults, and correct what has one meaning only.

    Entries with a fault are removed, and what refers to them. Boxes that reach out of
    their image are clipped to it. Polygons that are none are removed where others are
    left. Categories of one name are joined if they differ in nothing else. Annotations
    with the id of another get a new one. Frames of a video are counted anew where some
    are lacking. Nothing else is changed.

    Args:
        content: Content of the annotation file; not changed.
        faults: Its faults, those of its images among them.
        find: Finds the faults in the content of the file.
        as_video: Whether it is to be used as a set of videos.

    Returns:
        The copy. No images are left in it if all had faults.
    """
    content = copy.deepcopy(content)
    changes: list[str] = []
    found = list(faults)
    while True:
        before = len(changes)
        _repair(content, found, changes)
        if as_video and isinstance(content, dict):
            _count_frames_anew(content, changes)
        found = find(content)
        if len(changes) == before:
            return Cleaned(content, changes, found)


def _repair(content: Any, faults: Sequence[Fault], changes: list[str]) -> None:
    """Mend what one search for faults has found."""
    removed: dict[str, set[int]] = defaultdict(set)
    clipped = set()
    joined: dict[int, Fault] = {}
    numbered = set()
    for fault in faults:
        for section, place in fault.entries:
            if fault.kind is FaultKind.BOX_OUTSIDE:
                clipped.add((section, place))
                changes.append(f'{fault}; clipped')
            elif fault.kind is FaultKind.SAME_NAME:
                joined[place] = fault
            elif fault.kind is FaultKind.MASK and _keep_polygons(content, place):
                changes.append(f'{fault}; these are removed')
            elif fault.kind is FaultKind.DUPLICATE_ID and section == 'annotations':
                numbered.add((section, place))
            elif place not in removed[section]:
                removed[section].add(place)
                changes.append(f'{_name(content, (section, place))} removed: {fault}')
    if clipped:
        images = {i['id']: i for i in content['images'] if is_id(i.get('id'))}
        for section, place in clipped:
            _clip(content[section][place], images)
    if joined and not removed['categories']:  # else in the next round
        _join_categories(content, set(joined))
        removed['categories'].update(joined)
        changes += [f'{fault}; joined' for fault in joined.values()]
    if numbered:
        ids = [a.get('id') for a in content['annotations']]
        last = max((i for i in ids if type(i) is int), default=0)
        for number, (section, place) in enumerate(sorted(numbered), last + 1):
            entry = content[section][place]
            changes.append(f'annotation {entry["id"]}, there before, is now {number}')
            entry['id'] = number
    for section, places in removed.items():
        kept = [e for i, e in enumerate(content[section]) if i not in places]
        content[section] = kept


def _join_categories(content: dict, places: set[int]) -> None:
    """Give objects of some categories the first category of that name."""
    first: dict[str, Any] = {}
    joined = {}
    for place, category in enumerate(content['categories']):
        if place in places:
            joined[category['id']] = first[category['name']]
        elif isinstance(category.get('name'), str):
            first.setdefault(category['name'], category.get('id'))
    for annotation in content.get('annotations', []):
        category_id = annotation.get('category_id')
        if is_id(category_id) and category_id in joined:
            annotation['category_id'] = joined[category_id]


def _keep_polygons(content: dict, place: int) -> bool:
    """Remove an annotation's polygons that are none; returns whether any are left."""
    annotation = content['annotations'][place]
    segmentation = annotation.get('segmentation')
    kept = whole_polygons(segmentation) if isinstance(segmentation, list) else []
    if kept:
        annotation['segmentation'] = kept
    return bool(kept)


def _name(content: dict, entry: Entry) -> str:
    section, place = entry
    value = content[section][place]
    label = {'categories': 'category'}.get(section, section[:-1])
    return f'{label} {value.get("id") if isinstance(value, dict) else place}'


def _clip(annotation: dict, images: dict) -> None:
    image = images[annotation['image_id']]
    x, y, width, height = annotation['bbox']
    right, bottom = min(x + width, image['width']), min(y + height, image['height'])
    x, y = max(x, 0), max(y, 0)
    was, now = width * height, (right - x) * (bottom - y)
    annotation['bbox'] = [x, y, right - x, bottom - y]
    if annotation['area'] == was:  # of a box, not of a mask
        annotation['area'] = now


def _count_frames_anew(content: dict, changes: list[str]) -> None:
    """Number the frames of each video from 0, where all have a number of their own."""
    frames: dict[Any, list[dict]] = defaultdict(list)
    for image in _dicts(content, 'images'):
        if is_id(image.get('video_id')):
            frames[image['video_id']].append(image)
    videos = [v for v in _dicts(content, 'videos') if is_id(v.get('id'))]
    names = {video['id']: video.get('name') for video in videos}
    for video_id, images in frames.items():
        ids: list[Any] = [image.get('frame_id') for image in images]
        if not all(type(i) is int and i >= 0 for i in ids) or len(set(ids)) < len(ids):
            continue  # told, and removed in the next round
        if max(ids) + 1 == len(ids):
            continue
        images.sort(key=lambda image: image['frame_id'])
        for frame_id, image in enumerate(images):
            image['frame_id'] = frame_id
        name = names.get(video_id) or video_id
        changes.append(f'video {name}: its {len(ids)} frames are counted anew, from 0')


def _dicts(content: dict, section: str) -> list[dict]:
    entries = content.get(section)
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]
