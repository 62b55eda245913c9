"""What a fault of a data set is, and how several are told."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple, Sequence, Tuple

#: An entry of an annotation file: its section, and its place in it, from 0.
Entry = Tuple[str, int]


#: Types of ids.
ID_TYPES = (int, str)


class FaultKind(Enum):
    """Kinds of faults; the value is what to do about one."""

    NOT_COCO = 'Give a file in the format of COCO or CocoVID.'
    STILLS = (
        'Set load_as_video=False for still images. Frames of a video need a video_id '
        'and a frame_id, and the file the section "videos".'
    )
    MISSING_KEY = (
        'Add the key. Only ImagenetVIDDataset asks for is_vid_train_frame: without it, '
        'use BaseVideoDataset.'
    )
    VALUE = 'Correct the value.'
    FRAME_ID = (
        'frame_id counts the frames of each video: whole numbers, 0 for the first, '
        'each number once.'
    )
    DUPLICATE_ID = 'Give each entry of a section an id of its own.'
    UNKNOWN_ID = 'Add the entry, or correct or remove what refers to it.'
    CLASSES = "Set CLASSES in the dataset's metainfo to categories of the file."
    SAME_NAME = (
        'No data set takes a class of such a name: join the categories, or rename them.'
    )
    # What data sets cope with, in ways that are not always meant.
    BOX = 'Data sets leave such boxes out. Correct or remove them.'
    UNKNOWN_CLASS = 'Data sets leave such objects out. Add the class, or remove them.'
    MASK = 'Correct it, or remove it: models of masks leave it out, or end there.'
    BOX_OUTSIDE = 'Clip the box to its image, or correct the size of the image.'
    NO_BOXES = 'Training learns nothing there, and each detection there is a wrong one.'
    REPEATED = 'Remove what is there twice: it counts twice in training and testing.'
    INSTANCE = (
        'An instance_id is one object in one video: it has one class, and one box a '
        'frame.'
    )
    ORDER = 'Number the frames in the order in which they were taken.'
    FRAME_SIZE = 'Frames of a video have one size: samples of several are stacked.'
    PATH = 'Name images by their paths below the folder of the images.'
    # What shows when the images are read.
    IMAGE_FILE = 'Restore the file, or remove the image from the annotations.'
    IMAGE_SIZE = (
        'Boxes are those of an image of the size in the annotation file: restore that '
        'image, or correct its size and boxes.'
    )


#: Kinds that do not keep a data set from loading.
COPED_WITH = frozenset(
    {
        FaultKind.BOX,
        FaultKind.UNKNOWN_CLASS,
        FaultKind.SAME_NAME,
        FaultKind.MASK,
        FaultKind.BOX_OUTSIDE,
        FaultKind.NO_BOXES,
        FaultKind.REPEATED,
        FaultKind.INSTANCE,
        FaultKind.ORDER,
        FaultKind.FRAME_SIZE,
        FaultKind.PATH,
    }
)


class Fault(NamedTuple):
    """A fault of an annotation file, or of an image that it names.

    Attributes:
        kind: Its kind.
        text: What is wrong, and where in the file.
        file: The annotation file.
        video: Name of the video with the fault, or its id.
        image: File name of the image with the fault, or its id.
        entries: Entries without which there would be no fault.
    """

    kind: FaultKind
    text: str
    file: str
    video: str | None = None
    image: str | None = None
    entries: tuple[Entry, ...] = ()

    def __str__(self) -> str:
        places = [
            f'{name} {place}'
            for name, place in (('video', self.video), ('image', self.image))
            if place is not None
        ]
        return ', '.join(places) + (': ' if places else '') + self.text


class AnnotationError(ValueError):
    """An annotation file cannot be used as it is."""


def describe(faults: Sequence[Fault], limit: int = 5) -> str:
    """Name the first few faults of a file, and what to do about their kinds."""
    lines = [f'{faults[0].file} has {counted(len(faults), "fault")}:']
    for kind in dict.fromkeys(fault.kind for fault in faults):
        found = [fault for fault in faults if fault.kind is kind]
        lines += [f'  {fault}' for fault in found[:limit]]
        if len(found) > limit:
            lines.append(f'  ... and {len(found) - limit:,} more like these')
        lines.append(f'  -> {kind.value}')
    return '\n'.join(lines)


def counted(count: int, noun: str) -> str:
    """A number of things."""
    return f'{count:,} {noun}{"" if count == 1 else "s"}'


def is_id(value: Any) -> bool:
    """Whether a value can be the id of an entry."""
    return isinstance(value, ID_TYPES)


def shown(value: Any) -> str:
    """A value as a message shows it: a file may have one of any length."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return 'a number of thousands of digits'
    return text if len(text) <= 80 else f'{text[:77]}...'


class Places:
    """Names of the videos and images of a file, for its faults.

    Args:
        content: Content of the file.
        file: Its name.
        as_video: Whether its images are frames of videos.
    """

    def __init__(self, content: dict, file: str, as_video: bool) -> None:
        self.file = file
        self.as_video = as_video
        self._names = {
            video['id']: video.get('name')
            for video in content.get('videos', [])
            if is_id(video.get('id'))
        }

    def has_video(self, video_id: int | str) -> bool:
        """Whether the file has a video of this id."""
        return video_id in self._names

    def fault(
        self,
        kind: FaultKind,
        text: str,
        image: dict | None = None,
        video_id: Any = None,
        entries: Sequence[Entry] = (),
    ) -> Fault:
        """Make a fault with the names of its places."""
        image_name = None
        if image is not None:
            video_id = image.get('video_id')
            image_name = _name(image.get('file_name', image.get('id')))
        video = None
        if self.as_video and video_id is not None:
            name = self._names.get(video_id) if is_id(video_id) else None
            video = _name(name or video_id)
        return Fault(kind, text, self.file, video, image_name, tuple(entries))


def _name(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 300 and value.isprintable():
        return value
    return shown(value)
