"""Write detections of a video, frame by frame, as pictures and tables.

A file gets its name when its writer is closed; before, its name has a ``.part`` in it.
So a video that ends early, or a user who stops the work, leaves complete files of the
finished part. Any other error, such as a full disk, leaves what was there before.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import os.path as osp
import re
import signal
import threading
from types import TracebackType
from typing import Any, Iterator, Sequence

import cv2
import mmcv
import numpy as np
from matplotlib import rc_context
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import DetLocalVisualizer, TrackLocalVisualizer

from ..utils import WholeFile, check_writable, whole_path
from .video_encoders import CODECS, Encoder, open_encoder
from .video_io import VideoError


def found_objects(result: TrackDataSample) -> InstanceData:
    """What was found in a frame: tracks if the model tracks, else detections.

    Args:
        result: Result of a frame.

    Returns:
        ``bboxes`` (n, 4), ``scores`` (n,) and ``labels`` (n,); of tracks also
        ``instances_id`` (n,), and ``masks`` (n, H, W) if they are segmented.
    """
    tracks = result.get('pred_track_instances')
    if tracks is not None and 'instances_id' in tracks:
        return tracks
    return result.pred_det_instances


def select_detections(
    result: TrackDataSample,
    score_thr: float = 0.0,
    labels: Sequence[int] | None = None,
) -> TrackDataSample:
    """Select detections, or tracks, by score and class.

    Args:
        result: Result of a frame. It is left as it is.
        score_thr: Lowest score.
        labels: Labels of the wanted classes. Defaults to all.

    Returns:
        The result with the selected detections.
    """
    instances = found_objects(result)
    keep = instances.scores >= score_thr
    if labels is not None:
        wanted = np.isin(instances.labels.numpy(), labels)
        keep &= keep.new_tensor(wanted)
    group = (
        'pred_track_instances' if 'instances_id' in instances else 'pred_det_instances'
    )
    result = result.clone()
    result.set_data({group: instances[keep]})
    return result


class ResultWriter:
    """Base class; a context manager that closes or discards what was written.

    Leaving the context closes the writer, also if the video cannot be read to its
    end (:class:`VideoError`) or the user stops the work (``KeyboardInterrupt``). Any
    other error discards it.

    Args:
        path: Path of the file or folder.

    Attributes:
        num_frames: Number of frames written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.num_frames = 0
        self._has_failed = False

    def write(self, image: np.ndarray, result: TrackDataSample) -> None:
        """Write a frame, whole: Ctrl-C waits until it is written.

        Args:
            image: The frame (H, W, 3), BGR.
            result: Its detections, with ``frame_id``.

        Raises:
            OSError: It cannot be written. Closing then discards the file.
        """
        with _interrupts_waiting():
            try:
                self._write(image, result)
            except BaseException:
                self._has_failed = True
                raise
            self.num_frames += 1

    def close(self) -> None:
        """Complete what was written and give it its name.

        Without frames there is none, as after a frame that could not be written.

        Raises:
            OSError: It cannot be completed. It is discarded.
        """
        if self._has_failed or not self.num_frames:
            self.discard()
            return
        try:
            self._keep()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written; what was there before stays."""
        raise NotImplementedError

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        raise NotImplementedError

    def _keep(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, (VideoError, KeyboardInterrupt)):
            self.close()
        else:
            self.discard()


class FileWriter(ResultWriter):
    """Base class of those that write one file.

    Args:
        path: Path of the file. Missing folders are made.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._unfinished = WholeFile(path)

    def write(self, image: np.ndarray, result: TrackDataSample) -> None:
        """Write a frame; see :meth:`ResultWriter.write`."""
        try:
            super().write(image, result)
        except OSError as error:
            raise self._unfinished.write_error(error) from error

    def discard(self) -> None:
        """Remove what was written; what was there before stays."""
        with contextlib.suppress(OSError):  # it goes anyway
            self._close()
        self._unfinished.discard()

    def _keep(self) -> None:
        try:
            self._finish()
            self._close()
        except OSError as error:
            raise self._unfinished.write_error(error) from error
        self._check()
        self._unfinished.keep()

    def _finish(self) -> None:
        """Write what follows the frames."""

    def _close(self) -> None:
        raise NotImplementedError

    def _check(self) -> None:
        """Raise an OSError unless the file holds what was written."""


class TextWriter(FileWriter):
    """Base class of those that write one text file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._file = open(self._unfinished.temporary, 'w', encoding='utf-8', newline='')

    def _close(self) -> None:
        self._file.close()


class CsvWriter(TextWriter):
    """Table with a line for each detection.

    Columns: ``video``, ``frame_id`` (from 0), ``time`` in seconds, empty if no ``fps``
    is known, ``category_id`` (from 1, as in :class:`CocoWriter`), ``class``, ``score``,
    ``x1``, ``y1``, ``x2``, ``y2`` in pixels, and ``track_id``, empty if the model does
    not track.

    Args:
        path: Path of the file.
        classes: Class names.
        video_name: Name of the video.
        fps: Frames per second of the video, which give the time.
    """

    def __init__(
        self,
        path: str,
        classes: Sequence[str],
        video_name: str = '',
        fps: float | None = None,
    ) -> None:
        super().__init__(path)
        self.classes = classes
        self.video_name = video_name
        self.fps = fps
        self._table = csv.writer(self._file)
        self._table.writerow(
            [
                *('video', 'frame_id', 'time', 'category_id', 'class', 'score'),
                *('x1', 'y1', 'x2', 'y2', 'track_id'),
            ]
        )

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        time = f'{result.frame_id / self.fps:.3f}' if self.fps else ''
        place = self.video_name, result.frame_id, time
        for label, score, bbox, track_id in _rows(found_objects(result)):
            numbers = [f'{score:.4f}', *(f'{value:.2f}' for value in bbox)]
            name = self.classes[label]
            self._table.writerow((*place, label + 1, name, *numbers, track_id))


class MotWriter(TextWriter):
    """Tracks in the text format of the MOT challenge.

    A line for each: frame (from 1), track id, left, top, width and height of the
    box, score, and three times -1.

    Args:
        path: Path of the file.
    """

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        tracks = found_objects(result)
        if 'instances_id' not in tracks:
            raise ValueError(
                f'{self.path}: the results have no track ids, which the MOT format '
                'needs; use a tracker, such as the configs in configs/mot'
            )
        for _, score, (x1, y1, x2, y2), track_id in _rows(tracks):
            box = f'{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}'
            self._file.write(
                f'{result.frame_id + 1},{track_id},{box},{score:.4f},-1,-1,-1\n'
            )


class CocoWriter(TextWriter):
    """COCO-style JSON, with the detections as annotations that have a ``score``.

    Ids are those of the converted data sets: images and categories count from
    1, ``frame_id`` from 0. Tracks have an ``instance_id``. Detections are written
    as they come, so memory does not grow with their number.

    Args:
        path: Path of the file.
        classes: Class names.
        video_name: Name of the video.
    """

    def __init__(self, path: str, classes: Sequence[str], video_name: str) -> None:
        super().__init__(path)
        self.video_name = video_name
        self._image: dict = {}
        self._file_names: list[str] = []
        self._num_detections = 0
        categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
        self._file.write(f'{{"categories": {json.dumps(categories)},\n"annotations": [')

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        height, width = image.shape[:2]
        self._image = dict(video_id=1, height=height, width=width)
        if result.get('img_path') is not None:
            self._file_names.append(osp.basename(result.img_path))
        rows = _rows(found_objects(result))
        for label, score, (x1, y1, x2, y2), track_id in rows:
            self._file.write(',\n' if self._num_detections else '\n')
            self._num_detections += 1
            annotation = dict(
                id=self._num_detections,
                image_id=result.frame_id + 1,
                video_id=1,
                category_id=label + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=False,
                score=score,
            )
            if track_id != '':
                annotation['instance_id'] = track_id
            self._file.write(json.dumps(annotation))

    def _finish(self) -> None:
        self._file.write('],\n"images": [')
        for i in range(self.num_frames):
            name = self._file_names[i] if self._file_names else f'{i:06d}'
            image = dict(id=i + 1, frame_id=i, file_name=name, **self._image)
            self._file.write((',\n' if i else '\n') + json.dumps(image))
        videos = [dict(id=1, name=self.video_name)]
        self._file.write(f'],\n"videos": {json.dumps(videos)}}}\n')


class VideoWriter(FileWriter):
    """Video of the frames that it is given, in H.264 or VP9 if it is .mp4 or .webm.

    OpenCV tells of no error while it writes. So the finished file is read, and has to
    hold all frames.

    Args:
        path: Path of the file, ending with .mp4, .webm, .mkv or .avi.
        fps: Frames per second.

    Raises:
        ValueError: The file's ending is another.
    """

    def __init__(self, path: str, fps: float) -> None:
        suffix = osp.splitext(path)[1].lower()
        if suffix not in CODECS:
            raise ValueError(
                f'{path}: the name of a video must end with {", ".join(CODECS)}'
            )
        super().__init__(path)
        self.fps = fps
        self._video: Encoder | None = None

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        if self._video is None:
            height, width = image.shape[:2]
            self._video = open_encoder(
                self._unfinished.temporary, self.fps, (width, height)
            )
        self._video.write(image)

    def _close(self) -> None:
        if self._video is not None:
            self._video.release()

    def _check(self) -> None:
        found = _count_frames(self._unfinished.temporary)
        if found != self.num_frames:
            raise OSError(
                f'{self.path} cannot be written: of {self.num_frames} frames {found} '
                'can be read back; is the disk full, or were they of several sizes?'
            )


def _rows(instances: InstanceData) -> Iterator[tuple]:
    """Label, score, box and track id of each object; '' where there is no track."""
    labels = instances.labels.tolist()
    ids = instances['instances_id'].tolist() if 'instances_id' in instances else None
    return zip(
        labels,
        instances.scores.tolist(),
        instances.bboxes.tolist(),
        ids or [''] * len(labels),
    )


def _count_frames(path: str) -> int:
    """Number of frames that can be decoded."""
    capture = cv2.VideoCapture(path)
    count = 0
    try:
        while capture.grab():
            count += 1
    finally:
        capture.release()
    return count


class FrameWriter(ResultWriter):
    """Folder of the frames that it is given: ``000000.jpg`` and so on.

    Each frame has its name as soon as it is complete.

    Args:
        path: The folder. It is made if it is missing.

    Raises:
        FileExistsError: It holds such frames already, which those of another video
            would mix with.
        OSError: It cannot be written to.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        check_writable(osp.join(path, '000000.jpg'))
        if any(re.fullmatch(r'\d{6,}\.jpg', name) for name in os.listdir(path)):
            raise FileExistsError(
                f'{path} holds frames already, and those of two videos would mix: '
                'remove them, or give another folder'
            )
        self._written: list[str] = []

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        path = osp.join(self.path, f'{result.frame_id:06d}.jpg')
        with whole_path(path) as temporary:
            mmcv.imwrite(image, temporary)
        self._written.append(path)

    def _keep(self) -> None:
        """Nothing is left to do: each frame is complete."""

    def discard(self) -> None:
        """Remove the frames that were written."""
        for path in self._written:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)


@contextlib.contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Let Ctrl-C wait until the context is left."""
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(handler):
        yield  # then nothing interrupts
        return
    received: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *args: received.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received:
        handler(*received[0])


class _LabelsBeside:
    """Writes labels above boxes, not over the objects in them, where there is room.

    A mix-in of visualizers, which ask for labels inside, at the upper left.
    """

    line_width: float
    width: int
    height: int

    def draw_texts(
        self, texts: Any, positions: Any, font_sizes: Any = 13, **look: Any
    ) -> Any:
        """Draw one label; arguments as for mmengine's visualizer."""
        x, y = (float(place) for place in positions)
        lines = str(texts).split('\n')
        size = font_sizes * 100 / 72  # in pixels, of which an inch has 100
        above = y - 2 * self.line_width
        if above >= 1.3 * size * len(lines):
            y, look['vertical_alignments'] = above, 'bottom'
        # A letter is about 0.6 times as wide as high.
        x = max(0.0, min(x, self.width - 0.6 * size * max(map(len, lines))))
        return super().draw_texts(  # type: ignore[misc]
            texts, np.array([x, y]), font_sizes, **look
        )


class _TrackDrawer(_LabelsBeside, TrackLocalVisualizer):
    """Draws tracks."""


class DetectionDrawer(_LabelsBeside, DetLocalVisualizer):
    """Draws detections into frames; tracks each in a colour of its own.

    Args:
        classes: Class names.
        name: Name of the visualizer.
    """

    def __init__(self, classes: Sequence[str], name: str = 'detections') -> None:
        super().__init__(name)
        self.dataset_meta = dict(CLASSES=classes)
        self._tracks = _TrackDrawer(f'{name} of tracks')
        self._tracks.dataset_meta = self.dataset_meta

    def draw(self, image: np.ndarray, result: TrackDataSample) -> np.ndarray:
        """Draw all detections of a frame.

        Args:
            image: The frame (H, W, 3), BGR. It is left as it is.
            result: Its detections.

        Returns:
            The picture (H, W, 3), BGR.
        """
        objects = found_objects(result)
        image = mmcv.bgr2rgb(image)
        # Half the time of `add_datasample`, which renders the picture once more.
        with rc_context({'text.parse_math': False}):  # names of classes are no formulas
            if 'instances_id' in objects:
                state = np.random.get_state()  # its colours are drawn with fixed seeds
                picture = self._tracks._draw_instances(image, objects)
                np.random.set_state(state)
            else:
                picture = self._draw_instances(
                    image, objects, self.dataset_meta['CLASSES'], palette=None
                )
        return mmcv.rgb2bgr(picture)
