"""NMS, Soft-NMS and NMS match against plain loops over boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, nms_match, soft_nms


def _boxes(num: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes with integer corners, some of them without area, and tied scores."""
    rng = np.random.RandomState(seed)
    corners = rng.randint(-20, 40, (num, 2))
    sizes = rng.randint(0, 30, (num, 2))
    boxes = np.concatenate((corners, corners + sizes), axis=1)
    scores = rng.randint(0, 20, num) / 20
    return torch.tensor(boxes).float(), torch.tensor(scores).float()


def _iou(a: np.ndarray, b: np.ndarray, offset: int) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + offset
    height = min(a[3], b[3]) - max(a[1], b[1]) + offset
    inter = max(width, 0) * max(height, 0)
    areas = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
    union = sum(areas) - inter
    return inter / union if union > 0 else 0.0


def _nms_by_loops(
    boxes: torch.Tensor, scores: torch.Tensor, threshold: float, offset: int
) -> list[int]:
    boxes, scores = boxes.double().numpy(), scores.double().numpy()
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(_iou(boxes[i], boxes[j], offset) <= threshold for j in kept):
            kept.append(i)
    return kept


def _soft_nms_by_loops(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    threshold: float,
    sigma: float,
    min_score: float,
    method: str,
    offset: int,
) -> tuple[list[int], list[float]]:
    boxes, scores = boxes.double().numpy(), scores.double().tolist()
    left = list(range(len(boxes)))
    kept, kept_scores = [], []
    while left:
        best = max(left, key=lambda i: scores[i])
        kept.append(best)
        kept_scores.append(scores[best])
        left.remove(best)
        for i in left:
            iou = _iou(boxes[best], boxes[i], offset)
            if method == 'gaussian':
                scores[i] *= np.exp(-iou * iou / sigma)
            elif iou >= threshold:
                scores[i] *= 1 - iou if method == 'linear' else 0
        left = [i for i in left if scores[i] >= min_score]
    return kept, kept_scores


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.6, 0.7])
def test_nms_against_loops(device, threshold, offset):
    boxes, scores = _boxes(120)
    dets, inds = nms(boxes.to(device), scores.to(device), threshold, offset=offset)
    expected = _nms_by_loops(boxes, scores, threshold, offset)
    assert 5 < len(expected) < 120
    assert inds.tolist() == expected
    assert inds.device.type == dets.device.type == device.type
    assert torch.equal(dets.cpu(), torch.cat((boxes, scores[:, None]), 1)[expected])


def test_nms_offset_changes_the_result():
    boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 0.4]])
    scores = torch.tensor([0.9, 0.8])
    # 0.4 of 1 without the offset, (2 * 1.4) / (2 * 2) = 0.7 with it.
    assert nms(boxes, scores, 0.5, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.5, offset=1)[1].tolist() == [0]


@pytest.mark.parametrize('dtype', [torch.float, torch.double])
def test_nms_keeps_boxes_at_the_threshold(device, dtype):
    if device.type == 'cuda' and dtype == torch.double:
        pytest.skip("torchvision's CUDA kernel holds the threshold in float32")
    scores = torch.tensor([0.9, 0.8], device=device, dtype=dtype)
    for tenths in range(1, 10):
        boxes = torch.tensor([[0, 0, 10, 1], [0, 0, tenths, 1]])
        boxes = boxes.to(device, dtype)
        assert len(nms(boxes, scores, tenths / 10)[1]) == 2
        assert len(nms(boxes, scores, tenths / 10 - 1e-3)[1]) == 1


def test_nms_score_threshold_and_max_num(device):
    boxes, scores = _boxes(80)
    _, inds = nms(
        boxes.to(device), scores.to(device), 0.5, score_threshold=0.4, max_num=6
    )
    above = (scores > 0.4).nonzero()[:, 0]
    expected = above[_nms_by_loops(boxes[above], scores[above], 0.5, 0)[:6]]
    assert inds.tolist() == expected.tolist()


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_without_boxes(device, offset):
    boxes = torch.zeros(0, 4, device=device)
    dets, inds = nms(boxes, boxes[:, 0], 0.5, offset=offset)
    assert dets.shape == (0, 5) and inds.shape == (0,) and inds.dtype == torch.long
    dets, inds = soft_nms(boxes, boxes[:, 0], offset=offset)
    assert dets.shape == (0, 5) and inds.shape == (0,) and inds.dtype == torch.long


def test_nms_never_drops_boxes_without_area(device):
    boxes = torch.tensor([[5.0, 5, 5, 5]]).repeat(4, 1).to(device)
    scores = torch.tensor([0.1, 0.4, 0.4, 0.2], device=device)
    assert nms(boxes, scores, 0.5)[1].tolist() == [1, 2, 3, 0]
    assert nms(boxes, scores, 0.5, offset=1)[1].tolist() == [1]


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16, torch.double])
def test_nms_of_other_types(device, dtype):
    boxes, scores = _boxes(60)
    boxes, scores = boxes.to(device, dtype), scores.to(device, dtype)
    dets, inds = nms(boxes, scores, 0.4, offset=1)
    assert dets.dtype == dtype
    assert inds.tolist() == _nms_by_loops(boxes.cpu(), scores.cpu(), 0.4, 1)


def test_nms_of_numpy_and_of_strided_tensors(device):
    boxes, scores = _boxes(60)
    expected = _nms_by_loops(boxes, scores, 0.5, 0)
    dets, inds = nms(boxes.numpy(), scores.numpy(), 0.5)
    assert isinstance(dets, np.ndarray) and inds.tolist() == expected
    table = torch.cat((scores[:, None], boxes), 1).repeat_interleave(2, 0).to(device)
    assert nms(table[::2, 1:], table[::2, 0], 0.5)[1].tolist() == expected


@pytest.mark.parametrize('split_thr', [10000, 50])
def test_batched_nms_keeps_classes_apart(device, split_thr):
    boxes, _ = _boxes(90)
    scores = torch.rand(90)
    labels = torch.arange(90) % 3
    dets, keep = batched_nms(
        boxes.to(device),
        scores.to(device),
        labels.to(device),
        dict(type='nms', iou_threshold=0.5, split_thr=split_thr),
    )
    expected = []
    for label in range(3):
        own = (labels == label).nonzero()[:, 0]
        expected += own[_nms_by_loops(boxes[own], scores[own], 0.5, 0)].tolist()
    expected.sort(key=lambda i: -scores[i])
    assert keep.tolist() == expected
    assert torch.equal(dets[:, 4].cpu(), scores[expected])


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_against_loops(device, method, offset):
    boxes, _ = _boxes(80)
    scores = torch.rand(80)
    dets, inds = soft_nms(
        boxes.to(device),
        scores.to(device),
        iou_threshold=0.3,
        sigma=0.4,
        min_score=0.2,
        method=method,
        offset=offset,
    )
    expected, expected_scores = _soft_nms_by_loops(
        boxes, scores, 0.3, 0.4, 0.2, method, offset
    )
    assert 5 < len(expected) < 80
    assert inds.tolist() == expected
    assert dets.device.type == inds.device.type == device.type
    assert torch.equal(dets[:, :4].cpu(), boxes[expected])
    torch.testing.assert_close(dets[:, 4].cpu(), torch.tensor(expected_scores).float())


def test_soft_nms_leaves_its_inputs_and_only_drops_lowered_boxes():
    boxes = torch.tensor([[0.0, 0, 2, 2], [10, 10, 12, 12]])
    scores = torch.tensor([1e-4, 1e-5])
    before = scores.clone()
    dets, inds = soft_nms(boxes, scores, min_score=1e-3)
    # The best box is never tested; the other falls below min_score.
    assert inds.tolist() == [0] and len(dets) == 1
    assert torch.equal(scores, before)


def test_soft_nms_of_boxes_without_area():
    boxes = torch.tensor([[3.0, 1, 3, 1]]).repeat(3, 1)
    scores = torch.tensor([0.5, 0.9, 0.7])
    dets, inds = soft_nms(boxes, scores, method='gaussian')
    assert inds.tolist() == [1, 2, 0]
    assert torch.equal(dets[:, 4], scores[inds])


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16, torch.double])
def test_soft_nms_of_other_types(device, dtype):
    boxes, _ = _boxes(40)
    scores = torch.rand(40)
    boxes, scores = boxes.to(device, dtype), scores.to(device, dtype)
    dets, inds = soft_nms(boxes, scores, min_score=0.1)
    expected = soft_nms(boxes.float(), scores.float(), min_score=0.1)
    assert dets.dtype == dtype and torch.equal(inds, expected[1])
    torch.testing.assert_close(dets, expected[0].to(dtype))


@pytest.mark.parametrize('threshold', [0.2, 0.5])
def test_nms_match_against_loops(device, threshold):
    boxes, scores = _boxes(70)
    order = sorted(range(70), key=lambda i: (-scores[i], i))
    expected = []
    while order:
        first = order[0]
        ious = [_iou(boxes[first].numpy(), boxes[i].numpy(), 0) for i in order[1:]]
        own = [i for i, iou in zip(order[1:], ious) if iou >= threshold]
        expected.append([first, *own])
        order = [i for i in order[1:] if i not in own]

    dets = torch.cat((boxes, scores[:, None]), 1)
    groups = nms_match(dets.to(device), threshold)
    assert [group.tolist() for group in groups] == expected
    assert [group.tolist() for group in nms_match(dets.numpy(), threshold)] == expected
    assert nms_match(dets[:0], threshold) == []
