"""Write the tables of the model pages, the metafiles and the model index.

Sources are the configs of all tasks, whose leading comment tells what they are,
and models.yml beside this script. In a page only the tables are replaced, which stand
between markers:

    <!-- models -->
    <!-- end of models -->

Example:
    $ python .dev_scripts/generate_model_pages.py --check
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / '.dev_scripts/models.yml'
CONFIGS = 'configs'
GENERATED = '# Written by .dev_scripts/generate_model_pages.py.\n'

BACKBONES = {f'_swin-{size.lower()}_': f'Swin-{size}' for size in 'TSBL'}
BACKBONES['_pvtv2-b2_'] = 'PVTv2-B2'
PROMPTS = {
    None: 'none',
    'AttentionPromptPredictor': 'attention',
    'AveragePromptPredictor': 'average',
    'MixerPromptPredictor': 'mixer',
    'DeepPromptPredictor': 'deep',
    'LearnedPrompts': 'learned',
}
# Trackers and segmentors, by the type of the model.
METHODS = {
    'STPNByteTrack': 'ByteTrack',
    'STPNDeepSORT': 'DeepSORT',
    'STPNStrongSORT': 'StrongSORT',
    'STPNQDTrack': 'QDTrack',
    'STPNMaskTrackRCNN': 'MaskTrack R-CNN',
    'STPNMask2Former': 'Mask2Former',
    'STPNMinVIS': 'MinVIS',
}
DETECTORS = {
    'MaskRCNN': 'Mask R-CNN',
    'FasterRCNN': 'Faster R-CNN',
    'RetinaNet': 'RetinaNet',
    'DeformableDETR': 'Deformable DETR',
}


class Model:
    """A config, and what the source says of it.

    Args:
        folder: Folder of the config below ``configs``.
        name: Name of the config without ``.py``.
        facts: Its entry in ``models.yml``.
    """

    def __init__(self, folder: str, name: str, facts: dict[str, Any]) -> None:
        self.name = name
        self.path = f'{CONFIGS}/{folder}/{name}.py'
        self.facts = facts
        self.cfg = Config.fromfile(ROOT / self.path)

    @property
    def comment(self) -> str:
        """What the config's leading comment says."""
        lines = []
        for line in (ROOT / self.path).read_text().splitlines():
            if not line.startswith('#'):
                break
            lines.append(line.lstrip('# '))
        return ' '.join(lines)

    @property
    def schedule(self) -> dict[str, int]:
        """Epochs or iterations of training; nothing if it is for testing."""
        loop = self.cfg.get('train_cfg') or {}
        names = dict(max_epochs='Epochs', max_iters='Iterations')
        return {names[key]: loop[key] for key in names if key in loop}

    @property
    def method(self) -> str | None:
        """Name of the tracker or segmentor."""
        if self.cfg.model.type == 'STPNDeepSORT' and 'reid' not in self.cfg.model:
            return 'SORT'
        return METHODS.get(self.cfg.model.type)

    @property
    def backbone(self) -> str:
        """Name of the backbone."""
        return next(BACKBONES[key] for key in BACKBONES if key in self.name)

    @property
    def prompts(self) -> str:
        """Where its prompts come from."""
        source = self.cfg.model.get('prompt_predictor', {})
        kind = PROMPTS[source.get('type')]
        return f'{kind}, every block' if source.get('deep') else kind

    @property
    def architecture(self) -> list[str]:
        """Its parts, as metafiles name them."""
        parts = ['Swin Transformer' if 'Swin' in self.backbone else 'PVTv2']
        parts += [self.method] if self.method else []
        detector = self.cfg.model.get('detector')
        if detector is None:
            return parts
        if detector.neck.type == 'FPN':
            parts.append('FPN')
        parts.append(DETECTORS[detector.type])
        roi_head = detector.get('roi_head', {})
        if 'Selsa' in roi_head.get('type', ''):
            parts.append('SELSA')
            if 'Temporal' in roi_head.bbox_roi_extractor.type:
                parts.append('Temporal RoI Align')
        return parts

    def entry(self, collection: str) -> dict[str, Any]:
        """Its entry in a metafile."""
        entry: dict[str, Any] = {
            'Name': self.name,
            'In Collection': collection,
            'Config': self.path,
            'Metadata': {
                'Architecture': self.architecture,
                **self.schedule,
                'Parameters': self.facts['parameters'],
            },
        }
        if 'results' in self.facts:
            entry['Results'] = [
                {
                    'Task': 'Video Object Detection',
                    'Dataset': 'ImageNet VID',
                    'Metrics': self.facts['results'],
                }
            ]
            entry['Weights'] = self.facts['weights']
            entry['Code'] = self.facts['code']
        return entry


def table(models: list[Model]) -> str:
    """The table of a model page."""
    first = 'method' if models[0].method else 'backbone'
    rows = [
        f'| {first} | prompts | training | params (M) | config | what it is |',
        '| --- | --- | ---: | ---: | --- | --- |',
    ]
    for model in models:
        count = model.facts['parameters'] / 1e6
        training = [f'{n:,} {unit.lower()}' for unit, n in model.schedule.items()]
        rows.append(
            f'| {model.method or model.backbone} | {model.prompts} '
            f'| {"".join(training) or "none"} | {count:.2f} '
            f'| [config]({Path(model.path).name}) | {model.comment} |'
        )
    return '\n'.join(rows)


def results_table(models: list[Model]) -> str:
    """The table of models with results."""
    rows = [
        '| backbone | prompts | params (M) | config | AP50 | fast | medium | slow '
        '| weights |',
        '| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |',
    ]
    for model in models:
        if 'results' not in model.facts:
            continue
        values = ' | '.join(f'{v}*' for v in model.facts['results'].values())
        rows.append(
            f'| {model.backbone} | {model.prompts} '
            f'| {model.facts["parameters"] / 1e6:.2f} '
            f'| [config]({Path(model.path).name}) | {values} '
            f'| [theirs]({model.facts["weights"]}) |'
        )
    return '\n'.join(rows)


def fill(page: str, marker: str, content: str) -> str:
    """Replace what stands between a pair of markers.

    Raises:
        ValueError: The page does not have the markers.
    """
    begin, end = f'<!-- {marker} -->\n', f'<!-- end of {marker} -->'
    pattern = re.escape(begin) + '.*?' + re.escape(end)
    filled, count = re.subn(
        pattern, lambda _: f'{begin}\n{content}\n\n{end}', page, flags=re.S
    )
    if count != 1:
        raise ValueError(f'{begin.strip()} and {end} should stand in the page once')
    return filled


def metafile(folder: str, section: dict[str, Any], models: list[Model]) -> str:
    """The metafile of a folder."""
    collection = section['collection']
    content = {
        'Collections': [
            {
                'Name': collection,
                'Metadata': {
                    'Training Data': section['data'],
                    'Training Techniques': ['AdamW'],
                    'Training Resources': '8 GPUs',
                    'Architecture': ['Swin Transformer', 'Prompts'],
                },
                'Paper': {
                    'URL': 'https://arxiv.org/abs/2402.02574',
                    'Title': 'Spatio-temporal Prompting Network for Robust Video '
                    'Feature Extraction',
                },
                'README': f'{CONFIGS}/{folder}/README.md',
            }
        ],
        'Models': [model.entry(collection) for model in models],
    }
    return GENERATED + yaml.safe_dump(content, sort_keys=False, width=200)


def generate() -> dict[Path, str]:
    """The content of all files that this script writes.

    Raises:
        ValueError: A config has no entry in the source, or the reverse.
    """
    source = yaml.safe_load(SOURCE.read_text())
    files: dict[Path, str] = {}
    for folder, section in source.items():
        path = ROOT / CONFIGS / folder
        # Those for data of one's own are no models.
        found = {config.stem for config in path.glob('*.py')}
        found = {name for name in found if not name.endswith('_custom')}
        wrong = found ^ set(section['models'])
        if wrong:
            raise ValueError(
                f'configs in {path} and models in {SOURCE} differ: {sorted(wrong)}'
            )
        models = [Model(folder, *item) for item in section['models'].items()]
        page = path / 'README.md'
        text = fill(page.read_text(), 'models', table(models))
        if '<!-- results -->' in text:
            text = fill(text, 'results', results_table(models))
        files[page] = text
        files[path / 'metafile.yml'] = metafile(folder, section, models)
    imports = ''.join(f'  - {CONFIGS}/{folder}/metafile.yml\n' for folder in source)
    files[ROOT / 'model-index.yml'] = f'{GENERATED}Import:\n{imports}'
    return files


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--check', action='store_true', help='write nothing, fail if a file differs'
    )
    args = parser.parse_args(argv)
    stale = [
        (path, text)
        for path, text in generate().items()
        if not path.is_file() or path.read_text() != text
    ]
    for path, text in stale:
        if not args.check:
            path.write_text(text)
        print(f'{"differs" if args.check else "written"}: {path.relative_to(ROOT)}')
    if stale and args.check:
        sys.exit('run .dev_scripts/generate_model_pages.py')


if __name__ == '__main__':
    main()
