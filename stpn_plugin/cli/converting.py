"""Options of the converters of ILSVRC, and what they mean."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Callable

from tqdm.contrib.logging import logging_redirect_tqdm

from ..datasets.converters import Report
from .command import BaseOptions, flag, option
from .values import positive


@dataclass
class ConverterOptions(BaseOptions):
    """What to convert, and how."""

    input: str = option(
        'root of ILSVRC, e.g. ./data/ILSVRC', flags=('-i', '--input'), required=True
    )
    output: str = option(
        'folder of the converted files, e.g. ./data/ILSVRC/annotations',
        flags=('-o', '--output'),
        required=True,
    )
    strict: bool = flag(
        'stop at the first problem of the input, such as a malformed XML file; by '
        'default problems are reported and counted'
    )
    jobs: int = option(
        'number of processes, default: one a CPU',
        default=os.cpu_count() or 1,
        flags=('-j', '--jobs'),
        type=positive,
    )

    def convert(self, convert: Callable[[str, str, bool, int], list[Report]]) -> None:
        """Convert, and print a summary of the files that were written.

        Raises:
            ConversionError: The input cannot be converted.
            OSError: A file cannot be read or written.
        """
        logging.basicConfig(format='%(levelname)s: %(message)s')
        with logging_redirect_tqdm():
            reports = convert(self.input, self.output, self.strict, self.jobs)
        print('\n\n'.join(report.summary() for report in reports))
