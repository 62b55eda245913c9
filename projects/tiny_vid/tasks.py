"""Annotations of tiny_vid for other tasks, from the same scenes.

Of what the generator and the converter of ImageNet VID wrote, this makes

* ``annotations/tiny_mot_{train,val}.json`` in the form of mmtrack's MOT challenge data
  sets, and ``MOT/{train,val}/VIDEO/img1``, links to the videos: their metrics find a
  frame's video by its path;
* ``annotations/tiny_vis_{train,val}.json``, in CocoVID format with masks (RLE), as for
  YouTube-VIS.

Both have the classes of the set alone, and tracks by ``instance_id``.

Example:
    $ python -m projects.tiny_vid.tasks data/tiny_vid
"""

from __future__ import annotations

import argparse
import json
import os
import os.path as osp
from typing import Any, Sequence

from projects.tiny_vid.generate import CLASSES, MASKS
from stpn_plugin.utils import whole_text

SPLITS = ('train', 'val')


def write_tasks(root: str) -> list[str]:
    """Write the annotations of tracking and of segmentation.

    Args:
        root: Folder that the generator wrote, with the converter's ``annotations``.

    Returns:
        The files.

    Raises:
        FileNotFoundError: The generator or the converter has not run.
    """
    with open(osp.join(root, MASKS)) as file:
        masks = json.load(file)
    written = []
    for split in SPLITS:
        with open(osp.join(root, f'annotations/imagenet_vid_{split}.json')) as file:
            content = _own_classes(json.load(file))
        for video in content['videos']:
            _link(root, video['name'])
        for task, adapted in (('mot', _mot(content)), ('vis', _vis(content, masks))):
            path = osp.join(root, f'annotations/tiny_{task}_{split}.json')
            with whole_text(path) as file:
                json.dump(adapted, file)
            written.append(path)
    return written


def _own_classes(content: dict[str, Any]) -> dict[str, Any]:
    categories = [c for c in content['categories'] if c['encode_name'] in CLASSES]
    return dict(content, categories=categories)


def _link(root: str, video: str) -> None:
    """Let the frames of a video lie in ``MOT/VIDEO/img1``, too."""
    folder = osp.join(root, 'MOT', video)
    os.makedirs(folder, exist_ok=True)
    link = osp.join(folder, 'img1')
    if not osp.lexists(link):
        os.symlink(osp.relpath(osp.join(root, 'Data/VID', video), folder), link)


def _mot(content: dict[str, Any]) -> dict[str, Any]:
    def image(entry: dict[str, Any]) -> dict[str, Any]:
        folder, name = osp.split(entry['file_name'])
        return dict(entry, file_name=f'{folder}/img1/{name}')

    return dict(
        content,
        images=[image(entry) for entry in content['images']],
        annotations=[
            dict(entry, mot_conf=1.0, visibility=1.0)
            for entry in content['annotations']
        ],
    )


def _vis(content: dict[str, Any], masks: dict[str, Any]) -> dict[str, Any]:
    places = {entry['id']: _place(entry) for entry in content['images']}
    seen: dict[int, int] = {}  # objects of a frame come in the generator's order

    def annotation(entry: dict[str, Any]) -> dict[str, Any]:
        video, frame = places[entry['image_id']]
        number = seen.get(entry['image_id'], 0)
        seen[entry['image_id']] = number + 1
        return dict(entry, segmentation=masks[video][frame][number])

    return dict(content, annotations=[annotation(a) for a in content['annotations']])


def _place(image: dict[str, Any]) -> tuple[str, int]:
    """Video and frame of an image, as in the generator's files."""
    video, name = osp.split(image['file_name'])
    return video, int(osp.splitext(name)[0])


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.tasks',
        description='Write annotations of tiny_vid for tracking and segmentation.',
    )
    parser.add_argument('root', help='folder of the data set, with its annotations')
    try:
        written = write_tasks(parser.parse_args(argv).root)
    except FileNotFoundError as error:
        raise SystemExit(
            f'error: {error.filename} is missing; generate and convert the data set '
            'first, see projects/tiny_vid/README.md'
        ) from error
    for path in written:
        print(path)


if __name__ == '__main__':
    main()
