"""What a conversion tells: what is wrong with the input and what was converted."""

from __future__ import annotations

import logging
from collections import Counter
from enum import Enum
from typing import Counter as CounterType
from typing import Iterable, NamedTuple

from ...utils import text_table

logger = logging.getLogger(__name__)


class ConversionError(ValueError):
    """The input cannot be converted."""


class ProblemKind(Enum):
    """Kinds of faulty input, and what becomes of it unless conversion is strict."""

    #: A line of a list is malformed, names an image twice or a frame that the video
    #: does not have. The line is left out.
    LIST_LINE = 'malformed or repeated list line'
    #: A list gives no number of frames for a video: its XML files tell it. Or it gives
    #: several, or less than there are XML files: the first number counts.
    FRAME_COUNT = 'unknown or contradictory frame count'
    #: See `MALFORMED_XML`. A video without a folder is left out.
    MISSING_XML = 'missing or unreadable XML file'
    #: A video frame stays, without objects and with the size of the video's other
    #: frames, because frames are found by their number. A DET image is left out.
    MALFORMED_XML = 'malformed XML file'
    #: An object without class or box is left out. One without track id is an instance
    #: of its own; without occluded or generated flag it is neither.
    FIELD = 'missing or malformed field of an object'
    #: A video frame of missing or impossible size gets the size of the video's other
    #: frames (without any, the video is left out); one that differs from them keeps
    #: its own. A DET image of missing or impossible size is left out.
    SIZE = 'missing or wrong image size'
    #: The box is clipped to the image, and left out if nothing remains.
    BOX_OUTSIDE = 'box out of the image'
    #: A box without width or height is left out.
    BOX_EMPTY = 'empty box'


class Problem(NamedTuple):
    """One fault of the input.

    Attributes:
        kind: Kind of the fault.
        path: File or folder with the fault.
        detail: What is wrong there and, unless obvious, what is done about it.
    """

    kind: ProblemKind
    path: str
    detail: str

    def __str__(self) -> str:
        return f'{self.path}: {self.detail}'


class Report:
    """Counts of what went into one CocoVID file, and of what was wrong.

    Args:
        path: Path of the CocoVID file.
        categories: The categories of the file.
        strict: Whether to raise at the first problem.

    Attributes:
        problems: Number of problems of every kind.
        totals: Number of videos, images, ... in the file.
    """

    def __init__(self, path: str, categories: list[dict], strict: bool) -> None:
        self.path = path
        self.strict = strict
        self.categories = categories
        self.problems: CounterType[ProblemKind] = Counter()
        self.totals: CounterType[str] = Counter()
        self._images: CounterType[int] = Counter()
        self._boxes: CounterType[int] = Counter()
        self._instances: CounterType[int] = Counter()

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Log and count problems.

        Raises:
            ConversionError: If there is one and conversion is strict.
        """
        for problem in problems:
            if self.strict:
                raise ConversionError(str(problem))
            logger.warning('%s', problem)
            self.problems[problem.kind] += 1

    def add_image(self, category_ids: list[int], is_train_frame: bool) -> None:
        """Count an image and its boxes, given by their categories."""
        self.totals['images'] += 1
        self.totals['training images'] += is_train_frame
        self.totals['images without boxes'] += not category_ids
        self.totals['boxes'] += len(category_ids)
        self._boxes.update(category_ids)
        self._images.update(set(category_ids))

    def add_video(self, category_ids: list[int]) -> None:
        """Count a video and its instances, given by their categories."""
        self.totals['videos'] += 1
        self.totals['instances'] += len(category_ids)
        self._instances.update(category_ids)

    def summary(self) -> str:
        """Describe the file: a table of its classes, totals, and problems by kind."""
        columns = dict(images=self._images, boxes=self._boxes)
        if 'instances' in self.totals:
            columns['instances'] = self._instances
        rows = [['class', *columns]]
        for category in self.categories:
            counts = [f'{column[category["id"]]:,}' for column in columns.values()]
            rows.append([category['name'], *counts])
        lines = [f'{self.path}:', text_table(rows)]
        lines += [f'{what}: {n:,}' for what, n in self.totals.items()]
        lines.append(f'problems: {sum(self.problems.values()):,}')
        lines += [f'  {kind.value}: {n:,}' for kind, n in self.problems.items()]
        return '\n'.join(lines)
