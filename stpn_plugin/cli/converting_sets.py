"""What the converters of data sets of one's own share: options, and their meaning."""

from __future__ import annotations

import argparse
import json
import os.path as osp
from dataclasses import dataclass
from typing import Callable, Sequence

import mmcv

from ..apis import VideoFile
from ..datasets.checks import find_faults
from ..datasets.converters import ConversionError, Source, split_clips, write_clips
from ..datasets.converters.frames import FrameFile, list_video_frames
from ..utils import (
    ProgressBar,
    check_writable,
    named_write_errors,
    refuse_overwriting_input,
    whole_folder,
)
from .command import BaseOptions, argument, flag, option


def fraction(text: str) -> float:
    """A part of a whole, neither nothing nor all."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f'{text} is not between 0 and 1')
    return value


@dataclass
class SetOptions(BaseOptions):
    """What to convert, and how to divide it."""

    source: str = argument('annotations: a file or folder, as the format has it')
    output: str = option(
        'CocoVID file to write',
        flags=('-o', '--output'),
        metavar='SET.json',
        required=True,
        output=True,
    )
    images: str | None = option(
        'folder of the images, to which file names are relative; the data_prefix of '
        'the data set'
    )
    classes: list[str] | None = option(
        'names of the classes, in the order of their labels, default: those of the '
        'source; objects of others are left out',
        metavar='NAME',
    )
    val_fraction: float | None = option(
        'part of the videos for validation: writes SET_train.json and SET_val.json',
        type=fraction,
    )
    seed: int = option('of the division', default=0)

    def convert(self, read: Callable[[], Source]) -> int:
        """Convert, print what was written, and check it.

        Args:
            read: Reads the source.

        Returns:
            The exit status, 1 if what was written has faults.

        Raises:
            ConversionError: The source is malformed, or holds nothing.
            OSError: A file cannot be read or written.
        """
        refuse_overwriting_input(self.source, self.output)
        check_writable(self.output)
        clips, categories = read()
        classes = self.classes or categories
        if not set(classes) & set(categories):
            raise ConversionError(
                f'{self.source} has none of the classes {", ".join(classes)}; it has '
                f'{", ".join(categories)}'
            )
        parts = {self.output: clips}
        if self.val_fraction is not None:
            stem, suffix = osp.splitext(self.output)
            halves = split_clips(clips, self.val_fraction, self.seed)
            parts = dict(zip((f'{stem}_train{suffix}', f'{stem}_val{suffix}'), halves))
        for path in parts:
            refuse_overwriting_input(self.source, path)
        status = 0
        for path, some in parts.items():
            print(write_clips(path, some, classes))
            with open(path, encoding='utf-8') as file:
                faults = list(find_faults(json.load(file), path, some[0].is_video))
            for fault in faults:
                print(f'{fault.video or ""} {fault.image or ""}: {fault.text}')
            print(f'{len(faults)} faults; stpn check {path} looks at the images, too\n')
            status = max(status, int(bool(faults)))
        return status


@dataclass
class VideoSetOptions(SetOptions):
    """The same for formats that go with video files."""

    videos: list[str] | None = option(
        'video files whose frames are to be extracted to --images first, each into a '
        'folder of its name; a folder that is there stays as it is',
        metavar='FILE',
    )
    in_place: bool = flag(
        'extract nothing: frames are read from the --videos, by names relative to '
        '--images, or to where you are without it'
    )

    @property
    def folder(self) -> str:
        """Folder that file names are relative to.

        Raises:
            ValueError: None is given.
        """
        if self.images is None and not self.in_place:
            raise ValueError(
                'this format needs --images, the folder of the frames, or --in-place '
                'with --videos'
            )
        return self.images or '.'

    def read_videos(self) -> dict[str, list[FrameFile]] | None:
        """Extract the frames of the videos, or list those that are read from there.

        Returns:
            The frames that are read from videos, by the names of these without ending;
            None if they were extracted.

        Raises:
            ConversionError: A video that is to be read from cannot be.
            ValueError: There are none to be read from, or two of one name.
            VideoError: A video cannot be read.
            OSError: A frame cannot be written.
        """
        videos = self.videos or []
        if not self.in_place:
            extract_frames(videos, self.folder)
            return None
        if not videos:
            raise ValueError('--in-place needs --videos, the video files to read from')
        found: dict[str, list[FrameFile]] = {}
        for path in ProgressBar(videos, 'count frames', unit='video'):
            name = osp.splitext(osp.basename(path))[0]
            if name in found:
                raise ValueError(f'two videos have the name {name}')
            found[name] = list_video_frames(self.folder, path)
        return found


def extract_frames(videos: Sequence[str], images: str) -> None:
    """Write the frames of videos as JPEG files ``images/VIDEO/000000.jpg``.

    Args:
        videos: Video files.
        images: Folder to write to. A video whose folder is there is left out: the
            folder gets its name when all frames are written.

    Raises:
        VideoError: A video cannot be read.
        OSError: A frame cannot be written.
    """
    for path in videos:
        name = osp.splitext(osp.basename(path))[0]
        folder = osp.join(images, name)
        if osp.isdir(folder):
            print(f'{folder} is there already; the frames of {path} are not extracted')
            continue
        video = VideoFile(path)
        with whole_folder(folder) as temporary, ProgressBar(
            total=video.length, desc=name, unit='frame'
        ) as progress:
            for number, image in enumerate(video):
                file = osp.join(temporary, f'{number:06d}.jpg')
                with named_write_errors(file):
                    if not mmcv.imwrite(image, file):
                        raise OSError(f'{file} cannot be written')
                progress.update()
