from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import mmcv
import numpy as np
import pytest
import torch
from mmtrack.structures import TrackDataSample

from stpn_plugin.apis import VideoDetector, VideoError
from stpn_plugin.apis.video_detector import has_operators_for
from stpn_plugin.models.prompting import PastSupport
from tests.support.tiny_data import CLASSES
from tests.support.video_models import (
    MODEL_OF,
    assert_same,
    make_config,
    make_online,
    save_weights,
    test_on_dataset,
)


def of_first_video(results: list[TrackDataSample]) -> list[TrackDataSample]:
    return [result for result in results if result.video_id == 1]


@pytest.fixture(scope='module')
def detector(data_root: Path) -> VideoDetector:
    cfg = make_config(data_root)
    return VideoDetector(cfg, save_weights(cfg, data_root / 'stpn.pth'), 'cpu')


@pytest.fixture(scope='module')
def frames(video_dir: Path) -> list[np.ndarray]:
    return [mmcv.imread(str(path)) for path in sorted(video_dir.iterdir())]


@pytest.mark.slow
@pytest.mark.parametrize('name', MODEL_OF)
def test_whole_video_as_in_a_test_run(
    name: str, data_root: Path, video_dir: Path, tmp_path: Path
) -> None:
    cfg = make_config(data_root, **MODEL_OF[name])
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    expected = of_first_video(test_on_dataset(cfg, checkpoint))
    detector = VideoDetector(cfg, checkpoint, 'cpu')
    assert_same(list(detector.detect_video(video_dir)), expected)
    # Kernels may add up in another order for a batch.
    batched = detector.detect_video(video_dir, batch_size=4)
    assert_same(list(batched), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['single frame', 'attention', 'deep', 'learned'])
def test_stream_as_in_an_online_test_run(
    name: str, data_root: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    cfg = make_online(make_config(data_root, **MODEL_OF[name]))
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    expected = of_first_video(test_on_dataset(cfg, checkpoint))
    detector = VideoDetector(cfg, checkpoint, 'cpu')
    stream = detector.stream()
    assert_same([stream.push(frame) for frame in frames], expected)
    # Prompts change within these batches.
    batched = detector.stream().run(frames, batch_size=4)
    assert_same(list(batched), expected, rtol=1e-4, atol=1e-3)


class Wrapped:
    """A video that is no sequence."""

    def __init__(self, video: list) -> None:
        self.video = video

    def __iter__(self) -> Iterator:
        return iter(self.video)


@pytest.mark.slow
@pytest.mark.parametrize('frame_range, stride', [([-2, 2], 2), ([-1, 3], 1)])
@pytest.mark.parametrize('name', ['attention', 'deep'])
def test_sliding_window_as_in_a_test_run(
    name: str,
    frame_range: list[int],
    stride: int,
    data_root: Path,
    frames: list[np.ndarray],
    tmp_path: Path,
) -> None:
    cfg = make_config(data_root, **MODEL_OF[name])
    cfg.test_dataloader.dataset.ref_img_sampler.update(
        num_ref_imgs=4,
        frame_range=frame_range,
        stride=stride,
        method='test_with_fix_stride',
    )
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    expected = of_first_video(test_on_dataset(cfg, checkpoint))
    detector = VideoDetector(cfg, checkpoint, 'cpu')
    for video in (frames, Wrapped(frames)):
        assert_same(list(detector.detect_video(video)), expected)
    batched = list(detector.detect_video(frames, batch_size=4))
    assert_same(batched, expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match='num_support_frames is for .* spread'):
        detector.detect_video(frames, num_support_frames=3)

    # Up to a fault, the frames before it support one another.
    part = list(detector.detect_video(frames[:4]))
    for faulty in ([*frames[:4], frames[4][:32], frames[5]],):
        for video in (faulty, Wrapped(faulty)):
            results = []
            with pytest.raises(VideoError, match='frame 4 has the size'):
                for result in detector.detect_video(video):
                    results.append(result)
            assert_same(results, part)


def test_past_frames_as_in_a_test_run(
    data_root: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    cfg = make_online(make_config(data_root))
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    expected = of_first_video(test_on_dataset(cfg, checkpoint))
    detector = VideoDetector(cfg, checkpoint, 'cpu')
    assert_same(list(detector.detect_video(frames)), expected)
    # Nothing is read ahead, so once is enough.
    assert_same(list(detector.detect_video(iter(frames))), expected)


def test_support_frames_at_random_are_refused(
    data_root: Path, frames: list[np.ndarray]
) -> None:
    cfg = make_config(data_root)
    cfg.test_dataloader.dataset.ref_img_sampler.method = 'bilateral_uniform'
    with pytest.raises(ValueError, match='"bilateral_uniform", which draws .* random'):
        VideoDetector(cfg, device='cpu').detect_video(frames)


def test_support_frames_of_the_whole_video_count(
    detector: VideoDetector, frames: list[np.ndarray]
) -> None:
    first = next(detector.detect_video(frames))
    dark_end = [*frames[:-1], np.zeros_like(frames[0])]
    other = next(detector.detect_video(dark_end))
    assert not torch.equal(
        first.pred_det_instances.scores, other.pred_det_instances.scores
    )


def test_streams_do_not_mix(detector: VideoDetector, frames: list[np.ndarray]) -> None:
    policy = PastSupport(num_frames=2, interval=2)
    videos = [frames, frames[::-1], [frame[:, :64].copy() for frame in frames]]
    alone = [list(detector.stream(policy).run(video)) for video in videos]
    streams = [detector.stream(policy) for _ in videos]
    together: list[list[TrackDataSample]] = [[] for _ in videos]
    for images in zip(*videos):
        next(detector.detect_video(frames))  # nor with whole videos
        for results, result in zip(together, detector.push(streams, images)):
            results.append(result)
    for results, expected in zip(together, alone):
        assert_same(results, expected, rtol=1e-4, atol=1e-3)
    assert [stream.num_frames for stream in streams] == [len(frames)] * 3
    with pytest.raises(ValueError, match='got 3 streams for 1 frames'):
        detector.push(streams, frames[:1])


def test_no_stream_goes_on_if_one_fails(
    detector: VideoDetector, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [frame[:, :64].copy() for frame in frames]
    streams = [detector.stream(), detector.stream()]
    expected = [detector.push(streams, pair) for pair in zip(frames, small)]

    streams = [detector.stream(), detector.stream()]
    image_detector = detector.model.detector
    predict, calls = image_detector.predict, []

    def fail_on_the_second_size(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError('out of memory')
        return predict(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(image_detector, 'predict', fail_on_the_second_size)
        with pytest.raises(RuntimeError, match='out of memory'):
            detector.push(streams, (frames[0], small[0]))
    assert [stream.num_frames for stream in streams] == [0, 0]
    again = [detector.push(streams, pair) for pair in zip(frames, small)]
    for results, wanted in zip(again, expected):
        assert_same(results, wanted)


def test_threads_share_a_detector(
    detector: VideoDetector, frames: list[np.ndarray]
) -> None:
    videos = [frames[:3], frames[:2:-1]]
    alone = [list(detector.detect_video(video)) for video in videos]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda video: list(detector.detect_video(video)), videos)
    for results, expected in zip(together, alone):
        assert_same(results, expected)


def test_stream_uses_no_future_frames(
    detector: VideoDetector, frames: list[np.ndarray]
) -> None:
    first, second = (
        [detector.stream().push(frames[0])],
        list(detector.stream().run(frames)),
    )
    assert_same(first, second[:1])


class Generated:
    """A video that counts how many of its frames are kept at a time."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.most = 0
        self.kept: list[weakref.ref] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        for i in range(self.length):
            frame = np.full((64, 96, 3), i, np.uint8)
            self.kept = [ref for ref in self.kept if ref() is not None]
            self.kept.append(weakref.ref(frame))
            self.most = max(self.most, len(self.kept))
            yield frame


@pytest.mark.slow
@pytest.mark.parametrize('online', [False, True])
def test_bounded_memory(detector: VideoDetector, online: bool) -> None:
    video = Generated(40)
    if online:
        results = detector.stream().run(video, batch_size=2)
    else:
        results = detector.detect_video(video, batch_size=2)
    assert [result.frame_id for result in results] == list(range(40))
    # Four support frames, two of the batch, two of the batch before, one to come.
    assert 2 <= video.most <= 9


def test_results(detector: VideoDetector, video_dir: Path) -> None:
    paths = sorted(map(str, video_dir.iterdir()))
    pairs = list(detector.detect_video(paths, with_frames=True))
    for path, (image, result) in zip(paths, pairs):
        assert np.array_equal(image, mmcv.imread(path))
        assert result.img_path == path and result.ori_shape == (64, 96)
        boxes = result.pred_det_instances.bboxes
        assert boxes.device.type == 'cpu' and not boxes.requires_grad
        assert boxes[:, 2].max() > 90 and boxes[:, 2::2].max() <= 96


def test_faulty_frames(detector: VideoDetector, frames: list[np.ndarray]) -> None:
    """What comes before is detected, with the support of its like."""
    expected = list(detector.detect_video(frames[:3]))
    for frame, message in (
        (frames[3][:32], 'frame 3 has the size 96x32, the frames before it .* 96x64'),
        (frames[3].astype(np.float32), 'frame 3: expected .* got .*float32'),
        ('no_such.jpg', 'frame 3: .*no_such.jpg'),
    ):
        video = [*frames[:3], frame, *frames[4:]]
        for source in (video, Wrapped(video)):
            results = []
            with pytest.raises(VideoError, match=message):
                for result in detector.detect_video(source):
                    results.append(result)
            assert_same(results, expected)
    stream = detector.stream()
    stream.push(frames[0])
    with pytest.raises(VideoError, match='frame 1 has the size'):
        stream.push(frames[1][:32])
    stream.push(frames[1])
    assert stream.num_frames == 2


def test_unusable_videos(detector: VideoDetector, frames: list[np.ndarray]) -> None:
    for empty in ([], Wrapped([])):
        with pytest.raises(VideoError, match='zero frames'):
            list(detector.detect_video(empty))
        with pytest.raises(VideoError, match='zero frames'):
            list(detector.stream().run(empty))
    with pytest.raises(TypeError, match='only once; detect online'):
        detector.detect_video(iter(frames))
    assert len(list(detector.stream().run(iter(frames)))) == 6
    with pytest.raises(FileNotFoundError, match='no_such.mp4 does not exist'):
        detector.detect_video('no_such.mp4')
    with pytest.raises(ValueError, match='batch_size must be >= 1'):
        list(detector.detect_video(frames, batch_size=0))


def test_selsa_is_not_for_streams(data_root: Path) -> None:
    detector = VideoDetector(make_config(data_root, **MODEL_OF['selsa']), device='cpu')
    with pytest.raises(TypeError, match='cannot detect online; use detect_video'):
        detector.stream()


def test_class_names(data_root: Path, tmp_path: Path) -> None:
    cfg = make_config(data_root)
    assert VideoDetector(cfg, device='cpu').classes == CLASSES
    names = tuple(f'class {i}' for i in range(30))
    plain = save_weights(cfg, tmp_path / 'plain.pth')
    named = save_weights(cfg, tmp_path / 'named.pth', dataset_meta=dict(CLASSES=names))
    assert VideoDetector(cfg, plain, 'cpu').classes == CLASSES
    assert VideoDetector(cfg, named, 'cpu').classes == names
    cfg.test_dataloader.dataset.metainfo = dict(CLASSES=names)
    assert VideoDetector(cfg, plain, 'cpu').classes == names
    cfg.test_dataloader.dataset.metainfo = dict(CLASSES=('dog', 'cat'))
    for checkpoint in (None, plain):
        with pytest.raises(ValueError, match=r"(?s)num_classes=30.*\['dog', 'cat'\]"):
            VideoDetector(cfg, checkpoint, 'cpu')
    assert VideoDetector(cfg, named, 'cpu').classes == names


def test_bad_checkpoints_and_configs(data_root: Path, tmp_path: Path) -> None:
    cfg = make_config(data_root)
    other = make_config(data_root, **MODEL_OF['single frame'])
    with pytest.raises(
        ValueError, match='(?s)does not fit the model.*prompt_predictor'
    ):
        VideoDetector(cfg, save_weights(other, tmp_path / 'other.pth'), 'cpu')
    with pytest.raises(FileNotFoundError, match='no_such.py'):
        VideoDetector('no_such.py')
    other.model = dict(
        type='SELSA', detector=make_config(data_root, type='STPNSelsa').model.detector
    )
    with pytest.raises(TypeError, match='not SELSA; use init_model and inference_vid'):
        VideoDetector(other, device='cpu')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['attention', 'selsa'])
def test_amp_on_cpu(name: str, data_root: Path, video_dir: Path) -> None:
    cfg = make_config(data_root, **MODEL_OF[name])
    plain = save_weights(cfg, data_root / 'amp.pth')
    if not has_operators_for(torch.bfloat16, torch.device('cpu')):
        with pytest.raises(ValueError, match='operators.*bfloat16.*use amp=False'):
            VideoDetector(cfg, plain, 'cpu', amp=True)
        return
    results, exact = (
        list(VideoDetector(cfg, plain, 'cpu', amp=amp).detect_video(video_dir, 3))
        for amp in (True, False)
    )
    assert_close_detections(results, exact)


def assert_close_detections(
    results: list[TrackDataSample], exact: list[TrackDataSample]
) -> None:
    """The best scores agree roughly, and are not the very same."""
    for result, wanted in zip(results, exact):
        scores = result.pred_det_instances.scores.float()
        assert not torch.equal(scores, wanted.pred_det_instances.scores)
        torch.testing.assert_close(
            scores[:10], wanted.pred_det_instances.scores[:10], rtol=0.1, atol=0.01
        )


@pytest.mark.gpu
@pytest.mark.parametrize('name', ['attention', 'deep', 'selsa'])
def test_gpu(name: str, data_root: Path, video_dir: Path) -> None:
    cfg = make_config(data_root, **MODEL_OF[name])
    weights = save_weights(cfg, data_root / 'gpu.pth')
    on_cpu = list(VideoDetector(cfg, weights, 'cpu').detect_video(video_dir))
    on_gpu = list(VideoDetector(cfg, weights, 'cuda').detect_video(video_dir, 4))
    for result, wanted in zip(on_gpu, on_cpu):
        assert result.pred_det_instances.bboxes.device.type == 'cpu'
        torch.testing.assert_close(
            result.pred_det_instances.scores[:20],
            wanted.pred_det_instances.scores[:20],
            rtol=0.02,  # convolutions may use TF32
            atol=1e-3,
        )
    for amp in (torch.float16, torch.bfloat16):
        detector = VideoDetector(cfg, weights, 'cuda', amp=amp)
        assert_close_detections(list(detector.detect_video(video_dir, 4)), on_cpu)
