"""Readers of annotations in the formats of other tools and data sets.

Each takes the annotations and the folder of images, and returns a :class:`Source`.
"""

from .coco import read_coco
from .cvat import read_cvat
from .label_studio import read_label_studio
from .mot import read_mot
from .visdrone import read_visdrone
from .yolo import read_yolo
from .youtube_vis import read_youtube_vis

__all__ = [
    'read_coco',
    'read_cvat',
    'read_label_studio',
    'read_mot',
    'read_visdrone',
    'read_yolo',
    'read_youtube_vis',
]
