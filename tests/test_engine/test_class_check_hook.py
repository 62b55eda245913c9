"""Labels mean what their names say, all through a runner: data, metrics, checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmtrack.registry import MODELS

from stpn_plugin.builders import load_config
from stpn_plugin.engine import build_runner
from tests.support.tiny_data import write_tiny_vid

ROOT = Path(__file__).parents[2]


@MODELS.register_module()
class Oracle(BaseModel):
    """Detects what is annotated, with the labels that the dataset gives."""

    def __init__(self, num_classes: int, data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor)
        self.bbox_head = torch.nn.Linear(1, 1)
        self.bbox_head.num_classes = num_classes

    def forward(self, inputs: dict, data_samples: list, mode: str) -> Any:
        if mode == 'loss':
            return dict(loss=self.bbox_head.weight.sum())
        for sample in data_samples:
            truth = sample.gt_instances
            sample.pred_det_instances = InstanceData(
                bboxes=truth.bboxes,
                labels=truth.labels,
                scores=torch.ones(len(truth.labels)),
            )
        return data_samples


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """Two val videos, one of each class; the file has them as cat, ant."""
    write_tiny_vid(tmp_path, num_train_videos=2, num_val_videos=2, num_frames=3)
    for split in ('train', 'val'):
        path = tmp_path / f'annotations/imagenet_vid_{split}.json'
        content = json.loads(path.read_text())
        content['categories'] = [
            dict(id=1, name='cat'),
            dict(id=2, name='ant'),
            dict(id=9, name='unused'),
        ]
        path.write_text(json.dumps(content))
    return tmp_path


def make_config(data_root: Path, classes: tuple, num_classes: int) -> Config:
    def loader(split: str, **dataset: Any) -> dict:
        return dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='VideoSampler')
            if split == 'val'
            else dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='ImagenetVIDDataset',
                metainfo=dict(CLASSES=classes),
                ann_file=str(data_root / f'annotations/imagenet_vid_{split}.json'),
                data_prefix=dict(img_path=str(data_root / 'Data/VID')),
                ref_img_sampler=None,
                test_mode=split == 'val',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadTrackAnnotations', with_instance_id=True),
                    dict(type='PackTrackInputs', pack_single_img=True),
                ],
                **dataset,
            ),
        )

    ann_file = str(data_root / 'annotations/imagenet_vid_val.json')
    evaluators = [
        dict(type='CocoVideoMetric', ann_file=ann_file, metric='bbox', classwise=True),
        dict(type='VIDMotionMetric', ann_file=ann_file, classwise=True),
    ]
    cfg = load_config(str(ROOT / 'configs/_base_/default_runtime.py'))
    cfg.merge_from_dict(
        dict(
            model=dict(
                type='Oracle',
                num_classes=num_classes,
                data_preprocessor=dict(type='TrackDataPreprocessor'),
            ),
            work_dir=str(data_root / 'work'),
            train_dataloader=loader('train'),
            val_dataloader=loader('val'),
            test_dataloader=loader('val'),
            val_evaluator=evaluators,
            test_evaluator=evaluators,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        )
    )
    return cfg


def run(
    cfg: Config, what: str, stock: bool = True, checkpoint: dict | None = None
) -> dict[str, float]:
    if checkpoint is not None:
        path = Path(cfg.work_dir).with_name('x.pth')
        torch.save(checkpoint, path)
        cfg.load_from = str(path)
    cfg.experiment_name = f'{what}_{Path(cfg.work_dir).parent.name}'
    runner = Runner.from_cfg(cfg) if stock else build_runner(cfg)
    return getattr(runner, what)()


@pytest.mark.slow
@pytest.mark.parametrize('classes', [('ant', 'cat'), ('cat', 'ant')])
def test_any_order_in_the_file(data_root: Path, classes: tuple) -> None:
    metrics = run(make_config(data_root, classes, num_classes=2), 'test')
    assert metrics['vid/AP50'] == metrics['coco/bbox_mAP_50'] == 1
    by_class = {key: metrics[f'vid/AP50/{key}'] for key in classes}
    assert by_class == dict(ant=1, cat=1)


@pytest.mark.slow
@pytest.mark.parametrize('indices', [[0, 1, 2], [3, 4, 5, 6]])
def test_part_by_indices(data_root: Path, indices: list[int]) -> None:
    """One of the two videos, of 3 and 4 frames."""
    cfg = make_config(data_root, ('ant', 'cat'), num_classes=2)
    cfg.test_dataloader.dataset.indices = indices
    metrics = run(cfg, 'test')
    assert metrics['vid/AP50'] == metrics['coco/bbox_mAP_50'] == 1
    assert metrics['vid/num_images'] == len(indices)
    assert metrics['vid/num_images_in_file'] == 7


@pytest.mark.slow
@pytest.mark.parametrize('what', ['train', 'val', 'test'])
@pytest.mark.parametrize('stock', [True, False], ids=['stock runner', 'tools'])
def test_classes_that_the_file_lacks(data_root: Path, what: str, stock: bool) -> None:
    cfg = make_config(data_root, ('ant', 'cow'), num_classes=2)
    with pytest.raises(ValueError, match=r"for the classes \['cow'\]") as error:
        run(cfg, what, stock)
    for part in ('imagenet_vid', "['cat', 'ant', 'unused']", "['ant', 'cow']"):
        assert part in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize('what', ['train', 'val', 'test'])
@pytest.mark.parametrize('stock', [True, False], ids=['stock runner', 'tools'])
def test_head_of_another_size(data_root: Path, what: str, stock: bool) -> None:
    cfg = make_config(data_root, ('ant', 'cat'), num_classes=30)
    if not stock:
        cfg.pop('custom_hooks')  # the tools check any config
    with pytest.raises(ValueError, match='bbox_head.num_classes=30') as error:
        run(cfg, what, stock)
    assert "['ant', 'cat']" in str(error.value)


@pytest.mark.slow
def test_checkpoint_of_classes_in_another_order(data_root: Path) -> None:
    cfg = make_config(data_root, ('ant', 'cat'), num_classes=2)
    state_dict = MODELS.build(cfg.model).state_dict()
    meta = dict(dataset_meta=dict(CLASSES=('cat', 'ant')))
    checkpoint = dict(state_dict=state_dict, meta=meta)
    with pytest.raises(ValueError, match='in another order'):
        run(cfg, 'test', checkpoint=checkpoint)
    # As a start of training, any classes will do.
    run(cfg, 'train', checkpoint=checkpoint)
