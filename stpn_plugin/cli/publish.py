"""Publish a checkpoint: as a folder with config and model card, or as a small .pth.

With -o it writes model.safetensors, config.py, config.json and README.md, a model card,
in the layout of Hugging Face's Hub. Released checkpoints of the STPN authors are
converted; give the --config that they are of.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..builders import load_config
from ..utils import read_json
from ..weights import publish_checkpoint, publish_folder
from .command import BaseOptions, Command, argument, flag, option


@dataclass
class Options(BaseOptions):
    """What to publish."""

    source: str = argument('checkpoint that training wrote, or a released one')
    target: str | None = argument(
        'e.g. stpn.pth, which gives stpn-<start of SHA-256>.pth',
        nargs='?',
        output=True,
    )
    output: str | None = option(
        'folder to write instead, which does not exist yet',
        flags=('-o', '--output'),
        metavar='FOLDER',
        output=True,
    )
    config: str | None = option(
        'config of the model, default: the one that training put into the checkpoint'
    )
    half: bool = flag('write half precision, of half the size')
    license: str | None = option('licence for the model card, e.g. apache-2.0')
    metrics: str | None = option(
        'scores for the model card, as stpn eval --out writes them', metavar='FILE.json'
    )
    description: str | None = option(
        'what the model is for, for the model card', metavar='TEXT'
    )


def run(options: Options) -> None:
    """Publish.

    Raises:
        ValueError: There is not one output, or an option is for the other one.
    """
    source, folder = options.source, options.output
    if (options.target is None) == (folder is None):
        raise ValueError('give either -o FOLDER, or the name of a .pth file')
    if folder is None:
        defaults = Options(source=source, target=options.target, debug=options.debug)
        if options != defaults:
            raise ValueError('all options but the name of the .pth file are for -o')
        print(f'Written to {publish_checkpoint(source, str(options.target))}')
        return
    metrics = read_json(options.metrics) if options.metrics else {}
    if not isinstance(metrics, dict) or not all(
        isinstance(value, (int, float, type(None))) for value in metrics.values()
    ):
        raise ValueError(f'{options.metrics} holds no scores by name')
    config = load_config(options.config) if options.config else None
    written = publish_folder(
        source,
        folder,
        config,
        options.half,
        options.license,
        {key: value for key, value in metrics.items() if value is not None},
        options.description,
    )
    print(f'Written to {folder}: {written}')


main = Command(__doc__, Options, run)
