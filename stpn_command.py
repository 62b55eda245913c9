"""The command ``stpn``: all commands of ``stpn_plugin.cli`` by their names.

It stands beside the package, whose import takes seconds: a list of commands, or a
misspelt name, is answered at once.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os.path as osp
import sys
from typing import Sequence

#: Module in ``stpn_plugin.cli`` of each command.
COMMANDS = {
    'train': 'train',
    'test': 'test',
    'eval': 'evaluate',
    'demo': 'demo',
    'check': 'check',
    'init': 'init',
    'convert ilsvrc-vid': 'convert_ilsvrc_vid',
    'convert ilsvrc-det': 'convert_ilsvrc_det',
    'convert cvat-video': 'convert_cvat_video',
    'convert label-studio-video': 'convert_label_studio_video',
    'convert mot': 'convert_mot',
    'convert visdrone': 'convert_visdrone',
    'convert youtube-vis': 'convert_youtube_vis',
    'convert yolo': 'convert_yolo',
    'convert coco': 'convert_coco',
    'convert-checkpoint': 'convert_checkpoint',
    'publish': 'publish',
    'export-results': 'export_results',
    'export': 'export',
    'report': 'report',
    'plot-logs': 'plot_logs',
    'plot-pr': 'plot_pr',
    'plot-confusion': 'plot_confusion',
    'plot-motion-ap': 'plot_motion_ap',
    'errors': 'errors',
    'worst-frames': 'worst_frames',
    'attention': 'attention',
    'compare-prompts': 'compare_prompts',
    'browse': 'browse',
    'count': 'count',
    'bench': 'bench',
    'bench-metric': 'bench_metric',
    'bench-backbone': 'bench_backbone',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Name of the command and its arguments, by default the process's.

    Returns:
        The exit status.

    Raises:
        SystemExit: As the command does.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for count in (2, 1):
        name = ' '.join(words[:count])
        if len(words) >= count and name in COMMANDS:
            module = importlib.import_module(f'stpn_plugin.cli.{COMMANDS[name]}')
            return module.main(words[count:], prog=f'stpn {name}')
    asked = ' '.join(word for word in words[:2] if not word.startswith('-'))
    listed = [name for name in COMMANDS if name.startswith(f'{asked} ')]
    if not asked:
        listed = list(COMMANDS)
    if not listed:
        print(
            f'stpn: error: there is no command {asked!r} (stpn --help lists them)',
            file=sys.stderr,
        )
        return 2
    print('usage: stpn COMMAND ...\n')
    for name in listed:
        print(f'  {name:26} {summary(COMMANDS[name])}')
    print('\nstpn COMMAND --help tells the options of a command.')
    return 0


def summary(module: str) -> str:
    """What a command does: the first line of its module, which is not imported."""
    package = importlib.util.find_spec('stpn_plugin')
    assert package is not None and package.origin is not None
    path = osp.join(osp.dirname(package.origin), 'cli', f'{module}.py')
    with open(path, encoding='utf-8') as file:
        doc = ast.get_docstring(ast.parse(file.read())) or ''
    return doc.split('\n')[0]


if __name__ == '__main__':
    sys.exit(main())
