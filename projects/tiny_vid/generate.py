"""Generate a small video detection data set in ILSVRC layout.

Every image shows textured objects that move over a textured background. The
class of an object is nothing but the *pattern* on it. In a deteriorated frame
the pattern is replaced by its mean colour before the visible damage (motion
blur, defocus, an occluder or strong compression) is applied, so that such a
frame, taken alone, says nothing at all about the class: rendered with another
class it has the same bytes. The other frames of the video tell.

Beside the boxes, masks of the videos' objects are written (``masks.json``), from which
:mod:`projects.tiny_vid.tasks` makes the annotations of other tasks.

All random numbers are drawn in :func:`sample_scene`, which does not know the
classes, and used in :func:`render_scene`, which draws none.

Example:
    $ python projects/tiny_vid/generate.py data/tiny_vid
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import multiprocessing
import os
import os.path as osp
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, Sequence

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

# The patterns of the classes, by WordNet id: where an object is redder and where
# it is bluer than its mean colour. None changes under a horizontal flip. Finer
# patterns, such as bars with random phases, take a detector far longer to learn.
CLASSES = {
    'n02391049': 'red below',  # zebra
    'n02129604': 'red above',  # tiger
    'n02510455': 'red core',  # giant_panda
    'n01662784': 'red rim',  # turtle
}
RED_MINUS_BLUE = np.array([-1.0, 0.0, 1.0])  # in BGR
# Stands for everything outside the 30 classes of ImageNet VID.
OTHER_CLASS = 'n02165456'  # ladybug, one of the 200 classes of ImageNet DET

DETERIORATIONS = ('motion_blur', 'defocus', 'occlusion', 'compression')
SHARP_QUALITY = 92  # JPEG quality of the other frames

# Movement per frame in object sizes and relative change of the size, so that
# the motion IoU within +-10 frames is above .9, within .7-.9 and below .7.
SPEEDS = {
    'slow': dict(step=(0.000, 0.004), zoom=(0.00, 0.01)),
    'medium': dict(step=(0.013, 0.020), zoom=(0.02, 0.05)),
    'fast': dict(step=(0.070, 0.140), zoom=(0.15, 0.30)),
}

MARKER = 'tiny_vid.json'
MASKS = 'masks.json'


@dataclass(frozen=True)
class Settings:
    """What to generate.

    Args:
        train_videos: Number of training videos.
        val_videos: Number of validation videos.
        frames: Frames of each video.
        stills: Number of DET images named in the training list.
        extra_stills: Number of DET images that no list names. They show an object
            outside the 30 classes of ImageNet VID.
        width: Image width in pixels.
        height: Image height in pixels.
        objects: Most objects in an image. Those of one video are of the same class.
        deteriorated: Fraction of each video's frames that are deteriorated.
        seed: Seed of everything random.

    Raises:
        ValueError: A value is out of its range.
    """

    train_videos: int = 600
    val_videos: int = 48
    frames: int = 16
    stills: int = 6000
    extra_stills: int = 12
    width: int = 96
    height: int = 64
    objects: int = 1
    deteriorated: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        least = dict(frames=1, width=48, height=48, objects=1)
        for field in fields(self):
            minimum = least.get(field.name, 0)
            if getattr(self, field.name) < minimum:
                raise ValueError(
                    f'{field.name} must be at least {minimum}, '
                    f'got {getattr(self, field.name)}'
                )
        if self.deteriorated > 1:
            raise ValueError(
                f'deteriorated is a fraction of at most 1, got {self.deteriorated}'
            )
        if self.width < 32 * self.objects:
            raise ValueError(
                f'{self.objects} objects need a width of at least '
                f'{32 * self.objects} pixels, got {self.width}'
            )


@dataclass(frozen=True)
class Scene:
    """Everything about a clip except the classes of its objects.

    T is the number of frames, N of objects; lengths are in pixels.

    Attributes:
        background: (T, H, W, 3) float32, levels 0-255.
        centers: (T, N, 2) object centres (x, y).
        sizes: (T, N, 2) object widths and heights.
        shapes: (N,) exponents of the superellipse outlines.
        colors: (N, 3) mean colours.
        contrasts: (N,) contrasts of the patterns.
        shifts: (N,) shifts of the patterns' borders.
        kinds: (T,) the deterioration of each frame.
        strengths: (T,) how strong it is, 0-1.
        angles: (T,) directions of motion blur, radians.
        offsets: (T, N) places of occluders in object widths.
        occluder: (H, W, 3) texture of the occluders.
    """

    background: np.ndarray
    centers: np.ndarray
    sizes: np.ndarray
    shapes: np.ndarray
    colors: np.ndarray
    contrasts: np.ndarray
    shifts: np.ndarray
    kinds: list[str | None]
    strengths: np.ndarray
    angles: np.ndarray
    offsets: np.ndarray
    occluder: np.ndarray


def pattern(class_id: str, u: np.ndarray, v: np.ndarray, shift: float) -> np.ndarray:
    """The pattern that makes an object's class.

    Args:
        class_id: WordNet id, a key of ``CLASSES`` or ``OTHER_CLASS``.
        u: Horizontal coordinates, -1 to 1 across the object.
        v: Vertical coordinates, likewise, of the same shape.
        shift: Moves the border between the tones, in these units.

    Returns:
        Values from -1 (bluer) to 1 (redder), of the shape of ``u``.
    """
    name = CLASSES.get(class_id, 'red right')
    border = {
        'red above': shift - v,
        'red below': v - shift,
        'red core': 0.6 + shift - np.hypot(u, v),
        'red rim': np.hypot(u, v) - 0.6 - shift,
        'red right': u - shift,
    }[name]
    return np.tanh(4 * border)  # two tones with a soft border


def _texture(
    rng: np.random.Generator, height: int, width: int, mean: np.ndarray
) -> np.ndarray:
    """Cloudy noise around a mean colour, (height, width, 3) float32."""
    texture = np.zeros((height, width, 3), np.float32)
    for sigma, amplitude in ((1.0, 8.0), (3.0, 14.0), (8.0, 14.0)):
        noise = rng.standard_normal((height, width, 3)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)
        texture += noise * (amplitude / noise.std())
    return texture + mean.astype(np.float32)


def _bounce(position: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Reflect positions at ``low`` and ``high`` until they lie between."""
    span = np.maximum(high - low, 1e-6)
    position = np.mod(position - low, 2 * span)
    return low + span - np.abs(position - span)


def sample_scene(
    settings: Settings,
    rng: np.random.Generator,
    speed: str = 'medium',
    still: bool = False,
) -> Scene:
    """Draw all that is random about a clip; the classes are not.

    Args:
        settings: Sizes and the fraction of deteriorated frames.
        rng: Source of randomness.
        speed: A key of ``SPEEDS``.
        still: Whether to make one sharp frame instead of a video.

    Returns:
        The clip.
    """
    height, width = settings.height, settings.width
    num_frames = 1 if still else settings.frames
    num_objects = int(rng.integers(1, settings.objects + 1))
    time = np.arange(num_frames, dtype=np.float64)[:, None]

    # the camera drifts over a larger background
    margin = 8
    tone = rng.uniform(70, 185, 3)
    canvas = _texture(rng, height + 2 * margin, width + 2 * margin, tone)
    drift = rng.uniform(-0.4, 0.4, 2)
    shift = np.rint(margin + np.clip(drift * time, -margin, margin)).astype(int)
    background = np.stack(
        [canvas[y : y + height, x : x + width] for x, y in shift]
    )  # (T, H, W, 3)

    # each object keeps to its own column of the image: no overlaps
    cell = width / num_objects
    unit = min(cell, height)
    size = unit * rng.uniform(0.42, 0.62, num_objects)  # (N,)
    stretch = rng.uniform(0.85, 1.15, num_objects)
    zoom = rng.uniform(*SPEEDS[speed]['zoom'], num_objects)
    turns = rng.uniform(0.5, 1.0, num_objects) * 2 * np.pi / max(num_frames, 12)
    start = rng.uniform(0, 2 * np.pi, num_objects)
    scale = size * (1 + zoom * np.sin(turns * time + start))  # (T, N)
    scale = np.clip(scale, 12, 0.8 * unit)
    sizes = np.stack([scale * np.sqrt(stretch), scale / np.sqrt(stretch)], -1)

    step = size * rng.uniform(*SPEEDS[speed]['step'], num_objects)
    heading = rng.uniform(0, 2 * np.pi, num_objects)
    velocity = np.stack([np.cos(heading), np.sin(heading)], -1) * step[:, None]
    left = cell * np.arange(num_objects)
    border = sizes.max(0) / 2 + 2  # boxes stay inside by 2 pixels
    low = np.stack([left, np.zeros(num_objects)], -1) + border
    high = np.stack([left + cell, np.full(num_objects, height)], -1) - border
    first = rng.uniform(low, high)
    centers = _bounce(first + velocity * time[..., None], low, high)

    # colours stand out from the background by their mean already, because in
    # a deteriorated frame the mean is all there is
    away = np.where(tone > 127, -1, 1) * rng.uniform(45, 70, (num_objects, 3))
    colors = np.clip(tone + away, 85, 170)  # leaves room for the patterns
    contrasts = rng.uniform(38, 46, num_objects)

    kinds: list[str | None] = [None] * num_frames
    if not still:
        count = int(round(settings.deteriorated * num_frames))
        for frame in rng.permutation(num_frames)[:count]:
            kinds[frame] = str(rng.choice(DETERIORATIONS))
    return Scene(
        background=background,
        centers=centers,
        sizes=sizes,
        shapes=rng.uniform(2, 5, num_objects),
        colors=colors,
        contrasts=contrasts,
        shifts=rng.uniform(-0.1, 0.1, num_objects),
        kinds=kinds,
        strengths=rng.uniform(0, 1, num_frames),
        angles=rng.uniform(0, np.pi, num_frames),
        offsets=rng.uniform(-0.2, 0.2, (num_frames, num_objects)),
        occluder=_texture(rng, height, width, rng.uniform(60, 195, 3)),
    )


def _motion_kernel(length: float, angle: float) -> np.ndarray:
    """Line of ``length`` pixels in direction ``angle``, summing to 1."""
    radius = int(np.ceil(length / 2))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = np.abs(x * np.cos(angle) + y * np.sin(angle))
    across = np.abs(x * np.sin(angle) - y * np.cos(angle))
    kernel = np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return kernel / kernel.sum()


def render_scene(
    scene: Scene, class_ids: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw a clip with objects of the given classes.

    Args:
        scene: The clip.
        class_ids: (N,) WordNet ids.

    Returns:
        Four arrays:

        - frames (T, H, W, 3) uint8, BGR, to be compressed with
        - JPEG qualities (T,) int,
        - boxes (T, N, 4) int, (xmin, ymin, xmax, ymax), and
        - masks (T, N, H, W) uint8, 1 inside. Like the boxes they are of whole objects:
          an occluder hides nothing of them.
    """
    height, width = scene.background.shape[1:3]
    bad = np.array([kind is not None for kind in scene.kinds])
    frames = scene.background.copy()
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    masks = np.empty((len(frames), len(class_ids), height, width), np.uint8)
    for i, class_id in enumerate(class_ids):
        half = scene.sizes[:, i, :, None, None] / 2  # (T, 2, 1, 1)
        center = scene.centers[:, i, :, None, None]
        u = (x - center[:, 0]) / half[:, 0]  # (T, H, W)
        v = (y - center[:, 1]) / half[:, 1]
        exponent = scene.shapes[i]
        radius = (np.abs(u) ** exponent + np.abs(v) ** exponent) ** (1 / exponent)
        mask = np.clip(0.5 + (1 - radius) * half.mean(1), 0, 1)
        masks[:, i] = radius <= 1
        wave = pattern(class_id, u, v, scene.shifts[i])
        # equal mean and contrast over the object, whatever the pattern
        area = mask.sum((1, 2), keepdims=True)
        wave = wave - (wave * mask).sum((1, 2), keepdims=True) / area
        wave /= np.sqrt((wave**2 * mask).sum((1, 2), keepdims=True) / area)
        # the class cue goes before any damage is done
        wave[bad] = 0
        tint = scene.contrasts[i] * RED_MINUS_BLUE
        surface = scene.colors[i] + tint * wave[..., None]
        frames += mask[..., None] * (np.clip(surface, 0, 255) - frames)

    qualities = np.full(len(frames), SHARP_QUALITY)
    unit = scene.sizes.mean((1, 2))  # (T,) blur grows with the objects
    for t in np.flatnonzero(bad):
        kind, strength = scene.kinds[t], scene.strengths[t]
        if kind == 'motion_blur':
            kernel = _motion_kernel(unit[t] * (0.15 + 0.2 * strength), scene.angles[t])
            frames[t] = cv2.filter2D(
                frames[t], -1, kernel, borderType=cv2.BORDER_REPLICATE
            )
        elif kind == 'defocus':
            sigma = unit[t] * (0.03 + 0.05 * strength)
            frames[t] = cv2.GaussianBlur(frames[t], (0, 0), sigma)
        elif kind == 'occlusion':
            # a post in front of the middle of each object
            post = scene.centers[t, :, 0] + scene.offsets[t] * scene.sizes[t, :, 0]
            reach = scene.sizes[t, :, 0] * (0.15 + 0.1 * strength)
            hidden = (np.abs(x[0, :, None] - post) < reach).any(1)  # (W,)
            frames[t, :, hidden] = scene.occluder[:, hidden].swapaxes(0, 1)
        else:
            qualities[t] = round(18 - 12 * strength)

    low = np.floor(scene.centers - scene.sizes / 2)
    high = np.ceil(scene.centers + scene.sizes / 2)
    boxes = np.concatenate([low, high], -1).astype(int)
    frames = np.clip(np.rint(frames), 0, 255).astype(np.uint8)
    return frames, qualities, boxes, masks


def _write_annotation(
    path: str,
    size: tuple[int, int],
    class_ids: Sequence[str],
    boxes: np.ndarray,
    occluded: bool,
    with_tracks: bool,
) -> None:
    """Write one ILSVRC XML file; ``size`` is (width, height)."""
    root = ET.Element('annotation')
    ET.SubElement(root, 'folder').text = osp.basename(osp.dirname(path))
    ET.SubElement(root, 'filename').text = osp.splitext(osp.basename(path))[0]
    node = ET.SubElement(root, 'size')
    for key, value in zip(('width', 'height'), size):
        ET.SubElement(node, key).text = str(value)
    for track, (class_id, box) in enumerate(zip(class_ids, boxes)):
        node = ET.SubElement(root, 'object')
        if with_tracks:
            ET.SubElement(node, 'trackid').text = str(track)
        ET.SubElement(node, 'name').text = class_id
        corners = ET.SubElement(node, 'bndbox')
        for key, value in zip(('xmax', 'xmin', 'ymax', 'ymin'), box[[2, 0, 3, 1]]):
            ET.SubElement(corners, key).text = str(value)
        if with_tracks:
            ET.SubElement(node, 'occluded').text = str(int(occluded))
            ET.SubElement(node, 'generated').text = '0'
    ET.ElementTree(root).write(path)


def _write_clip(
    root: str,
    subset: str,
    names: Sequence[str],
    scene: Scene,
    class_ids: Sequence[str],
) -> list[list[dict[str, Any]]]:
    """Write images and annotations of a clip; ``names`` as in the lists.

    Returns:
        For each frame the mask of each object, as COCO's compressed RLE.
    """
    frames, qualities, boxes, masks = render_scene(scene, class_ids)
    size = (frames.shape[2], frames.shape[1])
    for t, name in enumerate(names):
        image = osp.join(root, 'Data', subset, f'{name}.JPEG')
        annotation = osp.join(root, 'Annotations', subset, f'{name}.xml')
        os.makedirs(osp.dirname(image), exist_ok=True)
        os.makedirs(osp.dirname(annotation), exist_ok=True)
        if not cv2.imwrite(
            image, frames[t], [cv2.IMWRITE_JPEG_QUALITY, int(qualities[t])]
        ):
            raise OSError(f'cannot write {image}')
        _write_annotation(
            annotation,
            size,
            class_ids,
            boxes[t],
            occluded=scene.kinds[t] == 'occlusion',
            with_tracks=subset == 'VID',
        )
    return [[_run_lengths(mask) for mask in of_frame] for of_frame in masks]


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed RLE of a mask (H, W), fit for JSON."""
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return dict(size=encoded['size'], counts=encoded['counts'].decode())


def _write_list(root: str, name: str, lines: Sequence[str]) -> None:
    os.makedirs(osp.join(root, 'ImageSets'), exist_ok=True)
    with open(osp.join(root, 'ImageSets', name), 'w') as f:
        f.writelines(f'{line}\n' for line in lines)


class _Clip(NamedTuple):
    """A clip to write.

    Attributes:
        subset: ``VID`` or ``DET``.
        names: Of its images, as in the lists.
        seed: What its random numbers start from.
        class_ids: Classes of its objects in turn.
        speed: A key of ``SPEEDS``; None of a still image.
    """

    subset: str
    names: list[str]
    seed: list[int]
    class_ids: list[str]
    speed: str | None = None


def _clips(settings: Settings) -> tuple[list[_Clip], dict[str, list[str]]]:
    """All clips of a data set, and lines of its lists by their names."""
    class_ids = list(CLASSES)
    speeds = list(SPEEDS)
    # VID_train_15frames.txt names 15 frames of a video, evenly spread
    keys = np.linspace(0, settings.frames - 1, min(15, settings.frames))
    keys = np.rint(keys).astype(int)
    clips: list[_Clip] = []
    train_list: list[str] = []
    val_list: list[str] = []
    det_list: list[str] = []
    for split, count in enumerate((settings.train_videos, settings.val_videos)):
        for i in range(count):
            # classes and speeds in turn: all pairs occur equally often
            class_id = class_ids[i % len(class_ids)]
            speed = speeds[i // len(class_ids) % len(speeds)]
            if split == 0:
                folder = f'train/ILSVRC2015_VID_train_{i // 1000:04d}'
                video = f'{folder}/ILSVRC2015_train_{i:08d}'
                train_list += [f'{video} 1 {key + 1} {settings.frames}' for key in keys]
            else:
                video = f'val/ILSVRC2015_val_{i:08d}'
                val_list.append(f'{video} 1 1 {settings.frames}')
            names = [f'{video}/{t:06d}' for t in range(settings.frames)]
            clips.append(
                _Clip('VID', names, [settings.seed, split, i], [class_id], speed)
            )
    for i in range(settings.stills + settings.extra_stills):
        first = i % len(class_ids)
        labels = [*class_ids[first:], *class_ids[:first]]
        if i < settings.stills:
            name = f'train/ILSVRC2013_train/{labels[0]}/{labels[0]}_{i}'
            det_list.append(f'{name} 1')
        else:
            labels = [OTHER_CLASS]
            name = f'train/ILSVRC2014_train_0000/ILSVRC2014_train_{i:08d}'
        clips.append(_Clip('DET', [name], [settings.seed, 2, i], labels))
    lists = {
        'VID_train_15frames.txt': train_list,
        'VID_val_videos.txt': val_list,
        'DET_train_30classes.txt': det_list,
    }
    return clips, lists


class _Written(NamedTuple):
    """What is told of a clip beside its files, frame by frame."""

    kinds: list[str | None]
    masks: list[list[dict[str, Any]]]


def _sample_and_write(clip: _Clip, root: str, settings: Settings) -> _Written:
    """Write a clip."""
    rng = np.random.default_rng(clip.seed)
    if clip.speed is None:
        scene = sample_scene(settings, rng, still=True)
    else:
        scene = sample_scene(settings, rng, clip.speed)
    classes = itertools.cycle(clip.class_ids)
    labels = list(itertools.islice(classes, len(scene.shapes)))
    masks = _write_clip(root, clip.subset, clip.names, scene, labels)
    return _Written(scene.kinds, masks)


def _generate(root: str, settings: Settings, jobs: int) -> None:
    """Write the data set into the existing folder ``root``."""
    clips, lists = _clips(settings)
    write = functools.partial(_sample_and_write, root=root, settings=settings)
    deterioration: dict[str, list[str | None]] = {}
    masks: dict[str, list[list[dict[str, Any]]]] = {}
    # A process draws with one thread, as there may be one for each core.
    with multiprocessing.Pool(jobs, cv2.setNumThreads, (0,)) as pool, tqdm(
        total=len(clips), desc='tiny_vid', unit='clip', mininterval=1
    ) as progress:
        for clip, written in zip(clips, pool.imap(write, clips, chunksize=8)):
            if clip.subset == 'VID':
                video = osp.dirname(clip.names[0])
                deterioration[video], masks[video] = written
            progress.update()
    for name, lines in lists.items():
        _write_list(root, name, lines)
    with open(osp.join(root, MASKS), 'w') as f:
        json.dump(masks, f)
    with open(osp.join(root, MARKER), 'w') as f:
        json.dump(dict(settings=asdict(settings), deterioration=deterioration), f)


def generate(
    root: str, settings: Settings, overwrite: bool = False, jobs: int = 1
) -> None:
    """Write a data set: all of it or nothing.

    ``root`` gets the folders of ILSVRC2015 and ``tiny_vid.json`` with the
    ``settings`` and ``deterioration``, which holds for each video (named as
    in the lists) and frame the kind of deterioration or null; and ``masks.json``,
    which holds for each video and frame the mask of each object.

    Args:
        root: Folder to create.
        settings: What to generate.
        overwrite: Whether to replace an earlier data set of this generator.
        jobs: Number of processes; whatever it is, the data are the same.

    Raises:
        FileExistsError: ``root`` exists and may not be replaced.
    """
    # It loads torch, for which ``--help`` and processes that only draw need not wait.
    from stpn_plugin.utils import whole_folder

    root = osp.abspath(root)
    if osp.lexists(root):
        if not overwrite:
            raise FileExistsError(f'{root} exists; use --overwrite to replace it')
        if not osp.isfile(osp.join(root, MARKER)):
            raise FileExistsError(
                f'{root} was not made by this generator (no {MARKER} in it); '
                'choose another folder'
            )
    with whole_folder(root, replace=overwrite) as temporary:
        _generate(temporary, settings, jobs)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Generate a small video detection data set in ILSVRC layout',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder to create')
    helps = dict(
        train_videos='training videos',
        val_videos='validation videos',
        frames='frames of each video',
        stills='DET images in the training list',
        extra_stills='DET images in no list, with an object of no VID class',
        width='image width in pixels',
        height='image height in pixels',
        objects='most objects in an image',
        deteriorated='fraction of deteriorated frames in each video',
        seed='seed of everything random',
    )
    for field in fields(Settings):
        parser.add_argument(
            '--' + field.name.replace('_', '-'),
            type=type(field.default),
            default=field.default,
            help=helps[field.name],
        )
    parser.add_argument(
        '--jobs', type=int, default=os.cpu_count() or 1, help='number of processes'
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace an earlier data set of this generator',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = vars(parse_args(argv))
    root, overwrite, jobs = (args.pop(key) for key in ('root', 'overwrite', 'jobs'))
    try:
        generate(root, Settings(**args), overwrite, jobs)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print(f'data set written to {root}')


if __name__ == '__main__':
    main()
