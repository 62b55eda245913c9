"""What was found in a frame, in forms that people and other libraries like."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from html import escape
from typing import Any, Iterable, Iterator, Sequence, Tuple

import cv2
import numpy as np
from mmtrack.structures import TrackDataSample

from ..evaluation.exports.libraries import supervision_detections
from .result_writers import DetectionDrawer, found_objects, select_detections
from .video_io import Frame, load_frame

_SHOWN_FROM = 0.3  # lowest score in pictures, that of the command ``stpn demo``
_DRAWERS = lru_cache(maxsize=4)(DetectionDrawer)


Pair = Tuple[np.ndarray, 'VideoResult']  # image (H, W, 3), BGR, and what is in it


class VideoResult(TrackDataSample):
    """Objects in a frame: a ``TrackDataSample`` that also knows their names.

    It has ``pred_track_instances`` only if the model tracks.
    """

    @classmethod
    def of(cls, sample: TrackDataSample, classes: Sequence[str]) -> VideoResult:
        """Take over a sample, which is left as it is.

        Args:
            sample: What a model predicts for a frame.
            classes: Class names in the order of the labels.
        """
        result = cls(metainfo={**dict(sample.metainfo_items()), 'classes': classes})
        result.set_data(dict(sample.items()))
        tracks = result.get('pred_track_instances')
        if tracks is not None and 'instances_id' not in tracks:
            del result.pred_track_instances  # the detections, a second time
        return result

    def with_image(self, image: np.ndarray) -> VideoResult:
        """Keep the frame (H, W, 3), BGR, to be drawn into; returns itself."""
        self.set_field(image, 'image')
        return self

    @property
    def names(self) -> list[str]:
        """The class of each object."""
        return [item['name'] for item in self.objects]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Plain data of each object.

        ``name``, ``label``, ``score``, ``box`` (x1, y1, x2, y2 in pixels), and
        ``track_id`` if the model tracks.
        """
        found = found_objects(self)
        classes = self.get('classes') or ()
        columns = dict(label=found.labels, score=found.scores, box=found.bboxes)
        if 'instances_id' in found:
            columns['track_id'] = found.instances_id
        rows = zip(*(column.tolist() for column in columns.values()))
        items = [dict(zip(columns, row)) for row in rows]
        return [
            dict(name=classes[item['label']] if classes else str(item['label']), **item)
            for item in items
        ]

    def to_dict(self) -> dict[str, Any]:
        """All fields, and :attr:`objects`.

        Evaluators call it. They find tensors in ``pred_det_instances``; ``objects`` is
        plain data. The image is left out.
        """
        fields = super().to_dict()
        fields.pop('image', None)
        return dict(fields, objects=self.objects)

    def to_json(self) -> str:
        """``frame_id`` and :attr:`objects` as JSON."""
        return json.dumps(dict(frame_id=self.get('frame_id'), objects=self.objects))

    def to_supervision(self) -> Any:
        """``supervision.Detections``, whose data has ``class_name``.

        Raises:
            MissingPackageError: supervision is not installed.
        """
        found = found_objects(self)
        return supervision_detections(
            found.bboxes,
            found.scores,
            found.labels,
            self.names,
            found.get('instances_id'),
            found.get('masks'),
        )

    def plot(
        self, image: np.ndarray | None = None, score_thr: float = _SHOWN_FROM
    ) -> np.ndarray:
        """Draw the objects into the frame.

        Args:
            image: The frame (H, W, 3), BGR. By default that of the result, which a
                single image and ``with_frames=True`` give, or its file.
            score_thr: Lowest score.

        Returns:
            The picture (H, W, 3), BGR.

        Raises:
            ValueError: There is no image.
            VideoError: The file cannot be read any more.
        """
        if image is None:
            image = self._find_image()
        if image is None:
            raise ValueError(
                'the result has no image: give plot() the frame, or detect with '
                'with_frames=True'
            )
        drawer = _DRAWERS(tuple(self.get('classes') or ()))
        return drawer.draw(image, select_detections(self, score_thr))

    def _find_image(self) -> np.ndarray | None:
        image, path = self.get('image'), self.get('img_path')
        if image is None and path is not None:
            return load_frame(path, self.frame_id).image
        return image

    def _repr_html_(self) -> str:
        """Picture and table, in notebooks."""
        parts = []
        if self._find_image() is not None:
            _, content = cv2.imencode('.jpg', self.plot())
            text = base64.b64encode(content.tobytes()).decode()
            parts.append(
                f'<img style="max-width: 100%" src="data:image/jpeg;base64,{text}">'
            )
        shown = [item for item in self.objects if item['score'] >= _SHOWN_FROM]
        columns = ['name', 'score', 'box']
        if any('track_id' in item for item in shown):
            columns.append('track_id')
        rows = [
            ''.join(f'<td>{escape(_text(item[key]))}</td>' for key in columns)
            for item in shown
        ]
        head = ''.join(f'<th>{key}</th>' for key in columns)
        table = ''.join(f'<tr>{row}</tr>' for row in (head, *rows))
        parts.append(
            f'<p>frame {self.get("frame_id", 0)}: {len(shown)} objects with a score of '
            f'{100 * _SHOWN_FROM:g} % or more, of {len(self.objects)}</p>'
            f'<table>{table}</table>'
        )
        return ''.join(parts)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ', '.join(f'{number:.0f}' for number in value)
    return f'{100 * value:.1f} %' if isinstance(value, float) else str(value)


def pairs_or_results(
    pairs: Iterable[tuple[Frame, VideoResult]], with_frames: bool
) -> Iterator[VideoResult] | Iterator[Pair]:
    """Results of frames, with their images if wanted.

    Args:
        pairs: Frames and their results.
        with_frames: Whether to give the images, too; results keep theirs then.
    """
    if with_frames:
        return (
            (frame.image, result.with_image(frame.image)) for frame, result in pairs
        )
    return (result for _, result in pairs)
