"""What was found in a video, in short."""

from __future__ import annotations

import time
from collections import Counter
from typing import Sequence

from mmtrack.structures import TrackDataSample

from ..apis import found_objects
from ..utils import text_table


class Summary:
    """Counts frames, objects and tracks, and the time that they took.

    Args:
        classes: Class names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self._start = time.perf_counter()
        self._num_frames = 0
        self._objects: Counter[int] = Counter()
        self._tracks: set[tuple[int, int]] | None = None

    def add(self, result: TrackDataSample) -> None:
        """Count what was found in a frame."""
        self._num_frames += 1
        objects = found_objects(result)
        labels = objects.labels.tolist()
        self._objects.update(labels)
        if 'instances_id' in objects:
            pairs = zip(labels, objects.instances_id.tolist())
            self._tracks = (self._tracks or set()).union(pairs)

    def text(self, name: str, outputs: Sequence[str]) -> str:
        """The summary.

        Args:
            name: Name of the video.
            outputs: Files and folders that were written.
        """
        rate = self._num_frames / max(time.perf_counter() - self._start, 1e-9)
        lines = [f'{name}: {self._num_frames:,} frames, {rate:.1f} frames/s']
        if self._objects:
            head = ['class', 'objects']
            tracks = Counter(label for label, _ in self._tracks or ())
            rows = [
                [self.classes[label], f'{number:,}', f'{tracks[label]:,}']
                for label, number in self._objects.most_common()
            ]
            if self._tracks is None:
                rows = [row[:2] for row in rows]
            else:
                head.append('tracks')
            lines.append(text_table([head, *rows]))
        else:
            lines.append('no objects were found; a lower --score-thr shows more')
        if outputs and self._num_frames:
            lines.append(f'written: {", ".join(outputs)}')
        return '\n'.join(lines)
