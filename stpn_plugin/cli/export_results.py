"""Bring what was found in videos into the format of another tool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..builders import load_config
from ..evaluation import exports
from ..utils import check_writable
from .command import BaseOptions, Command, argument, option
from .configs import config_overrides
from .values import score

#: Function that writes each format, by the format's name.
WRITERS: dict[str, Any] = {
    'cvat-video': exports.write_cvat,
    'mot': exports.write_mot,
    'youtube-vis': exports.write_youtube_vis,
    'coco': exports.write_coco,
    'ilsvrc': exports.write_ilsvrc,
    'csv': exports.write_csv,
}
# Files that are scored by curves over all scores.
_ALL_SCORES = ('ilsvrc',)


@dataclass
class Options(BaseOptions):
    """What was found, and what to write."""

    results: str = argument(
        'file that stpn test --out (.npz, .pkl) or stpn demo --out-json (.json) wrote'
    )
    config: str | None = argument(
        'config of the test run, which a .json file does without', nargs='?'
    )
    to: str = option('format', choices=[*WRITERS, 'fiftyone'], required=True)
    output: str = option(
        'file to write; a folder of a file a video for mot, and for cvat-video unless '
        'it ends with .xml; for fiftyone the name of the dataset',
        flags=('-o', '--output'),
        required=True,
        output=True,
    )
    score_thr: float | None = option(
        f'lowest score, default: 0.3, for {", ".join(_ALL_SCORES)} 0', type=score
    )
    images: str = option(
        'folder that file names are relative to, for fiftyone, default: %(default)s',
        default='.',
    )
    cfg_options: dict[str, Any] | None = config_overrides()


def run(options: Options) -> None:
    """Write the results.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: The results are malformed, or lack what the format needs.
    """
    default = 0.0 if options.to in _ALL_SCORES else 0.3
    score_thr = default if options.score_thr is None else options.score_thr
    cfg = None
    if options.config is not None:
        cfg = load_config(options.config, options.cfg_options)
    clips, classes = exports.load_found(options.results, cfg, score_thr)
    if options.to == 'fiftyone':
        exports.to_fiftyone(clips, options.images, options.output)
    else:
        is_folder = options.to == 'mot' or (
            options.to == 'cvat-video' and not options.output.endswith('.xml')
        )
        if options.to == 'cvat-video' and len(clips) > 1 and not is_folder:
            raise ValueError(
                f'{options.output} is one file, but there are {len(clips)} videos: '
                'give a folder'
            )
        if not is_folder:
            check_writable(options.output)
        WRITERS[options.to](options.output, clips, classes)
    images = [image for clip in clips for image in clip.images]
    counts = Counter(item.category for image in images for item in image.objects)
    print(
        f'{options.output}: {len(clips)} videos, {len(images)} frames, '
        f'{sum(counts.values())} objects with a score of {score_thr:g} or more'
    )
    for name in classes:
        if counts[name]:
            print(f'  {name}: {counts[name]}')


main = Command(__doc__, Options, run)
