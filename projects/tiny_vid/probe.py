"""Probe what the last stage of a backbone knows of the classes of tiny_vid's videos.

Prompts are made from the last stage's features of support frames. A linear classifier
on the mean of these features tells how much of the class is in them: it is fitted on
the training videos and scored on the val videos, for means over one or several random
frames of a video. Chance is 25 %.

Example:
    $ python -m projects.tiny_vid.probe CONFIG checkpoint.pth another.pth
"""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

import stpn_plugin  # noqa: F401 (before torch, for what it sets in the environment)

# isort: split
import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.model import ImgDataPreprocessor
from mmtrack.datasets.api_wrappers import CocoVID
from mmtrack.registry import MODELS
from rich.progress import track
from torch import Tensor, nn

from stpn_plugin.builders import scope_of
from stpn_plugin.utils import text_table

NUM_FRAMES = (1, 4, 14)
DRAWS = 16  # samples of each video
STEPS = 600


def load_videos(dataset: ConfigDict) -> tuple[np.ndarray, Tensor]:
    """Load all frames of a data set.

    Args:
        dataset: Config of the data set.

    Returns:
        Frames (V, T, H, W, 3) uint8, BGR, and the classes (V,) of the videos.
    """
    coco = CocoVID(osp.join(dataset.data_root, dataset.ann_file))
    names = list(dataset.metainfo.CLASSES)
    frames, labels = [], []
    for video in coco.get_vid_ids():
        images = coco.load_imgs(coco.get_img_ids_from_vid(video))
        root = osp.join(dataset.data_root, dataset.data_prefix.img_path)
        frames.append([mmcv.imread(osp.join(root, i['file_name'])) for i in images])
        (annotation, *_) = coco.load_anns(coco.get_ann_ids(images[0]['id']))
        (category,) = coco.load_cats([annotation['category_id']])
        labels.append(names.index(category['name']))
    return np.array(frames), torch.tensor(labels)


@torch.no_grad()
def extract(
    backbone: nn.Module, frames: np.ndarray, preprocessor: ConfigDict
) -> Tensor:
    """Mean features of the last stage.

    Args:
        backbone: The backbone.
        frames: (V, T, H, W, 3) uint8, BGR.
        preprocessor: Config with ``mean`` and ``std``, RGB.

    Returns:
        (V, T, C).
    """
    normalize = ImgDataPreprocessor(
        mean=preprocessor.mean, std=preprocessor.std, bgr_to_rgb=True
    )
    feats = []
    for video in track(frames, 'features', transient=True):
        imgs = torch.from_numpy(video).permute(0, 3, 1, 2)
        outs = backbone(normalize(dict(inputs=imgs))['inputs'])
        feats.append(outs[-1].mean((2, 3)))
    return torch.stack(feats)


def draw(feats: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Means over ``count`` random frames: (V, T, C) to (V * DRAWS, C)."""
    videos, total, _ = feats.shape
    picks = torch.rand(videos, DRAWS, total, generator=rng).topk(count).indices
    rows = torch.arange(videos)[:, None, None]
    return feats[rows, picks].mean(2).flatten(0, 1)


def probe(
    train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], count: int
) -> float:
    """Accuracy of a linear classifier on means over ``count`` frames of a video.

    Args:
        train: Features (V, T, C) and classes (V,) of the videos to fit it on.
        val: The same, of those to score it on.
        count: Number of frames, at most T.

    Returns:
        Share of val samples whose class is told.
    """
    rng = torch.Generator().manual_seed(0)
    feats, wanted = (draw(each[0], count, rng) for each in (train, val))
    labels, answers = (each[1].repeat_interleave(DRAWS) for each in (train, val))
    shift, scale = feats.mean(0), feats.std(0) + 1e-6
    feats, wanted = (feats - shift) / scale, (wanted - shift) / scale
    linear = nn.Linear(feats.shape[1], int(labels.max()) + 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(STEPS):
        batch = torch.randint(len(feats), (512,), generator=rng)
        optimizer.zero_grad()
        F.cross_entropy(linear(feats[batch]), labels[batch]).backward()
        optimizer.step()
    return (linear(wanted).argmax(1) == answers).float().mean().item()


def probe_checkpoints(cfg: Config, paths: Sequence[str]) -> dict[str, list[float]]:
    """Accuracies by checkpoint, one for each of :data:`NUM_FRAMES`.

    Args:
        cfg: Config of a detector of tiny_vid.
        paths: Checkpoints of that detector or of its backbone.
    """
    datasets = (cfg.train_dataloader.dataset.datasets[0], cfg.val_dataloader.dataset)
    videos = [load_videos(dataset) for dataset in datasets]
    found = {}
    for path in paths:
        init = dict(type='Pretrained', checkpoint=path)
        backbone = MODELS.build({**cfg.model.detector.backbone, 'init_cfg': init})
        backbone.init_weights()
        backbone.eval()
        train, val = (
            (extract(backbone, frames, cfg.model.data_preprocessor), labels)
            for frames, labels in videos
        )
        found[path] = [probe(train, val, count) for count in NUM_FRAMES]
    return found


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config of a detector of tiny_vid')
    parser.add_argument('checkpoints', nargs='+', help='of detectors or backbones')
    args = parser.parse_args(argv)
    cfg = Config.fromfile(args.config)
    rows = [['checkpoint', *(f'{n} frame{"s"[: n > 1]}' for n in NUM_FRAMES)]]
    with scope_of(cfg):
        found = probe_checkpoints(cfg, args.checkpoints)
    for path, accuracies in found.items():
        rows.append([path, *(f'{100 * accuracy:.1f} %' for accuracy in accuracies)])
    print('classes told from the last stage by a linear probe')
    print(text_table(rows))


if __name__ == '__main__':
    main()
