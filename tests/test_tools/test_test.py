from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Sequence

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.visualization import Visualizer
from mmtrack.evaluation import BaseVideoMetric
from mmtrack.registry import METRICS

from stpn_plugin.apis import VideoDetector
from stpn_plugin.cli import test as command
from stpn_plugin.evaluation import MetricError, load_results
from tests.support.commands import ROOT, last_metrics, run_tool
from tests.support.malicious import as_zip, attacks
from tests.support.tiny_data import CLASSES, HEIGHT, NUM_VAL_FRAMES, WIDTH


def test_cfg(*args: object) -> Config:
    """The config that ``tools/test.py`` makes of its arguments."""
    return command.prepare_cfg(command.main.parse([str(arg) for arg in args]))


test_cfg.__test__ = False


def run_test(*args: object) -> dict[str, float]:
    """Run ``tools/test.py`` in ``./work``; returns its metrics."""
    run_tool('test.py', *args, '--work-dir', 'work')
    return last_metrics(Path('work'))


def test_same_metrics_as_in_training(
    config: Path, checkpoint: Path, trained: Path
) -> None:
    assert run_test(config, checkpoint) == pytest.approx(
        {k: v for k, v in last_metrics(trained).items() if k.startswith('coco')}
    )


def test_freed_memory_is_kept(
    config: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: list[str] = []
    monkeypatch.setattr(command, 'keep_freed_memory', devices.append)
    command.main([str(config), str(checkpoint), '--work-dir', 'work'])
    assert devices == [get_device()]


def test_checkpoint_from_each_place(config: Path, checkpoint: Path) -> None:
    load_from = ('--cfg-options', f'load_from={checkpoint}')
    for args in (
        (config, checkpoint),
        (config, '--checkpoint', checkpoint),
        (config, checkpoint, '--checkpoint', checkpoint),
        (config, *load_from),
        (config, '--work-dir', 'w', checkpoint),
    ):
        assert test_cfg(*args).load_from == str(checkpoint)
    other = checkpoint.with_name('epoch_1.pth')
    assert test_cfg(config, other, *load_from).load_from == str(other)
    with pytest.raises(ValueError, match='Two checkpoints are given'):
        test_cfg(config, checkpoint, '--checkpoint', other)
    with pytest.raises(ValueError, match='No checkpoint: give one'):
        test_cfg(config)


def test_out_can_be_evaluated_offline(config: Path, checkpoint: Path) -> None:
    metrics = run_test(config, checkpoint, '--out', 'made/results.pkl')
    with open('made/results.pkl', 'rb') as file:
        results = pickle.load(file)
    assert [result['img_id'] for result in results] == list(
        range(1, NUM_VAL_FRAMES + 1)
    )
    assert [path.name for path in Path('made').iterdir()] == ['results.pkl']

    cfg = Config.fromfile(str(config))
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = dict(CLASSES=CLASSES)
    offline = evaluator.offline_evaluate(results)
    assert offline == pytest.approx(metrics)


@METRICS.register_module()
class FailingMetric(BaseVideoMetric):
    """Raises when all predictions are there."""

    default_prefix = 'failing'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results.extend(sample['img_id'] for sample in data_samples)

    def compute_metrics(self, results: list) -> dict:
        raise KeyError('no such annotation')


def test_a_failing_metric_takes_nothing_with_it(
    config: Path, checkpoint: Path, tmp_path: Path
) -> None:
    derived = tmp_path / 'derived.py'
    derived.write_text(
        f"_base_ = '{config}'\n"
        "test_evaluator = [dict(type='FailingMetric'), {{_base_.test_evaluator}}]\n"
    )
    assert test_cfg(derived, checkpoint, '--out', 'a.pkl').test_evaluator[0] == dict(
        type='DumpVideoResults', out_file_path='a.pkl'
    )
    with pytest.raises(MetricError, match='FailingMetric: KeyError') as raised:
        run_test(derived, checkpoint, '--out', 'results.pkl')
    assert list(raised.value.failures) == ['FailingMetric']
    assert raised.value.metrics['coco/bbox_mAP_50'] > 0.3
    assert len(load_results('results.pkl')) == NUM_VAL_FRAMES
    (log,) = Path('work').rglob('*.log')
    logged = log.read_text()
    assert f'coco/bbox_mAP_50: {raised.value.metrics["coco/bbox_mAP_50"]}' in logged
    assert 'Traceback' in logged and 'no such annotation' in logged


def test_outputs_are_tried_before_the_test(config: Path, checkpoint: Path) -> None:
    Path('file').touch()
    Path('folder.pkl').mkdir()
    for args in (
        ('--out', 'file/results.pkl'),
        ('--out', 'folder.pkl'),
        ('--format-only', '--eval-options', 'outfile_prefix=file/results'),
        ('--eval-options', 'outfile_prefix=file/results'),
        ('--show-dir', 'file/shown'),
        ('--work-dir', 'file/work'),
    ):
        with pytest.raises(OSError, match=r'file|folder\.pkl'):
            test_cfg(config, checkpoint, *args)
    test_cfg(config, checkpoint, '--out', 'new/folder/results.pkl')
    assert not list(Path('new/folder').iterdir())


def test_format_only(config: Path, checkpoint: Path) -> None:
    assert not run_test(config, checkpoint, '--format-only', '--out', 'all.pkl')
    detections = json.loads(Path('work/results.bbox.json').read_text())
    with open('all.pkl', 'rb') as file:
        results = pickle.load(file)
    assert len(detections) == sum(
        len(result['pred_det_instances']['scores']) for result in results
    )
    assert len(Path('work/results.txt').read_text().splitlines()) == len(detections)
    first = results[0]['pred_det_instances']
    x1, y1, x2, y2 = first['bboxes'][0].tolist()
    assert detections[0]['bbox'] == pytest.approx([x1, y1, x2 - x1, y2 - y1])
    assert detections[0]['category_id'] == first['labels'][0] + 1


def test_format_only_to_a_chosen_place(config: Path, checkpoint: Path) -> None:
    cfg = test_cfg(
        *(config, checkpoint, '--format-only'),
        *('--eval-options', 'outfile_prefix=a/b'),
    )
    assert cfg.test_evaluator[0]['outfile_prefix'] == 'a/b'


def test_eval_and_eval_options(config: Path, checkpoint: Path) -> None:
    args = ('--eval', 'bbox', 'proposal', '--eval-options', 'classwise=True')
    metrics = run_test(config, checkpoint, *args)
    assert {'coco/bbox_mAP', 'coco/AR@100', 'coco/airplane_precision'} <= set(metrics)


def test_eval_of_a_metric_that_the_config_lacks(config: Path, checkpoint: Path) -> None:
    metrics = run_test(config, checkpoint, '--eval', 'bbox', 'motion')
    # Evaluators agree about the detections, not about the pixel counts of boxes.
    assert 0 < metrics['coco/bbox_mAP_50'] <= 1 and 0 < metrics['vid/AP50'] <= 1
    assert set(run_test(config, checkpoint, '--eval', 'motion')) == {
        key for key in metrics if key.startswith('vid/')
    }


def test_evaluators_as_list(config: Path, checkpoint: Path, tmp_path: Path) -> None:
    derived = tmp_path / 'derived.py'
    derived.write_text(
        f"_base_ = '{config}'\ntest_evaluator = [{{{{_base_.test_evaluator}}}}]\n"
    )
    plain, listed = (
        test_cfg(path, checkpoint, '--eval', 'bbox') for path in (config, derived)
    )
    assert plain.test_evaluator == listed.test_evaluator
    assert len(test_cfg(derived, checkpoint, '--out', 'a.pkl').test_evaluator) == 2


def test_show_dir_keeps_videos_apart(config: Path, checkpoint: Path) -> None:
    run_test(
        *(config, checkpoint, '--show-dir', 'shown'),
        *('--cfg-options', 'default_hooks.visualization.score_thr=0.01'),
    )
    drawn = sorted(Path('shown').glob('*/*'))
    assert len(drawn) == NUM_VAL_FRAMES
    for path in drawn:
        shown = mmcv.imread(str(path))
        raw = mmcv.imread(
            str(config.parent / 'Data/VID/val' / path.parts[-2] / path.name)
        )
        assert shown.shape == (HEIGHT, WIDTH, 3)
        # Boxes are drawn, and most of the frame is still visible.
        assert 0.01 < np.mean(np.abs(shown.astype(int) - raw).max(-1) > 60) < 0.6


def test_show(config: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def show(
        self: Visualizer, image: np.ndarray, win_name: str, wait_time: float
    ) -> None:
        shown.append((image.shape, win_name))

    monkeypatch.setattr(Visualizer, 'show', show)
    run_test(config, checkpoint, '--show')
    assert len(shown) == NUM_VAL_FRAMES
    assert shown[0] == ((HEIGHT, WIDTH, 3), 'ILSVRC2015_val_00000000/000000.JPEG')


def test_show_dir_changes_visualizers_that_draw_tracks(checkpoint: Path) -> None:
    config = (
        ROOT / 'configs/vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
    )
    tracks = ('--cfg-options', 'visualizer.type=TrackLocalVisualizer')
    plain, shown = (
        test_cfg(config, checkpoint, *args, *tracks)
        for args in ((), ('--show-dir', 'shown'))
    )
    assert plain.visualizer.type == 'TrackLocalVisualizer'
    assert shown.visualizer == dict(plain.visualizer, type='DetLocalVisualizer')


def test_bad_checkpoints(config: Path, checkpoint: Path, tmp_path: Path) -> None:
    good = torch.load(checkpoint)['state_dict']
    shorter = {k: v for k, v in good.items() if 'prompt_predictor' not in k}
    cases = {
        'holds no "state_dict"': dict(state_dict={}, meta={}),
        'does not fit.*lacks': dict(state_dict=shorter),
        'has no weight that the model of the config could take. It has a,': {
            'a': torch.zeros(1)
        },
        'does not fit.*query: .1,. in the checkpoint, .5,': dict(
            state_dict={**good, 'prompt_predictor.query': torch.zeros(1)}
        ),
    }
    for message, content in cases.items():
        torch.save(content, 'bad.pth')
        with pytest.raises(ValueError, match=f'(?s)bad.pth {message}'):
            run_tool('test.py', config, 'bad.pth')
    sign = tmp_path / 'sign'
    Path('bad.pth').write_bytes(as_zip(attacks(sign)['system']))
    with pytest.raises(ValueError, match='bad.pth cannot be read as a checkpoint'):
        run_tool('test.py', config, 'bad.pth')
    assert not sign.exists()
    Path('bad.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match='bad.pth cannot be read'):
        run_tool('test.py', config, 'bad.pth')


def test_bad_arguments(
    config: Path, checkpoint: Path, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(FileNotFoundError, match='Config file no.py does not exist'):
        test_cfg('no.py', checkpoint)
    with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
        test_cfg(config, 'no.pth')
    with pytest.raises(ValueError, match='no_such: none of the evaluators'):
        test_cfg(config, checkpoint, '--eval-options', 'no_such=1')
    for args, message in (
        (('--eval', 'mAP'), "invalid choice: 'mAP'"),
        (('--format-only', '--eval', 'bbox'), 'not allowed with'),
        (('--out', 'results.json'), 'must end with .npz, .pkl'),
    ):
        with pytest.raises(SystemExit):
            test_cfg(config, checkpoint, *args)
        assert message in capsys.readouterr().err


def test_weights_that_are_no_numbers(config: Path, checkpoint: Path) -> None:
    """Test, publication and demo refuse what a diverged training left."""
    saved = torch.load(checkpoint)
    name = next(iter(saved['state_dict']))
    saved['state_dict'][name].view(-1)[0] = float('nan')
    torch.save(saved, 'nan.pth')
    refused = rf'nan.pth has weights that are no finite numbers, 1 of \d+ \({name}\)'
    with pytest.raises(ValueError, match=refused):
        run_tool('test.py', config, 'nan.pth')
    with pytest.raises(ValueError, match=refused):
        run_tool('model_converters/publish_model.py', 'nan.pth', 'public.pth')
    with pytest.raises(ValueError, match=refused):
        VideoDetector(str(config), 'nan.pth', 'cpu')
    assert [path.name for path in Path().glob('*.pth')] == ['nan.pth']
