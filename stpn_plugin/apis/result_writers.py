"""Write detections of a video, frame by frame, as pictures and tables.

A file gets its name when its writer is closed, with the frames written until
then; before, its name has a ``.part`` in it. So an interrupted run leaves complete
files of the finished part.
"""

from __future__ import annotations

import csv
import json
import os
import os.path as osp
from typing import Dict, List, Optional, Sequence

import cv2
import mmcv
import numpy as np
from matplotlib import rc_context
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import DetLocalVisualizer

CODECS = {'.mp4': 'mp4v', '.mkv': 'mp4v', '.avi': 'MJPG'}


def select_detections(
    result: TrackDataSample,
    score_thr: float = 0.0,
    labels: Optional[Sequence[int]] = None,
) -> TrackDataSample:
    """Select detections by score and class.

    Args:
        result: Result of a frame. It is left as it is.
        score_thr: Lowest score.
        labels: Labels of the wanted classes. Defaults to all.

    Returns:
        The result with the selected detections.
    """
    instances = result.pred_det_instances
    keep = instances.scores >= score_thr
    if labels is not None:
        wanted = np.isin(instances.labels.numpy(), labels)
        keep &= keep.new_tensor(wanted)
    result = result.clone()
    result.pred_det_instances = instances[keep]
    return result


class ResultWriter:
    """Base class; a context manager that closes the writer, also after errors.

    Args:
        path: Path of the file. Missing folders are made.

    Attributes:
        num_frames (int): Number of frames written.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.num_frames = 0
        stem, suffix = osp.splitext(path)
        self._unfinished = f'{stem}.part{suffix}'
        if osp.isdir(path):
            raise IsADirectoryError(f'{path} is a folder, a file is to be written')
        try:
            os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
            with open(self._unfinished, 'w'):
                pass
        except OSError as error:
            raise type(error)(f'{path} cannot be written: {error}') from error

    def write(self, image: np.ndarray, result: TrackDataSample) -> None:
        """Write a frame.

        Args:
            image: The frame (H, W, 3), BGR.
            result: Its detections, with ``frame_id``.
        """
        self._write(image, result)
        self.num_frames += 1

    def close(self) -> None:
        """Complete the file and give it its name. Without frames there is none."""
        self._finish()
        if self.num_frames:
            os.replace(self._unfinished, self.path)
        else:
            os.remove(self._unfinished)

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """Write what follows the frames."""

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class CsvWriter(ResultWriter):
    """Table with a line for each detection.

    Columns: ``frame_id`` (from 0), ``category_id`` (from 1, as in :class:`CocoWriter`),
    ``class``, ``score``, and ``x1``, ``y1``, ``x2``, ``y2`` in pixels.

    Args:
        path: Path of the file.
        classes: Class names.
    """

    def __init__(self, path: str, classes: Sequence[str]) -> None:
        super().__init__(path)
        self.classes = classes
        self._file = open(self._unfinished, 'w', newline='')
        self._table = csv.writer(self._file)
        self._table.writerow(
            ('frame_id', 'category_id', 'class', 'score', 'x1', 'y1', 'x2', 'y2')
        )

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        instances = result.pred_det_instances
        for label, score, bbox in zip(
            instances.labels.tolist(),
            instances.scores.tolist(),
            instances.bboxes.tolist(),
        ):
            numbers = [f'{score:.4f}', *(f'{value:.2f}' for value in bbox)]
            self._table.writerow(
                (result.frame_id, label + 1, self.classes[label], *numbers)
            )

    def _finish(self) -> None:
        self._file.close()


class CocoWriter(ResultWriter):
    """COCO-style JSON, with the detections as annotations that have a ``score``.

    Ids are those of the converted data sets: images and categories count from
    1, ``frame_id`` from 0. Detections are written as they come, so memory does
    not grow with their number.

    Args:
        path: Path of the file.
        classes: Class names.
        video_name: Name of the video.
    """

    def __init__(self, path: str, classes: Sequence[str], video_name: str) -> None:
        super().__init__(path)
        self.video_name = video_name
        self._image: Dict = {}
        self._file_names: List[str] = []
        self._num_detections = 0
        categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
        self._file = open(self._unfinished, 'w')
        self._file.write(f'{{"categories": {json.dumps(categories)},\n"annotations": [')

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        height, width = image.shape[:2]
        self._image = dict(video_id=1, height=height, width=width)
        if result.get('img_path') is not None:
            self._file_names.append(osp.basename(result.img_path))
        instances = result.pred_det_instances
        for label, score, (x1, y1, x2, y2) in zip(
            instances.labels.tolist(),
            instances.scores.tolist(),
            instances.bboxes.tolist(),
        ):
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
            self._file.write(json.dumps(annotation))

    def _finish(self) -> None:
        self._file.write('],\n"images": [')
        for i in range(self.num_frames):
            name = self._file_names[i] if self._file_names else f'{i:06d}'
            image = dict(id=i + 1, frame_id=i, file_name=name, **self._image)
            self._file.write((',\n' if i else '\n') + json.dumps(image))
        videos = [dict(id=1, name=self.video_name)]
        self._file.write(f'],\n"videos": {json.dumps(videos)}}}\n')
        self._file.close()


class VideoWriter(ResultWriter):
    """Video of the frames that it is given.

    Args:
        path: Path of the file, ending with one of :data:`CODECS`.
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
        self._fourcc = cv2.VideoWriter.fourcc(*CODECS[suffix])
        self._video: Optional[cv2.VideoWriter] = None

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        if self._video is None:
            height, width = image.shape[:2]
            self._video = cv2.VideoWriter(
                self._unfinished, self._fourcc, self.fps, (width, height)
            )
            if not self._video.isOpened():
                raise OSError(f'OpenCV cannot write the video {self.path}')
        self._video.write(image)

    def _finish(self) -> None:
        if self._video is not None:
            self._video.release()


class FrameWriter(ResultWriter):
    """Folder of the frames that it is given: ``000000.jpg`` and so on.

    Args:
        path: The folder.

    Raises:
        OSError: It cannot be written to.
    """

    def __init__(self, path: str) -> None:
        super().__init__(osp.join(path, 'frame.jpg'))
        os.remove(self._unfinished)

    def _write(self, image: np.ndarray, result: TrackDataSample) -> None:
        mmcv.imwrite(image, self._unfinished)
        folder = osp.dirname(self.path)
        os.replace(self._unfinished, osp.join(folder, f'{result.frame_id:06d}.jpg'))

    def close(self) -> None:
        """Nothing is left to do: each file is complete."""


class DetectionDrawer(DetLocalVisualizer):
    """Draws detections into frames.

    Args:
        classes: Class names.
        name: Name of the visualizer.
    """

    def __init__(self, classes: Sequence[str], name: str = 'detections') -> None:
        super().__init__(name)
        self.dataset_meta = dict(CLASSES=classes)

    def draw(self, image: np.ndarray, result: TrackDataSample) -> np.ndarray:
        """Draw all detections of a frame.

        Args:
            image: The frame (H, W, 3), BGR. It is left as it is.
            result: Its detections.

        Returns:
            The picture (H, W, 3), BGR.
        """
        # Half the time of `add_datasample`, which renders the picture once more.
        with rc_context({'text.parse_math': False}):  # names of classes are no formulas
            picture = self._draw_instances(
                mmcv.bgr2rgb(image),
                result.pred_det_instances,
                self.dataset_meta['CLASSES'],
                palette=None,
            )
        return mmcv.rgb2bgr(picture)
