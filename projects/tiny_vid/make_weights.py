"""Train the demo's single-frame detector and pack its weights into the repository.

The first two stages of ``make demo-full`` and :func:`projects.tiny_vid.weights.pack`.

Example:
    $ python -m projects.tiny_vid.make_weights
"""

from __future__ import annotations

import argparse
from typing import Sequence

from projects.tiny_vid import demo
from projects.tiny_vid.weights import FOLDER, pack


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.make_weights',
        description=__doc__.split('\n')[0],
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/tiny_vid_weights',
        help='folder for checkpoints and logs, default: %(default)s',
    )
    parser.add_argument(
        '--out-dir', default=FOLDER, help='where to write, default: %(default)s'
    )
    args = parser.parse_args(argv)
    demo.run([*demo.data_stages(), *demo.detector_stages(args.work_dir)])
    for path in pack(demo.detector_checkpoint(args.work_dir), args.out_dir):
        print(path)


if __name__ == '__main__':
    main()
