"""Every entry of ``stpn_plugin.compat``: stock code fails without it, works with it.

Stock behaviour is observed in processes of their own, because importing the plugin
anywhere in this one applies the entries for good.
"""

from __future__ import annotations

import gc
import json
import pickle
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import mmtrack
import numpy as np
import pytest
import torch
from mmcv.transforms import RandomFlip, TransformBroadcaster
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmtrack.datasets import MOTChallengeDataset
from mmtrack.evaluation import MOTChallengeMetrics
from torch.utils.data import DataLoader

from stpn_plugin import compat
from stpn_plugin.utils import checkpoint_loading
from tests.support.malicious import as_zip, call
from tests.support.tiny_tasks import write_tiny_mot

NUMPY = np.lib.NumpyVersion(np.__version__)
# Since torch 2.6, torch.load only builds objects that somebody has declared safe.
WEIGHTS_ONLY = tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 6)


def outcomes(stock_code: str, entry: str) -> list[str]:
    """Run stock code in a process of its own, before and after applying an entry.

    Args:
        stock_code: Statements that use mm-packages and not the plugin.
        entry: Name of a function of the compat module, which is imported without
            the package's `__init__`: that would apply all of them.

    Returns:
        'fine' or the error's message, before and after.
    """
    program = f"""
import importlib
import sys
import types

def attempt():
    try:
        exec({textwrap.dedent(stock_code)!r}, {{}})
    except Exception as error:
        return str(error)
    return 'fine'

before = attempt()
package = sys.modules['stpn_plugin'] = types.ModuleType('stpn_plugin')
package.__path__ = [{str(Path(compat.__file__).parent)!r}]
importlib.import_module('stpn_plugin.compat').{entry}()
import json
print(json.dumps([before, attempt()]))
"""
    result = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


LOAD_ANNOTATIONS = """
from mmtrack.datasets.transforms import LoadTrackAnnotations
box = dict(bbox=[1, 2, 3, 4], bbox_label=0, instance_id=0, ignore_flag=False)
results = LoadTrackAnnotations(with_bbox=True)(dict(instances=[box]))
assert results['gt_ignore_flags'].dtype == bool
"""
SHARE_FLIPS = """
import numpy as np
from mmcv.transforms import RandomFlip, TransformBroadcaster
pipelines = [  # as of two data sets
    TransformBroadcaster([RandomFlip(prob=0.5)], share_random_params=True)
    for _ in range(2)
]
for _ in range(20):
    for pipeline in pipelines:
        img = [np.arange(6).reshape(1, 6, 1)] * 4
        flips = pipeline(dict(img=img, img_shape=[(1, 6)] * 4))['flip']
        assert len(set(flips)) == 1, f'frames were flipped: {flips}'
"""
SHARE_FLIPS_IN_COPY = """
import copy, pickle
import numpy as np
from mmcv.transforms import RandomFlip, TransformBroadcaster
def flips(pipeline):
    img = [np.arange(6).reshape(1, 6, 1)] * 4
    return set(pipeline(dict(img=img, img_shape=[(1, 6)] * 4))['flip'])
original = TransformBroadcaster([RandomFlip(prob=0.5)], share_random_params=True)
flips(original)
copied = {copy}
for _ in range(20):
    for pipeline in (copied, original):
        assert len(flips(pipeline)) == 1, 'frames were flipped'
del original
assert len(flips(copied)) == 1
"""
GAP_IN_FRAME_IDS = """
import json, tempfile
from mmtrack.datasets import BaseVideoDataset
images = [
    dict(id=i, video_id=1, frame_id=2 * i, file_name='', height=9, width=9)
    for i in range(2)
]
with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
    content = dict(videos=[dict(id=1)], images=images, annotations=[], categories=[])
    json.dump(content, file)
    file.flush()
    try:
        BaseVideoDataset(ann_file=file.name, metainfo=dict(CLASSES=()))
    except ValueError as error:
        assert 'lacks frame_id 1' in str(error)
"""
SAMPLE_NEGATIVES = """
import numpy as np
from mmdet.models.task_modules.samplers import IoUBalancedNegSampler
sampler = IoUBalancedNegSampler(num=4, pos_fraction=0.5, num_bins=1)
indices = sampler.sample_via_interval(np.array([0.1, 0.2]), {0, 1}, 2)
assert sorted(indices.tolist()) == [0, 1]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'code, broken',
    [
        (LOAD_ANNOTATIONS, '1.24.0' <= NUMPY < '2.0.0'),
        (SAMPLE_NEGATIVES, NUMPY >= '1.24.0'),
    ],
    ids=['LoadTrackAnnotations', 'IoUBalancedNegSampler'],
)
def test_numpy_aliases(code: str, broken: bool) -> None:
    before, after = outcomes(code, 'restore_numpy_aliases')
    assert ("module 'numpy' has no attribute" in before) == broken
    assert (before == 'fine') != broken
    assert after == 'fine'


def test_numpy_aliases_keep_what_numpy_has() -> None:
    assert np.array([1.5]).astype(np.int).dtype == np.dtype(int)
    assert np.zeros(1, dtype=np.bool).dtype == np.dtype(bool)
    if NUMPY >= '2.0.0':
        assert np.bool is np.bool_


COCO_FILE = """
import contextlib, io, json, os, tempfile
import numpy as np, torch
from mmtrack.datasets import BaseVideoDataset
from mmtrack.evaluation import CocoVideoMetric

CLASSES = ('b', 'a')
box = dict(bbox=[8, 8, 16, 16], area=256, iscrowd=False)
content = dict(
    categories=[dict(id=1, name='a'), dict(id=2, name='b'), dict(id=3, name='c')],
    videos=[dict(id=1, name='v')],
    images=[
        dict(id=i, video_id=1, frame_id=i, file_name='', width=64, height=64)
        for i in range(4)
    ],
    annotations=[  # a, b, a, b
        dict(box, id=i + 1, image_id=i, instance_id=1, category_id=1 + i % 2)
        for i in range(4)
    ],
)
ann_file = os.path.join(tempfile.mkdtemp(), 'vid.json')
with open(ann_file, 'w') as file:
    json.dump(content, file)

def dataset(**kwargs):
    return BaseVideoDataset(
        ann_file=ann_file, metainfo=dict(CLASSES=CLASSES), test_mode=True, **kwargs
    )

def evaluate(labels, **kwargs):
    metric = CocoVideoMetric(ann_file=ann_file, **kwargs)
    metric.dataset_meta = dict(CLASSES=CLASSES)
    for image_id, label in labels.items():
        boxes = torch.tensor([[8.0, 8, 24, 24]])
        pred = dict(bboxes=boxes, labels=torch.tensor([label]), scores=torch.ones(1))
        sample = dict(img_id=image_id, ori_shape=(64, 64), pred_det_instances=pred)
        metric.process({}, [sample])
    return metric.evaluate(len(labels))
"""
BY_NAME = """
data = dataset()
labels = {i: data.get_data_info(i)['instances'][0]['bbox_label'] for i in range(4)}
assert [CLASSES[labels[i]] for i in range(4)] == ['a', 'b', 'a', 'b'], labels
assert evaluate(labels)['coco/bbox_mAP_50'] == 1
"""
CLASSWISE = """
found = {0: 1, 1: 0, 2: 1, 3: 1}  # both of a, one of b
metrics = evaluate(found, classwise=True)
assert metrics['coco/b_precision'] < metrics['coco/a_precision'], metrics
"""
WRITTEN = """
prefix = ann_file + '.out'
evaluate({0: 1, 1: 0}, format_only=True, outfile_prefix=prefix)
with open(prefix + '.bbox.json') as file:
    assert [entry['category_id'] for entry in json.load(file)] == [1, 2]
"""
UNKNOWN = """
CLASSES = ('a', 'unicorn', 'b')
try:
    dataset()
except ValueError as error:
    assert ann_file in str(error) and "['a', 'unicorn', 'b']" in str(error)
else:
    raise AssertionError('a class that the file lacks was left out')
"""
INDICES = """
data = dataset(indices=[1, 2], ref_img_sampler=None)
assert len(data) == 2, len(data)
assert [data.get_data_info(i)['img_id'] for i in range(2)] == [1, 2]
assert len(dataset(indices=3)) == 3 and len(dataset(indices=-1)) == 1
assert [dataset(indices=-1).get_data_info(0)['img_id']] == [3]
"""
PARTS = """
part = evaluate({0: 0, 1: 1})['coco/bbox_mAP_50']
assert part == 1, part
metric = evaluate({0: 0, 1: 1}, metric='proposal_fast')
assert metric['coco/AR@100'] == 1, metric
"""


@pytest.mark.slow
@pytest.mark.parametrize('code', [BY_NAME, CLASSWISE, WRITTEN, UNKNOWN])
def test_labels_follow_classes_by_name(code: str) -> None:
    before, after = outcomes(COCO_FILE + code, 'number_categories_by_class_names')
    assert before != 'fine'
    assert after == 'fine'


@pytest.mark.slow
def test_indices_of_video_datasets() -> None:
    before, after = outcomes(COCO_FILE + INDICES, 'take_indices_of_video_datasets')
    assert before == '4'
    assert after == 'fine'


@pytest.mark.slow
def test_coco_scores_parts() -> None:
    code = COCO_FILE.replace("('b', 'a')", "('a', 'b')") + PARTS
    before, after = outcomes(code, 'score_parts_with_coco')
    assert before.startswith('0.')
    assert after == 'fine'


class ToyModel(BaseModel):
    """One weight to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(
        self, inputs: torch.Tensor, mode: str = 'tensor'
    ) -> dict[str, torch.Tensor]:
        return dict(loss=(self.weight * inputs).sum())


def collate(batch: list[float]) -> dict[str, torch.Tensor]:
    return dict(inputs=torch.tensor(batch))


def make_runner(work_dir: Path, **kwargs: Any) -> Runner:
    return Runner(
        ToyModel(),
        str(work_dir),
        train_dataloader=dict(
            dataset=[1.0, 2.0],
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            collate_fn=collate,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=dict(type='MultiStepLR', milestones=[1]),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        default_scope='mmtrack',
        experiment_name=work_dir.name,
        **kwargs,
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that mmengine's Runner wrote after the first of two epochs."""
    work_dir = tmp_path_factory.mktemp('runner')
    runner = make_runner(work_dir)
    # What metrics leave behind: numbers and arrays of numpy.
    runner.message_hub.update_info('best', np.float64(0.5))
    runner.message_hub.update_info('per_class', np.arange(3, dtype=np.float32))
    runner.message_hub.update_info('names', np.array(['car', 'dog']))
    runner.train()
    return work_dir / 'epoch_1.pth'


@pytest.mark.slow
def test_mmengine_checkpoint(checkpoint: Path) -> None:
    load = f"""
    import torch
    state = torch.load({str(checkpoint)!r})
    hub = state['message_hub']
    assert hub['log_scalars']['train/loss'].mean(1) > 0
    assert hub['runtime_info']['best'] == 0.5
    assert hub['runtime_info']['per_class'].tolist() == [0, 1, 2]
    assert hub['runtime_info']['names'].tolist() == ['car', 'dog']
    """
    before, after = outcomes(load, 'trust_mmengine_checkpoints')
    assert ('Weights only load failed' in before) == WEIGHTS_ONLY
    assert (before == 'fine') != WEIGHTS_ONLY
    assert after == 'fine'


@pytest.mark.parametrize('safely', {False, checkpoint_loading.TORCH_LOADS_SAFELY})
def test_runner_resumes_its_own_checkpoint(
    checkpoint: Path, tmp_path: Path, safely: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where torch is too old to read it without running it."""
    monkeypatch.setattr(checkpoint_loading, 'TORCH_LOADS_SAFELY', safely)
    runner = make_runner(tmp_path, load_from=str(checkpoint), resume=True)
    runner.load_or_resume()
    assert runner.epoch == 1
    assert runner.message_hub.get_info('best') == 0.5


needs_weights_only = pytest.mark.skipif(
    not WEIGHTS_ONLY, reason='torch.load trusts everything before torch 2.6'
)


@needs_weights_only
@pytest.mark.parametrize('core', ['core', '_core'])
def test_checkpoint_of_another_numpy(
    checkpoint: Path, tmp_path: Path, core: str
) -> None:
    """numpy 1.x pickles arrays as numpy.core, numpy 2.x as numpy._core."""
    path = tmp_path / 'renamed.pth'
    replaced = 0
    with zipfile.ZipFile(checkpoint) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            data = source.read(name)
            for old in (b'cnumpy.core.', b'cnumpy._core.'):
                replaced += data.count(old)
                data = data.replace(old, f'cnumpy.{core}.'.encode())
            target.writestr(name, data)
    assert replaced > 0

    state = torch.load(path)
    info = state['message_hub']['runtime_info']
    assert info['best'] == 0.5
    assert info['per_class'].tolist() == [0, 1, 2]


class Malicious:
    def __init__(self, function: Any, *args: Any) -> None:
        self.reduced = function, args

    def __reduce__(self) -> Any:
        return self.reduced


@needs_weights_only
@pytest.mark.parametrize(
    'payload',
    [
        Malicious(exec, 'raise SystemExit'),
        Malicious(getattr, HistoryBuffer, '__init__.__globals__'),
        Malicious(getattr, np.ndarray, 'tofile'),
    ],
)
def test_checkpoints_still_run_no_code(payload: Malicious, tmp_path: Path) -> None:
    torch.save(payload, tmp_path / 'bad.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(tmp_path / 'bad.pth')


@pytest.mark.slow
def test_stock_train_tool_knows_one_spelling_only() -> None:
    """The day that this fails, `RunOptions.local_rank` needs one spelling only."""
    tool = Path(mmtrack.__file__).parent / '.mim' / 'tools' / 'train.py'
    result = subprocess.run(
        [sys.executable, str(tool), 'config.py', '--local-rank=0'],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert 'unrecognized arguments: --local-rank=0' in result.stderr


def test_apply_twice() -> None:
    aliases = np.int, np.float
    compat.apply()
    compat.apply()
    assert (np.int, np.float) == aliases


@pytest.mark.slow
def test_random_parameters_are_shared_by_the_frames_of_a_sample() -> None:
    before, after = outcomes(SHARE_FLIPS, 'bind_cached_randomness')
    assert 'frames were flipped' in before
    assert after == 'fine'


@pytest.mark.slow
def test_mmengine_loads_checkpoints_as_data(tmp_path: Path) -> None:
    """torch runs what is in a file from a URL, and before 2.6 in any."""
    load = f"""
    import pathlib, torch
    from mmengine.runner import CheckpointLoader
    torch.hub.get_dir = lambda: {str(tmp_path)!r}
    CheckpointLoader.load_checkpoint('https://example.com/bad.pth', logger=None)
    """
    (tmp_path / 'checkpoints').mkdir()
    torch.save(
        Malicious(exec, 'raise ValueError("run")'), tmp_path / 'checkpoints' / 'bad.pth'
    )
    before, after = outcomes(load, 'load_checkpoints_as_data')
    assert before == 'run'
    assert 'cannot be read as a checkpoint' in after


@needs_weights_only
@pytest.mark.skipif(not WEIGHTS_ONLY, reason='torch says nothing of itself')
def test_long_names_are_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / 'long.pth'
    path.write_bytes(as_zip(call('a' * 10_000 + '.b')))
    with pytest.raises(ValueError, match='long.pth') as raised:
        checkpoint_loading.load_checkpoint_file(path)
    assert len(str(raised.value)) < 5000


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'),
    reason='torch < 2.5 has no list of safe globals',
)
def test_what_others_declare_stays(tmp_path: Path) -> None:
    """Some cure mmengine's checkpoints themselves, by numpy's own functions."""
    others: list[Any] = [np.ndarray, np.dtype, type(np.dtype('f8')), HistoryBuffer]
    history = HistoryBuffer()
    history.update(2.0)
    torch.save(dict(loss=history, a=np.arange(2.0)), tmp_path / 'a.pth')
    before = torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals(others):
        loaded = torch.load(tmp_path / 'a.pth')
    assert loaded['loss'].mean() == 2
    assert loaded['a'].tolist() == [0, 1]
    assert set(torch.serialization.get_safe_globals()) == set(before)
    again = pickle.loads(pickle.dumps(torch.load(tmp_path / 'a.pth')))
    assert type(again['a']) is np.ndarray


@pytest.mark.slow
@pytest.mark.parametrize(
    'copy, symptom',
    [
        ('copy.deepcopy(original)', 'frames were flipped'),
        ('pickle.loads(pickle.dumps(original))', "Can't pickle"),
    ],
    ids=['deepcopy', 'pickle'],
)
def test_random_parameters_are_shared_in_copies(copy: str, symptom: str) -> None:
    code = SHARE_FLIPS_IN_COPY.format(copy=copy)
    before, after = outcomes(code, 'bind_cached_randomness')
    assert symptom in before
    assert after == 'fine'


class Flips(torch.utils.data.Dataset):
    """How the frames of samples are flipped."""

    def __init__(self) -> None:
        flip = RandomFlip(prob=0.5)
        self.pipeline = TransformBroadcaster([flip], share_random_params=True)

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> list[bool]:
        img = [np.arange(6).reshape(1, 6, 1)] * 4
        return self.pipeline(dict(img=img, img_shape=[(1, 6)] * 4))['flip']


@pytest.mark.slow
def test_random_parameters_are_shared_in_spawned_workers() -> None:
    dataset = Flips()
    assert len(set(dataset[0])) == 1
    loader = DataLoader(
        dataset, num_workers=1, multiprocessing_context='spawn', batch_size=None
    )
    samples = list(loader)
    assert {len(set(flips)) for flips in samples} == {1}
    assert len({flips[0] for flips in samples}) == 2


@pytest.mark.slow
def test_annotation_files_are_checked() -> None:
    before, after = outcomes(GAP_IN_FRAME_IDS, 'check_annotation_files')
    assert before == 'list assignment index out of range'
    assert after == 'fine'


MASKTRACK_IDS = """
import torch
from mmtrack.models.trackers import MaskTrackRCNNTracker

tracker = MaskTrackRCNNTracker()
tracker.update(ids=torch.tensor([7]), frame_ids=0)
tracker.num_tracks = 8
scores = torch.tensor([[0.0, 1.0], [0.0, 3.0], [0.0, 2.0], [5.0, 0.0]])
ids, best = tracker.assign_ids(scores)
if ids.tolist() != [-1, 7, -1, 8]:
    raise ValueError(f'ids {ids.tolist()}')
"""


@pytest.mark.slow
def test_masktrack_gives_an_id_once() -> None:
    before, after = outcomes(MASKTRACK_IDS, 'give_masktrack_ids_once')
    assert before == 'ids [7, 7, -1, 8]'
    assert after == 'fine'


MASK2FORMER_LABELS = """
import torch
from mmtrack.models.track_heads import Mask2FormerHead, mask2former_head

mask2former_head.mask2bbox = lambda masks: masks  # cannot tell values of meta tensors
head = Mask2FormerHead.__new__(Mask2FormerHead)
torch.nn.Module.__init__(head)
head.num_classes, head.num_queries = 3, 5
meta = dict(img_shape=(8, 8), ori_shape=(8, 8))
(found,) = head.predict_by_feat(
    torch.zeros(5, 4, device='meta'), torch.zeros(5, 1, 8, 8, device='meta'), [meta]
)
if found.labels.device != found.scores.device:
    raise ValueError(f'labels on {found.labels.device}')
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(torch, 'set_default_device'), reason='needs torch 2.0 or newer'
)
def test_mask2former_labels_are_on_its_device() -> None:
    before, after = outcomes(MASK2FORMER_LABELS, 'label_mask2former_on_its_device')
    assert before == 'labels on cpu'
    assert after == 'fine'


CROPS = """
import numpy as np
from mmtrack.datasets.transforms import CropLikeDiMP, SeqCropLikeStark

img, box = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3), [10, 20, 30, 36]
box = np.array(box, np.float32)
stark, factor, outside = SeqCropLikeStark([2], [16]).crop_like_stark(img, box, 2, 16)
assert (stark.shape, factor, outside.any()) == ((16, 16, 3), 16 / 36, False)
dimp, area, _ = CropLikeDiMP(2, 16).crop_like_dimp(img, box, 2, 16)
assert dimp.shape == (16, 16, 3) and area.tolist() == [2, 10, 36, 36]
"""


@pytest.mark.slow
def test_boxes_are_cropped() -> None:
    before, after = outcomes(CROPS, 'crop_boxes_of_numpy_arrays')
    assert ('only 0-dimensional arrays' in before) == (NUMPY >= '2.4.0')
    assert after == 'fine'


OPERATORS = """
import pkgutil
vars(pkgutil).pop('find_loader', None)  # as in Python 3.14
import torch
from mmengine.optim import build_optim_wrapper
optimizer = dict(type='SGD', lr=1.0)
build_optim_wrapper(
    torch.nn.Linear(1, 1),
    dict(optimizer=optimizer, paramwise_cfg=dict(bias_lr_mult=2.0)),
)
from mmcv.utils.ext_loader import check_ops_exist
assert check_ops_exist()
"""


@pytest.mark.slow
def test_operators_are_found_without_loaders() -> None:
    before, after = outcomes(OPERATORS, 'find_operators_without_loaders')
    assert before == "module 'pkgutil' has no attribute 'find_loader'"
    assert after == 'fine'


TRACKS = """
import contextlib, io
import numpy as np
import torch
from mmtrack.evaluation import MOTChallengeMetrics, SOTMetric

for name in ('bool', 'float', 'int'):
    if name not in vars(np):
        setattr(np, name, getattr(__builtins__, name, __builtins__[name]))
samples = []
for video, length in ((0, 3), (1, 5)):
    for frame in range(length):
        box = [4.0 * frame, 8.0, 4.0 * frame + 20, 40.0]
        instance = dict(instance_id=1, bbox=box, mot_conf=1, category_id=1)
        instance.update(visibility=1.0, visible=True)
        found = dict(
            instances_id=torch.tensor([frame // 2]),
            bboxes=torch.tensor([box]),
            scores=torch.tensor([0.9]),
        )
        samples.append(
            dict(
                frame_id=frame,
                video_id=video,
                video_length=length,
                img_path=f'{video}/img1/{frame}.jpg',
                ori_shape=(60, 80),
                instances=[instance],
                pred_track_instances=found,
            )
        )
counts = []
for size in (1, 4):
    mot, sot = MOTChallengeMetrics(metric=['CLEAR']), SOTMetric()
    for metric in (mot, sot):
        for i in range(0, len(samples), size):
            metric.process({}, samples[i : i + size])
    frames = [len(video['frame_ids']) for video in sot.results]
    with contextlib.redirect_stdout(io.StringIO()):
        counts.append((int(mot.evaluate()['motchallenge-metric/TP']), frames))
if counts[1] != (8, [3, 5]):
    raise ValueError(f'{counts[0]} and {counts[1]}')
"""


@pytest.mark.slow
def test_tracks_are_scored_in_batches() -> None:
    before, after = outcomes(TRACKS, 'score_all_frames_of_a_batch')
    assert before.startswith('(8, [3, 5]) and (')
    assert after == 'fine'


VIDEO_MASKS = """
import contextlib, io
import numpy as np
import torch
from mmtrack.evaluation import YouTubeVISMetric
from pycocotools.mask import encode

if 'float' not in vars(np):
    np.float = float
metric = YouTubeVISMetric()
metric.dataset_meta = dict(CLASSES=('a', 'b'))
mask = torch.zeros(1, 16, 16, dtype=torch.bool)
mask[:, 2:9, 2:9] = True
for _ in range(2):
    rle = encode(np.asfortranarray(mask[0].numpy().astype(np.uint8)))
    box = [2.0, 2.0, 9.0, 9.0]
    found = dict(
        instances_id=torch.tensor([0]),
        bboxes=torch.tensor([box]),
        labels=torch.tensor([0]),
        scores=torch.tensor([0.9]),
        masks=mask,
    )
    instance = dict(instance_id=1, bbox=box, bbox_label=0, mask=rle)
    sample = dict(frame_id=0, video_length=1, video_id=1, img_id=1, ori_shape=(16, 16))
    sample.update(instances=[instance], pred_track_instances=found)
    metric.process({}, [sample])
    with contextlib.redirect_stdout(io.StringIO()):
        metric.evaluate(1)
"""


@pytest.mark.slow
def test_video_masks_are_scored_again() -> None:
    before, after = outcomes(VIDEO_MASKS, 'score_video_masks_again')
    assert before == "'images'"
    assert after == 'fine'


def test_mot_metrics_that_were_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong arguments are one error, and no other when the metric is cleared away."""
    seen: list = []
    monkeypatch.setattr(sys, 'unraisablehook', seen.append)
    with pytest.raises(TypeError, match='no_such'):
        MOTChallengeMetrics(no_such=1)
    gc.collect()
    assert not seen


def test_stock_mot_configs_test_on_files_of_pedestrians(tmp_path: Path) -> None:
    root = write_tiny_mot(tmp_path, num_frames=2)
    dataset = MOTChallengeDataset(
        ann_file=str(root / 'annotations/half-val_cocoformat.json'),
        data_prefix=dict(img_path=str(root / 'train')),
        ref_img_sampler=None,
        test_mode=True,
        pipeline=[],
    )
    (instance,) = dataset.get_data_info(0)['instances']
    assert instance['bbox_label'] == 0


BROKEN_IMAGE = """
import os, tempfile
import cv2, numpy as np
from mmcv.transforms import LoadImageFromFile

path = os.path.join(tempfile.mkdtemp(), 'frame.jpg')
pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
content = cv2.imencode('.jpg', pixels)[1].tobytes()

def load(content, **info):
    with open(path, 'wb') as file:
        file.write(content)
    try:
        LoadImageFromFile()(dict(img_path=path, **info))
    except Exception as error:
        assert path in str(error), str(error)
    else:
        assert content is whole and not info, 'it was loaded'
    assert LoadImageFromFile(ignore_empty=True)(dict(img_path='/no')) is None

whole = content
load(content)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'code',
    [
        "load(b'no image')",
        'load(content[:-10])',
        'load(content, height=32, width=96)',
    ],
)
def test_image_files_are_checked(code: str) -> None:
    before, after = outcomes(BROKEN_IMAGE + code, 'check_image_files')
    # OpenCV 4 makes an image of half a file, OpenCV 5 none.
    nameless = "'NoneType' object has no attribute 'shape'"
    assert before == nameless if 'no image' in code else before != 'fine'
    assert after == 'fine'


NAMELESS = """
from mmtrack.utils import register_all_modules
register_all_modules()
try:
    data = dataset(
        ref_img_sampler=None,
        pipeline=[dict(type='LoadTrackAnnotations', with_mask=True)],
    )
    data[0]
except Exception as error:
    assert ann_file in str(error), str(error)
"""
EMPTY = """
import mmengine
for image in content['images']:
    image['width'] = 8  # less than filter_cfg asks for
mmengine.dump(content, ann_file)
try:
    BaseVideoDataset(ann_file=ann_file, metainfo=dict(CLASSES=CLASSES))
except ValueError as error:
    assert ann_file in str(error), str(error)
else:
    raise AssertionError('a set of nothing was built')
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'code, symptom', [(NAMELESS, "'ori_shape'"), (EMPTY, 'a set of nothing was built')]
)
def test_errors_of_samples_name_files(code: str, symptom: str) -> None:
    before, after = outcomes(COCO_FILE + code, 'name_files_of_samples')
    assert symptom in before
    assert after == 'fine'


LAID_OUT_AGAIN = """
import sys
from mmengine.config import Config
calls = []
def count(frame, event, arg):
    if event == 'call' and frame.f_code.co_name == 'FormatTree':
        calls.append(frame)
cfg = Config(dict(a=1))
sys.setprofile(count)
texts = [cfg.pretty_text, cfg.pretty_text]
cfg.a = 2
texts.append(cfg.pretty_text)
sys.setprofile(None)
assert texts == ['a = 1\\n', 'a = 1\\n', 'a = 2\\n']
assert len(calls) == 2, f'laid out {len(calls)} times'
"""


def test_configs_are_laid_out_once() -> None:
    symptom = 'laid out 3 times'
    assert outcomes(LAID_OUT_AGAIN, 'lay_out_configs_once') == [symptom, 'fine']
