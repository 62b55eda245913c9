"""What the command lines of the converters share."""

from __future__ import annotations

import argparse
import logging
import os
from typing import Callable, List, Optional, Sequence

from tqdm.contrib.logging import logging_redirect_tqdm

from .report import ConversionError, Report


def run_converter(
    convert: Callable[..., List[Report]],
    description: Optional[str],
    argv: Optional[Sequence[str]] = None,
) -> str:
    """Run a converter as the command line says.

    Args:
        convert (Callable): :func:`convert_vid` or :func:`convert_det`.
        description (str, optional): What the command does.
        argv (Sequence[str], optional): Arguments, by default those of the process.

    Returns:
        str: Summary of the files that were written.

    Raises:
        SystemExit: With status 1 if the input cannot be converted, with 2 if the
            arguments are wrong.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        '-i', '--input', required=True, help='root of ILSVRC, e.g. ./data/ILSVRC'
    )
    parser.add_argument(
        '-o',
        '--output',
        required=True,
        help='folder of the converted files, e.g. ./data/ILSVRC/annotations',
    )
    parser.add_argument(
        '--strict',
        action='store_true',
        help='stop at the first problem of the input, such as a malformed XML file; '
        'by default problems are reported and counted',
    )
    parser.add_argument(
        '-j',
        '--jobs',
        type=_positive,
        default=os.cpu_count() or 1,
        help='number of processes, default: one a CPU',
    )
    args = parser.parse_args(argv)
    logging.basicConfig(format='%(levelname)s: %(message)s')
    try:
        with logging_redirect_tqdm():
            reports = convert(args.input, args.output, args.strict, args.jobs)
    except (ConversionError, OSError) as error:
        parser.exit(1, f'{parser.prog}: error: {error}\n')
    return '\n\n'.join(report.summary() for report in reports)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{number} is not positive')
    return number
