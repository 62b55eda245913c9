"""Ways in which command lines are wrong, of every command and each of its options.

Each command has a whole use, to which :mod:`tests.support.misuse_inputs` has the
inputs. A misuse differs from it in one place: an option is left out, misspelt or has a
value that is not of its kind, an entry of the config is changed, or options do not go
together. Kinds follow from the types of options or from their names, so an option that
is added gets its misuses, or :func:`misuses` fails.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import shlex
from typing import Any, Iterator, NamedTuple, Sequence

import stpn_command
from tests.support.commands import ROOT
from tests.support.misuse_inputs import (
    CONFIGS,
    VAL,
    WRONG,
    WRONG_CHECKPOINTS,
    WRONG_JSON,
    WRONG_NPZ,
    WRONG_RESULTS,
)


class Misuse(NamedTuple):
    """A command line that is wrong.

    Attributes:
        command: Name of the command of ``stpn``.
        words: The rest of the command line.
        what: What is wrong.
        named: Of these, the error has to name one.
        works: Whether it has a meaning all the same.
        tool: Program of ``tools`` to run instead of ``stpn``.
    """

    command: str
    words: tuple[str, ...]
    what: str
    named: tuple[str, ...] = ()
    works: bool = False
    tool: str | None = None

    def __str__(self) -> str:
        """The command line, as a shell takes it."""
        start = ['stpn', *self.command.split()] if self.tool is None else [self.tool]
        return shlex.join([*start, *self.words])


class Wrong(NamedTuple):
    """A wrong value of an option.

    Attributes:
        words: What is given.
        what: What is wrong with it.
        named: What the error may name beside the option and the words.
    """

    words: tuple[str, ...]
    what: str
    named: tuple[str, ...] = ()


# --- whole uses

_RUNS = dict(config='c.py', results='r.npz')
_VIDEO = dict(config='c.py', checkpoint='c.pth', device='cpu', number='1')
_SET = dict(output='new/set.json')
_BOTH = dict(images='images', **_SET)

#: The fields of a whole use of each command.
WHOLE: dict[str, dict[str, str]] = {
    'train': dict(config='c.py', work_dir='new/work'),
    'test': dict(config='c.py', checkpoint_arg='c.pth', work_dir='new/work'),
    'eval': _RUNS,
    'demo': dict(
        input='v.avi', config='c.py', checkpoint='c.pth', out_csv='new/found.csv'
    ),
    'check': dict(annotations=VAL, config='c.py'),
    'init': dict(annotations=VAL, output='new/config.py'),
    'convert ilsvrc-vid': dict(input='ilsvrc', output='new/set', jobs='1'),
    'convert ilsvrc-det': dict(input='ilsvrc', output='new/set', jobs='1'),
    'convert cvat-video': dict(source='cvat.xml', **_BOTH),
    'convert label-studio-video': dict(source='label_studio.json', **_BOTH),
    'convert mot': dict(source='mot', **_SET),
    'convert visdrone': dict(source='visdrone', **_SET),
    'convert youtube-vis': dict(source='youtube_vis.json', **_SET),
    'convert yolo': dict(source='yolo', **_SET),
    'convert coco': dict(source='coco.json', **_SET),
    'convert-checkpoint': dict(source='c.pth', target='new/c.pth', config='c.py'),
    'publish': dict(source='c.pth', output='new/model', config='c.py'),
    'export-results': dict(
        results='r.npz', config='c.py', to='coco', output='new/found.json'
    ),
    'export': dict(config='c.py', checkpoint='c.pth', out='new/exported'),
    'report': dict(_RUNS, out='new/report.html', device='cpu'),
    'plot-logs': dict(logs='work', out='new/a.png'),
    'plot-pr': dict(_RUNS, out='new/a.png'),
    'plot-confusion': dict(_RUNS, out='new/a.png'),
    'plot-motion-ap': dict(_RUNS, out='new/a.png'),
    'errors': _RUNS,
    'worst-frames': dict(_RUNS, out='new/a.png'),
    'attention': dict(_VIDEO, out_dir='new'),
    'compare-prompts': dict(_VIDEO, out='new/a.png'),
    'browse': dict(config='c.py', output_dir='new/pictures', number='1'),
    'count': dict(configs='c.py'),
    'bench': dict(parts='metric', quick='', out='new/tables.md'),
    'bench-metric': dict(frames='9', boxes='9', videos='3', dets_per_frame='2'),
    'bench-backbone': dict(size='32 32', repeats='1', sides='ours'),
}


def whole_use(command: str) -> Misuse:
    """The use of a command that its misuses start from."""
    return Misuse(command, _words(command, {}), 'nothing', works=True)


def _options(command: str) -> dict[str, Any]:
    """Fields of the options of a command."""
    module = importlib.import_module(
        f'stpn_plugin.cli.{stpn_command.COMMANDS[command]}'
    )
    return {field.name: field for field in dataclasses.fields(module.main.options)}


def _words(command: str, changes: dict[str, Sequence[str] | None]) -> tuple[str, ...]:
    """The whole use with other words for some fields; None leaves one out."""
    given: dict[str, Sequence[str] | None] = {
        name: value.split() for name, value in WHOLE[command].items()
    }
    given.update(changes)
    words: list[str] = []
    for name, field in _options(command).items():
        value = given.get(name)
        if value is None:
            continue
        if 'flags' in field.metadata:
            words += [_flag(field), *value]
        else:
            words += value
    return tuple(words)


def _flag(field: Any) -> str:
    """The longest spelling of an option."""
    flags = field.metadata['flags'] or [f'--{field.name.replace("_", "-")}']
    return max(flags, key=len)


# --- values that are wrong, by the kind of an option

_LONG = 'a' * 300


def _inputs(suffix: str, *names: str, folder: bool = False) -> list[Wrong]:
    """What is not there, or something else."""
    found = [
        Wrong((f'no/such{suffix}',), 'missing'),
        Wrong((f'c.py/inside{suffix}',), 'below a file'),
        Wrong(('link_to_nothing',), 'a link to nothing'),
        Wrong(('loop',), 'a link to itself'),
        Wrong(('',), 'an empty name'),
        Wrong((f'{_LONG}{suffix}',), 'a name too long', (_LONG,)),
        Wrong(('/dev/null',), 'a device'),
    ]
    if folder:
        found.append(Wrong(('other.py',), 'a file, not a folder'))
    else:
        found.append(Wrong(('folder',), 'a folder, not a file'))
    return found + [
        Wrong((f'wrong/{name}{suffix}',), name.replace('_', ' ')) for name in names
    ]


def _outputs(suffix: str, folder: bool = False) -> list[Wrong]:
    """Where nothing can be written."""
    found = [
        Wrong((f'c.py/inside{suffix}',), 'below a file'),
        Wrong((f'/sys/no{suffix}',), 'where nobody may write', ('/sys',)),
        Wrong((f'{_LONG}{suffix}',), 'a name too long', (_LONG,)),
        Wrong(('',), 'an empty name'),
    ]
    if folder:
        return [*found, Wrong(('other.py',), 'a file, not a folder')]
    return [*found, Wrong(('folder',), 'a folder'), Wrong(('/dev/null',), 'a device')]


def _texts(*values: str, what: str = 'unknown') -> list[Wrong]:
    return [Wrong((value,), what) for value in values]


_NO_INTEGERS = _texts('many', '1.5', 'nan', '1e9', '', '0x10', what='no whole number')
_NO_NUMBERS = _texts('half', 'nan', 'inf', '', '1,5', what='no number')
_DEVICES = _texts('no_such_device', 'cuda:99', 'cpu:x', '', what='no such device')
_CHECKPOINTS = [
    *_inputs('.pth', *WRONG, *WRONG_CHECKPOINTS),
    Wrong(('other.pth',), 'of another model'),
    Wrong(('r.npz',), 'a results file'),
    Wrong(('http://127.0.0.1:9/a.pth',), 'a URL where nothing is'),
    Wrong(('nosuch://a.pth',), 'a URL of no scheme'),
    Wrong(('torchvision://nosuch',), 'an unknown name'),
]
_JSON = _inputs('.json', *WRONG, *WRONG_JSON)
_PICTURES = [*_outputs('.png'), *_texts('a.nosuch', 'a', what='no kind of picture')]
_OVERRIDES = [
    Wrong((text,), 'no KEY=VALUE', (text.split('=')[-1],))
    for text in ('batch_size', '=2', 'a=[(1,2', 'a=(1,', 'a=[1', '')
]
_FOLDERS = _inputs('', folder=True)
_SETS = [*_FOLDERS, *_texts('folder', 'frames', what='a folder of something else')]
_VIDEOS = [
    *(_inputs('.avi', *WRONG)),
    Wrong(('r.npz',), 'a results file'),
    Wrong(('texts',), 'a folder without images'),
    Wrong(('broken',), 'a folder with a broken image'),
    Wrong(('no/*.jpg',), 'a pattern of nothing'),
    Wrong(('77',), 'a camera that is not there', ('camera',)),
    Wrong(('rtsp://127.0.0.1:9/a',), 'a stream that is not there'),
    Wrong(('http://127.0.0.1:9/a.mp4',), 'a URL where nothing is'),
]

#: By the function that reads a value, or for what is not told by a type.
KINDS: dict[str, list[Wrong]] = {
    'int': _NO_INTEGERS,
    'positive': [*_NO_INTEGERS, *_texts('0', '-1', what='out of range')],
    'count': [*_NO_INTEGERS, *_texts('-1', what='out of range')],
    'iou': [*_NO_NUMBERS, *_texts('0', '-1', '50', '1.01', what='out of range')],
    'score': [*_NO_NUMBERS, *_texts('-0.1', '50', '1.01', what='out of range')],
    'rate': [*_NO_NUMBERS, *_texts('0', '-3', what='out of range')],
    'fraction': [*_NO_NUMBERS, *_texts('0', '1', '-1', what='out of range')],
    'weight': [*_NO_NUMBERS, *_texts('1', '-0.1', '1e9', what='out of range')],
    'device': _DEVICES,
    'choices': _texts('no_such_choice', ''),
    'results_path': [*_outputs('.npz'), *_texts('a.json', what='no kind of results')],
    'config': [],  # those of :func:`_faulty_configs`
    'checkpoint': _CHECKPOINTS,
    'results': [
        *_inputs('.npz', *WRONG, *WRONG_NPZ),
        *_inputs('.pkl', *WRONG, *WRONG_RESULTS),
        *_texts('c.pth', 'c.py', VAL, what='another kind of file'),
    ],
    'annotations': _JSON,
    'json': [*_JSON, Wrong(('c.py',), 'a config')],
    'xml': [*_inputs('.xml', *WRONG), Wrong((VAL,), 'a JSON file')],
    'set': _SETS,
    'video': _VIDEOS,
    'videos': _VIDEOS[: 3 + 5 + len(WRONG)],
    'images': [*_FOLDERS, *_texts('folder', 'texts', what='a folder without frames')],
    'any images': [],  # names in annotations are relative to it, found or not
    'logs': [*_inputs('.json', *WRONG, *WRONG_JSON), *_texts('folder', what='no logs')],
    'text out': _outputs('.txt'),
    'json out': _outputs('.json'),
    'py out': [*_outputs('.py'), Wrong(('c.py',), 'a config that is there')],
    'checkpoint out': _outputs('.pth'),
    'picture': _PICTURES,
    'html out': _outputs('.html'),
    'video out': [*_outputs('.mp4'), *_texts('a.nosuch', 'a', what='no kind of video')],
    'folder out': _outputs('', folder=True),
    'overrides': _OVERRIDES,
    'evaluator options': [
        *_OVERRIDES,
        *_texts('no_such=1', 'ann_file=no/such.json', 'metric=no_such', what='unknown'),
    ],
    'classes': _texts('no_such_class', ''),
    'free classes': [Wrong(('cat', 'cat'), 'one class twice', ('cat',)), *_texts('')],
    'names': [Wrong(('a', 'b', 'c'), 'more names than files'), *_texts('')],
    'keys': _texts('no_such_key', ''),
    'frames': [*_NO_INTEGERS, *_texts('-1', '99', '1000000000000', what='no frame')],
    'video of set': _texts('no/such', '', what='no video of the set'),
    'sides': _texts('no_such_side', 'pvt', ''),
    'texts': _texts(''),
}

#: Kinds of options whose types do not tell them.
KIND_OF = {
    **dict(config='config', configs='config', cfg_options='overrides'),
    **dict(checkpoint='checkpoint', checkpoint_arg='checkpoint', resume='checkpoint'),
    **dict(results='results', annotations='annotations', val='annotations'),
    **dict(eval_options='evaluator options', classes='classes', names='names'),
    **dict(work_dir='folder out', show_dir='folder out', out_dir='folder out'),
    **dict(output_dir='folder out', json='json out', fix='json out', input='video'),
    **dict(out_video='video out', out_frames='folder out', out_json='json out'),
    **dict(out_csv='text out', out_mot='text out', figure='picture', logs='logs'),
    **dict(weights='checkpoint out', images='images', videos='videos', keys='keys'),
    **dict(video='video of set', frames='frames', smooth='weight', sides='sides'),
    **dict(work_dirs='logs', source='set', target='checkpoint out', out='picture'),
    'eval out': 'json out',
    'errors out': 'json out',
    'report out': 'html out',
    'bench out': 'text out',
    'test out': 'results_path',
    'init output': 'py out',
    'init images': 'any images',
    'init weights': 'any images',
    'check images': 'images',
    'convert ilsvrc-vid input': 'set',
    'convert ilsvrc-det input': 'set',
    'convert ilsvrc-vid output': 'folder out',
    'convert ilsvrc-det output': 'folder out',
    'convert cvat-video source': 'xml',
    'convert label-studio-video source': 'json',
    'convert youtube-vis source': 'json',
    'convert coco source': 'json',
    'convert-checkpoint source': 'checkpoint',
    'publish source': 'checkpoint',
    'publish target': 'any images',
    'publish output': 'folder out',
    'publish license': 'texts',
    'publish description': 'texts',
    'publish metrics': 'json',
    'export out': 'folder out',
    'export-results output': 'json out',
    'export-results images': 'any images',
    'bench-metric frames': 'positive',
    'bench-metric videos': 'positive',
}
for _command in WHOLE:
    if _command.startswith('convert '):
        KIND_OF.setdefault(f'{_command} output', 'json out')
        KIND_OF[f'{_command} classes'] = 'free classes'
        if _command.split()[1] not in ('cvat-video', 'label-studio-video'):
            KIND_OF[f'{_command} images'] = 'any images'


def _kind(command: str, field: Any) -> str:
    """Kind of the values of an option."""
    if field.metadata.get('choices') and field.name != 'sides':
        return 'choices'
    name = getattr(field.metadata.get('type'), '__name__', '')
    if f'{command} {field.name}' in KIND_OF:
        return KIND_OF[f'{command} {field.name}']
    if name in KINDS:
        return name
    return KIND_OF.get(field.name) or str(field.type).replace(' | None', '')


# --- configs


def _faulty_configs() -> Iterator[Wrong]:
    yield from _inputs('.py')
    for name in ('zeros', 'random', 'text', 'utf16', 'picture', 'cut'):
        yield Wrong((f'wrong/{name}.py',), name)
    for name, (_, named) in CONFIGS.items():
        yield Wrong((f'wrong/configs/{name}',), name.split('.')[0], named)
    for name in ('nosuch::a.py', 'mmdet::no/such.py', 'mmtrack::', '::', 'json::a.py'):
        yield Wrong((name,), 'no config of a package', (name.split('::')[-1],))


KINDS['config'] = list(_faulty_configs())

_MODELS = ('train', 'test', 'demo', 'attention', 'compare-prompts', 'count')
_WITH_WEIGHTS = _MODELS[1:-1]
_TESTS = ('test', 'attention', 'compare-prompts')
_SAVED = ('eval', 'report', 'plot-pr', 'plot-motion-ap', 'errors', 'worst-frames')
_TRAIN, _TEST = ('train',), ('test',)
_BACKBONE = 'model.detector.backbone'
_TRAIN_SET = 'train_dataloader.dataset.datasets.0'
_TEST_SET = 'test_dataloader.dataset'

#: Overrides that do not fit, and the commands that they concern.
ENTRIES: list[tuple[str, tuple[str, ...]]] = [
    # Nothing of the sort is there
    *((text, (*_MODELS, 'eval', 'browse')) for text in ('modle=1', 'model.type.a=1')),
    ('train_dataloader.dataset.datasets.7.type=a', ('train', 'browse', 'count')),
    ('train_dataloader.dataset.datasets.x=1', ('train', 'browse')),
    # Models
    *(
        (text, _MODELS)
        for text in (
            *('model=3', 'model=None', 'model.type=NoSuchModel', 'model.type=None'),
            *('model.type=3', 'model.type=ResNet', 'model.no_such_argument=1'),
            *('model.detector=None', 'model.detector.type=NoSuchDetector'),
            *(f'{_BACKBONE}.type=NoSuchBackbone', f'{_BACKBONE}.no_such=1'),
            *(f'{_BACKBONE}.depths=deep', f'{_BACKBONE}.depths=[1,2]'),
            *(
                f'{_BACKBONE}.embed_dims={value}'
                for value in ('0', '-16', 'wide', '1.5')
            ),
            *(f'{_BACKBONE}.num_heads=[3,3,3,3]', f'{_BACKBONE}.arch=no_such'),
            *(f'{_BACKBONE}.out_indices=[9]', f'{_BACKBONE}.window_size=0'),
            'model.prompt_predictor.type=NoSuchPredictor',
            'model.prompt_predictor.num_heads=5',
            'model.prompt_predictor.prompt_dims=0',
            'model.prompt_predictor.in_channels=-1',
            'model.data_preprocessor.type=NoSuch',
            'model.data_preprocessor.mean=[1]',
            'default_scope=no_such_scope',
        )
    ),
    *(
        (text, _WITH_WEIGHTS)
        for text in (
            'model.detector.roi_head.bbox_head.num_classes=2',
            'model.detector.neck.in_channels=[1,2,3,4]',
            'model.detector.neck.out_channels=32',
            f'{_BACKBONE}.embed_dims=32',
        )
    ),
    ('model.detector.roi_head.bbox_head.num_classes=2', _TRAIN),
    ('model.detector.neck.in_channels=[1,2,3,4]', _TRAIN),
    ('model.detector.rpn_head.anchor_generator.strides=[4]', _TRAIN),
    ('model.detector.test_cfg.rcnn.nms.type=no_such', _TEST),
    # Data
    *(
        (f'{_TRAIN_SET}.{text}', ('train', 'browse'))
        for text in (
            *(
                'type=NoSuchSet',
                'ann_file=no/such.json',
                'ann_file=folder',
                'ann_file=3',
            ),
            *('ann_file=wrong/cut.json', 'ann_file=wrong/list.json', 'no_such=1'),
            *('data_prefix.img_path=no/such', 'data_prefix=None', 'pipeline=[]'),
            *('pipeline=[1]', 'pipeline=None', 'ref_img_sampler.method=no_such'),
            *('ref_img_sampler.num_ref_imgs=0', 'ref_img_sampler.frame_range=far'),
            *('ref_img_sampler.num_ref_imgs=-1', 'pipeline.0.type=NoSuchTransform'),
        )
    ),
    *(
        (f'train_dataloader.{text}', _TRAIN)
        for text in (
            *('batch_size=0', 'batch_size=-1', 'batch_size=two', 'batch_size=1.5'),
            *('num_workers=-1', 'num_workers=many', 'sampler.type=NoSuchSampler'),
            *('sampler=None', 'dataset=None', 'collate_fn.type=no_such', 'no_such=1'),
            *('batch_sampler.type=NoSuch', 'persistent_workers=True'),
        )
    ),
    *(
        (f'{_TEST_SET}.{text}', _TESTS)
        for text in (
            *('type=NoSuchSet', 'ann_file=no/such.json', 'ann_file=folder'),
            *('ann_file=wrong/cut.json', 'ann_file=wrong/dict.json', 'no_such=1'),
            *('data_prefix.img_path=no/such', 'pipeline=[]', 'pipeline=[1]'),
            *('pipeline.0.type=NoSuchTransform', 'ref_img_sampler.method=no_such'),
            'metainfo.CLASSES=[a,b]',
        )
    ),
    *(
        (f'test_dataloader.{text}', _TEST)
        for text in (
            *('batch_size=0', 'batch_size=two', 'num_workers=-1', 'dataset=None'),
            *('sampler.type=NoSuchSampler', 'sampler=None'),
        )
    ),
    *(
        (f'{_TEST_SET}.{text}', _SAVED)
        for text in (
            *('type=NoSuchSet', 'type=3', 'metainfo.CLASSES=[a,b]', 'no_such=1'),
        )
    ),
    ('test_dataloader=None', (*_TESTS, *_SAVED)),
    # Evaluators
    *(
        (f'test_evaluator{text}', ('test', 'eval'))
        for text in (
            *('=None', '=3', '=[]', '=[1]', '.type=NoSuchMetric', '.no_such=1'),
            *('.metric=no_such', '.ann_file=no/such.json', '.ann_file=wrong/cut.json'),
            *('.ann_file=folder', '.type=MOTChallengeMetrics'),
        )
    ),
    # Training
    *(
        (text, _TRAIN)
        for text in (
            *('optim_wrapper=None', 'optim_wrapper.type=NoSuchWrapper'),
            *('optim_wrapper.optimizer=None', 'optim_wrapper.optimizer.type=NoSuch'),
            *(f'optim_wrapper.optimizer.lr={value}' for value in ('high', '-1', 'nan')),
            *('optim_wrapper.optimizer.no_such=1', 'optim_wrapper.clip_grad=3'),
            *('optim_wrapper.accumulative_counts=0', 'param_scheduler=[1]'),
            *(
                'train_cfg=None',
                'train_cfg.type=NoSuchLoop',
                'train_cfg.max_epochs=long',
            ),
            *('train_cfg.max_epochs=-1', 'train_cfg.max_epochs=0'),
            *('train_cfg.val_interval=0', 'train_cfg.val_interval=never'),
            *('val_cfg=None', 'val_cfg.type=NoSuchLoop', 'val_evaluator=None'),
            *('val_evaluator.type=NoSuchMetric', 'val_dataloader=None'),
            *('val_evaluator.ann_file=no/such.json', 'train_dataloader=None'),
            *('default_hooks.checkpoint.interval=often', 'default_hooks=[1]'),
            *('default_hooks.checkpoint.type=NoSuchHook', 'default_hooks.checkpoint=3'),
            *('default_hooks.checkpoint.save_best=no_such', 'default_hooks.logger=3'),
            *('custom_hooks=3', 'custom_hooks=[NoSuchHook]', 'randomness.seed=x'),
            *('randomness.seed=-1', 'randomness=3', 'load_from=no/such.pth'),
            *('load_from=other.pth', 'load_from=wrong/cut.pth', 'load_from=3'),
            *('log_processor.window_size=wide', 'log_processor.by_epoch=maybe'),
            'auto_scale_lr.base_batch_size=0',
        )
    ),
    ('test_cfg=None', _TEST),
    ('test_cfg.type=NoSuchLoop', _TEST),
    *(
        (text, ('train', 'test'))
        for text in (
            *('log_level=LOUD', 'visualizer.type=NoSuch', 'visualizer=3', 'env_cfg=3'),
            *('env_cfg.mp_cfg.mp_start_method=no_such', 'launcher=no_such'),
            *('visualizer.vis_backends=[1]', 'default_hooks.timer.type=NoSuchHook'),
            *('work_dir=c.py/inside', 'work_dir=3', 'runner_type=NoSuchRunner'),
        )
    ),
]

#: Of these, what has a meaning: what is set is not used, or is the same as another.
WITH_MEANING = {
    ('train', 'model.data_preprocessor.mean=[1]'),  # for all channels
    ('test', 'model.data_preprocessor.mean=[1]'),
    ('browse', f'{_TRAIN_SET}.ref_img_sampler.num_ref_imgs=0'),
    ('test', 'test_dataloader.sampler=None'),  # in order
    ('test', 'test_evaluator=None'),  # predictions alone
    ('test', 'test_evaluator=[]'),
    ('train', 'load_from=other.pth'),  # what fits is taken, the rest is listed
    ('train', 'log_processor.by_epoch=maybe'),  # not false
    ('train', 'auto_scale_lr.base_batch_size=0'),  # without --auto-scale-lr
    *(
        (command, entry)
        for command in ('train', 'test')
        for entry in ('launcher=no_such', 'work_dir=c.py/inside', 'work_dir=3')
    ),  # the options say otherwise
}

# --- options that do not go together

TOGETHER: list[tuple[str, str, tuple[str, ...]]] = [
    ('train', 'c.py --resume c.pth --work-dir new', ('c.pth',)),
    ('train', 'c.py --work-dir new --launcher pytorch', ('RANK', 'launcher')),
    ('train', 'c.py --work-dir new --launcher slurm', ('--launcher slurm',)),
    ('train', 'c.py --work-dir new --launcher mpi', ('--launcher mpi',)),
    ('train', 'fewer_classes.py --work-dir new', ('num_classes', 'classes')),
    (
        'train',
        'c.py --amp --work-dir new --cfg-options optim_wrapper.type=NoSuch',
        ('NoSuch',),
    ),
    ('test', 'c.py --work-dir new', ('No checkpoint',)),
    ('test', 'c.py c.pth --checkpoint other.pth', ('other.pth',)),
    ('test', 'c.py c.pth --eval bbox --format-only', ('--format-only',)),
    ('test', 'c.py fewer_classes.pth --work-dir new', ('fewer_classes.pth',)),
    ('test', 'fewer_classes.py c.pth --work-dir new', ('c.pth',)),
    ('test', 'fewer_classes.py fewer_classes.pth --work-dir new', ('classes',)),
    ('test', 'other.py other.pth --work-dir new', ('other.py',)),
    ('test', 'c.pth c.py --work-dir new', ('c.pth',)),
    ('eval', 'r.npz c.py', ('r.npz',)),
    ('eval', 'c.py r.npz --out c.py', ('c.py',)),
    ('eval', 'c.py r.npz --out r.npz', ('r.npz',)),
    ('eval', 'c.py r.npz r.pkl', ('r.pkl',)),
    ('eval', 'c.py r.npz --eval-options format_only=True', ('outfile_prefix',)),
    ('demo', 'v.avi c.py c.pth --out-csv a --out-json a', ('a',)),
    ('demo', 'v.avi c.py c.pth --out-csv v.avi', ('v.avi',)),
    ('demo', 'v.avi c.py c.pth --out-csv c.py', ('c.py',)),
    ('demo', 'v.avi c.py c.pth --out-json c.pth', ('c.pth',)),
    ('demo', 'v.avi c.py c.pth --out-video v.avi', ('v.avi',)),
    ('demo', 'frames c.py c.pth --out-frames frames', ('frames',)),
    ('demo', 'v.avi c.py c.pth --out-mot a.txt', ('--out-mot', 'a.txt', 'track')),
    ('demo', 'v.avi c.py fewer_classes.pth --out-csv a.csv', ('fewer_classes.pth',)),
    ('demo', 'c.py c.pth v.avi --out-csv a.csv', ('c.pth', 'v.avi', 'c.py')),
    ('demo', 'mixed c.py c.pth --out-video a.mp4', ('mixed/1.jpg',)),
    ('check', f'{VAL} --json {VAL}', (VAL,)),
    ('check', f'{VAL} --fix {VAL}', (VAL,)),
    ('check', 'coco.json --config c.py', ('coco.json',)),
    ('check', f'{VAL} --config r.npz', ('r.npz',)),
    ('check', f'{VAL} --json a.json --fix a.json', ('a.json',)),
    ('init', f'{VAL} -o {VAL}', (VAL,)),
    ('init', 'coco.json', ('coco.json',)),
    ('init', 'r.npz', ('r.npz',)),
    ('convert ilsvrc-vid', '-i c.py -o new', ('c.py',)),
    ('convert ilsvrc-vid', '-i data -o new', ('data',)),
    ('convert ilsvrc-det', '-i mot -o new', ('mot',)),
    ('convert cvat-video', 'cvat.xml -o a.json', ('--images',)),
    ('convert cvat-video', 'cvat.xml --images images -o cvat.xml', ('cvat.xml',)),
    ('convert coco', f'{VAL} -o a.json', (VAL,)),
    ('convert coco', 'coco.json -o a.json --val-fraction 0.5', ('coco.json', '1')),
    ('convert coco', 'coco.json -o a.json --classes cow', ('cow',)),
    ('convert youtube-vis', 'coco.json -o a.json', ('coco.json',)),
    ('convert mot', 'visdrone -o a.json', ('visdrone',)),
    ('convert visdrone', 'mot -o a.json', ('mot',)),
    ('convert yolo', 'yolo -o yolo', ('yolo',)),
    ('convert-checkpoint', 'c.pth c.pth --config c.py', ('c.pth',)),
    ('convert-checkpoint', 'c.pth c.py', ('c.py', 'c.pth')),
    ('publish', 'c.pth folder', ('folder',)),
    ('publish', 'c.py a.pth', ('c.py',)),
    ('publish', 'c.pth', ('-o FOLDER',)),
    ('publish', 'c.pth a.pth -o new --config c.py', ('-o FOLDER',)),
    ('publish', 'c.pth a.pth --half', ('-o',)),
    ('publish', 'c.pth -o folder --config c.py', ('folder',)),
    ('publish', 'c.pth -o new --config other.py', ('c.pth', 'other.py')),
    ('export', 'c.py c.pth -o folder', ('folder',)),
    ('export', 'c.py other.pth -o new', ('other.pth',)),
    ('export-results', 'r.npz --to coco -o a.json', ('config', 'r.npz')),
    ('export-results', 'r.npz c.py --to coco -o r.npz', ('r.npz',)),
    ('export-results', 'r.npz c.py --to coco -o c.py', ('c.py',)),
    ('export-results', f'{VAL} --to coco -o a.json', (VAL,)),
    ('report', 'c.py r.npz --out r.npz', ('r.npz',)),
    ('report', 'c.py r.npz --out c.py', ('c.py',)),
    ('report', 'c.py r.npz r.npz', ('r',)),
    ('plot-logs', 'work work', ('work',)),
    ('plot-logs', 'work --names a b', ('a, b', '--names', 'names')),
    ('plot-logs', 'work --out work', ('work',)),
    ('plot-pr', 'c.py r.npz --classes airplane --speeds', ('--speeds',)),
    ('plot-pr', 'c.py r.npz r.pkl', ('r',)),
    ('plot-pr', 'fewer_classes.py other.py', ('other.py',)),
    ('plot-motion-ap', 'other.py r.npz', ('other.py',)),
    ('errors', 'c.py r.npz --figure a.png --out a.png', ('a.png',)),
    ('check', f'{VAL} --config c.py --json c.py', ('c.py',)),
    ('test', 'c.py c.pth --out c.py --work-dir new', ('c.py',)),
    ('bench-backbone', '--kind no_such', ('no_such',)),
    ('worst-frames', 'c.py r.npz r.npz', ('r.npz',)),
    ('attention', 'other.py other.pth', ('other.py',)),
    ('attention', 'c.py other.pth', ('other.pth',)),
    ('compare-prompts', 'c.py fewer_classes.pth', ('fewer_classes.pth',)),
    ('count', 'c.py no/such.py', ('no/such.py',)),
    ('browse', 'other.py', ('other.py',)),
    ('bench', '--device cpu --parts no_such', ('no_such',)),
    ('bench-backbone', '--kind pvt --sides swin', ('swin',)),
    ('bench-backbone', '--size 32', ('--size',)),
]


# --- all of them

_MANY, _SHARES = 6, 8


def _parser_misuses(command: str) -> Iterator[Misuse]:
    """What no parser takes."""
    words = _words(command, {})
    required = [
        name
        for name, field in _options(command).items()
        if 'flags' not in field.metadata and field.metadata.get('nargs') != '?'
    ]
    if required:
        yield Misuse(command, (), 'no arguments', ('are required: ',))
    for name in required[1:]:
        words = _words(command, {name: None})
        yield Misuse(command, words, f'no {name}', ('are required: ',))
    words = _words(command, {})
    for unknown in ('--no-such-option', '-x', '--no-such-option=1'):
        yield Misuse(command, (*words, unknown), 'an unknown option', (unknown,))
    if not any('list' in str(_options(command)[name].type) for name in required):
        # One fills an argument that may be left out.
        yield Misuse(command, (*words, 'a', 'b'), 'arguments too many', ('b',))
    yield Misuse(command, (*words, '--debug=1'), 'a flag with a value', ('--debug',))


def _option_misuses(command: str) -> Iterator[Misuse]:
    """Values of each option that are not of its kind."""
    for name, field in _options(command).items():
        metadata = field.metadata
        is_option = 'flags' in metadata
        flag = _flag(field) if is_option else name
        if metadata.get('action') == 'store_true':
            words = (*_words(command, {}), f'{flag}=1')
            yield Misuse(command, words, f'{flag} has a value', (flag,))
            continue
        if is_option and metadata.get('nargs') not in ('?', '*'):
            words = (*_words(command, {name: None}), flag)
            yield Misuse(command, words, f'{flag} has no value', (flag,))
        kind = _kind(command, field)
        if kind not in KINDS:
            raise LookupError(f'{command} {flag}: say in KIND_OF what a {kind} may be')
        rest = ('1',) if metadata.get('nargs') == 2 else ()
        for wrong in _spread(KINDS[kind], command, name):
            words = _words(command, {name: (*wrong.words, *rest)})
            given = [word.split('=')[-1] for word in wrong.words if word]
            named = (flag, *given, *wrong.named)
            if not is_option and wrong.words == ('',):
                named = (metadata.get('metavar') or name,)
            yield Misuse(command, words, f'{flag}: {wrong.what}', named)


def _spread(wrongs: Sequence[Wrong], command: str, name: str) -> list[Wrong]:
    """Of many values that several commands read alike, some for each command."""
    number = list(WHOLE).index(command) + len(name)
    if len(wrongs) <= _MANY:
        return list(wrongs)
    return [wrong for i, wrong in enumerate(wrongs) if (i + number) % _SHARES == 0]


def _entry_misuses() -> Iterator[Misuse]:
    """Entries of configs; each for two of the commands that it concerns."""
    for number, (text, commands) in enumerate(ENTRIES):
        first = number % len(commands)
        commands = (*commands, *commands)[first : first + min(2, len(commands))]
        key, _, value = text.partition('=')
        parts = key.split('.')
        named = (*parts, value, '(--debug shows where)', 'cannot be made')
        if parts[0] == 'modle':
            named = ('modle',)
        for command in commands:
            words = (*_words(command, {}), '--cfg-options', text)
            yield Misuse(command, words, text, named)


def misuses() -> list[Misuse]:
    """All misuses, each once; half of them by the program in ``tools``, if any."""
    found: list[Misuse] = []
    for command in WHOLE:
        found += _parser_misuses(command)
        found += _option_misuses(command)
    found += _entry_misuses()
    for command, words, named in TOGETHER:
        found.append(Misuse(command, tuple(words.split()), 'options', named))
    tools = tools_of_commands()
    made = []
    for number, misuse in enumerate({(m.command, m.words): m for m in found}.values()):
        tool = tools.get(misuse.command) if number % 2 else None
        made.append(misuse._replace(tool=tool, works=_has_meaning(misuse)))
    return made


def tools_of_commands() -> dict[str, str]:
    """The program in ``tools`` of each command that has one."""
    commands = {module: name for name, module in stpn_command.COMMANDS.items()}
    found = {}
    for path in sorted((ROOT / 'tools').rglob('*.py')):
        if path.parent.name != 'dev':
            text = path.read_text()
            module = re.search(r'from stpn_plugin\.cli\.(\w+)', text)
            if module:
                found[commands[module.group(1)]] = str(path.relative_to(ROOT))
    return found


def _has_meaning(misuse: Misuse) -> bool:
    """Whether a command does what it is for all the same."""
    command, words = misuse.command, misuse.words
    if command not in (*_MODELS, 'convert-checkpoint', 'publish', 'export') and any(
        word == f'wrong/configs/{name}'
        for word in words
        for name in ('model_is_none.py', 'deleted.py', 'list_for_dict.py')
    ):
        return True  # they need no model
    if any(word.startswith('wrong/twice.') for word in words):
        return True  # a sampler that evens out processes repeats images
    if len(words) > 1 and (command, words[-1]) in WITH_MEANING:
        return True
    if command == 'worst-frames' and 'wrong/swapped_boxes.pkl' in words:
        return True  # boxes without an area hit nothing
    if command == 'plot-pr' and words[-2:] == ('r.npz', 'r.pkl'):
        return True  # two runs, told apart by their endings
    if command == 'export-results' and {'wrong/one_left.pkl', VAL} & set(words):
        return True  # a part of a set, and annotations, can be exported, too
    # Reports say which of their parts were left out, and why.
    parts = ('--work-dirs', '--checkpoint', '--video')
    return (
        command == 'report' and misuse.what.split(':')[0] in parts and '' not in words
    )
