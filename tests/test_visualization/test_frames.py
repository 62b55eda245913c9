from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from mmengine.config import Config

from stpn_plugin.builders import build_dataset
from stpn_plugin.evaluation import load_saved_run
from stpn_plugin.visualization import (
    find_video,
    least_sharp,
    pick_worst,
    plot_sample,
    plot_worst_frames,
)
from stpn_plugin.visualization.frames import (
    FOUND,
    MISSED,
    RIGHT,
    WRONG,
    draw_boxes,
    draw_detections,
    load_rgb,
)


def boxes_of(ax: object) -> list:
    return [
        (*box.get_bbox().extents.round().tolist(), to_hex(box.get_edgecolor()).upper())
        for box in ax.patches
    ]


def test_detections_are_coloured_by_whether_they_are_right(images: list) -> None:
    gt = dict(bboxes=np.array([[0, 0, 40, 40.0]]), labels=np.array([1]))
    det = dict(
        bboxes=np.array([[0, 0, 20, 9.0], [0, 0, 41, 40], [0, 0, 40, 40]]),
        labels=np.array([1, 0, 1]),
        scores=np.array([0.2, 0.6, 0.7]),
    )
    ax = Figure().subplots()
    draw_detections(ax, images[0], gt, det, ('cat', 'dog'), score_thr=0.3)
    assert boxes_of(ax) == [
        (0, 0, 40, 40, FOUND),
        (0, 0, 41, 40, WRONG),
        (0, 0, 40, 40, RIGHT),
    ]
    assert [text.get_text() for text in ax.texts] == ['dog', 'cat: 60.0', 'dog: 70.0']
    assert np.array_equal(ax.images[0].get_array(), images[0])


def test_missed_objects_have_a_colour_of_their_own(images: list) -> None:
    gt = dict(bboxes=np.array([[0, 0, 40, 40.0], [50, 0, 90, 40]]), labels=[1, 1])
    det = dict(
        bboxes=np.array([[0, 0, 40, 40.0], [50, 0, 90, 40]]),
        labels=np.array([1, 1]),
        scores=np.array([0.7, 0.2]),  # the second one is not shown
    )
    ax = Figure().subplots()
    draw_detections(ax, images[0], gt, det, ('cat', 'dog'), score_thr=0.3)
    colors = [color for *_, color in boxes_of(ax)]
    assert colors == [FOUND, MISSED, RIGHT]


def test_labels_leave_small_objects_visible(images: list) -> None:
    small = np.array([[40, 30, 46, 36.0], [90, 30, 95, 36], [40, 1, 46, 7]])
    figure = Figure()
    ax = figure.subplots()
    ax.imshow(images[0])
    draw_boxes(ax, small, ['a long name'] * 3, ['#009E73'] * 3)
    draw_boxes(ax, small[:1], ['a long name'], ['#56B4E9'], dashed=True)
    figure.canvas.draw()
    places = [text.get_window_extent() for text in ax.texts]
    frame = ax.get_window_extent()
    for place, box in zip(places[:2] + places[3:], ax.patches[:2] + ax.patches[3:]):
        assert not place.overlaps(box.get_window_extent().padded(-3))
        assert frame.x0 <= place.x0 and place.x1 <= frame.x1
    # At the border of the frame there is no room above.
    assert places[2].y1 <= frame.y1 + 3


def test_pick_worst() -> None:
    scores = np.array([0.5, 0.0, 0.1, 0.9, 0.8, 0.3])
    videos = ['a', 'a', 'a', 'b', 'b', 'c']
    assert pick_worst(scores, videos, 3).tolist() == [1, 5, 4]
    assert pick_worst(scores, videos, 4).tolist() == [1, 2, 5, 4]
    assert pick_worst(scores, videos, 99).tolist() == [1, 2, 5, 0, 4, 3]


def test_worst_frames(cfg: Config, results: Path) -> None:
    run = load_saved_run(cfg, str(results))
    figure = plot_worst_frames(run, 3)
    titles = [ax.get_title() for ax in figure.axes]
    # All of the second video is wrong; then the least confident of the first.
    assert titles[0] == 'ILSVRC2015_val_00000001/000000\nframe score 0.00'
    assert titles[-1] == 'ILSVRC2015_val_00000000/000003\nframe score 0.87'
    assert boxes_of(figure.axes[-1]) == [
        (20, 16, 52, 48, FOUND),
        (20, 16, 52, 48, RIGHT),
    ]
    assert boxes_of(figure.axes[0])[1][-1] == WRONG


def test_worst_frames_without_files(cfg: Config, results: Path) -> None:
    run = load_saved_run(cfg, str(results))
    with pytest.raises(ValueError, match='meta_keys of PackTrackInputs'):
        plot_worst_frames(run._replace(img_paths=[None] * 9))
    with pytest.raises(FileNotFoundError, match='nowhere.jpg does not exist'):
        plot_worst_frames(run._replace(img_paths=['nowhere.jpg'] * 9))
    with pytest.raises(ValueError, match='cannot show 0 of 9'):
        plot_worst_frames(run, 0)


def test_load_frame(tmp_path: Path) -> None:
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(ValueError, match='cannot be read as an image'):
        load_rgb(str(tmp_path / 'a.jpg'))


def test_find_video(cfg: Config) -> None:
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    assert video.indices == [0, 1, 2, 3]
    second = find_video(dataset, 'ILSVRC2015_val_00000001')
    assert second.indices == [4, 5, 6, 7, 8]
    assert second.gts[1]['bboxes'].tolist() == [[12, 16, 44, 48]]
    assert second.gts[1]['labels'].tolist() == [1]
    for name in ('00000001', 'nothing'):
        with pytest.raises(ValueError, match=f'0 videos match .{name}.*has 2, such as'):
            find_video(dataset, name)


def test_least_sharp(tmp_path: Path) -> None:
    import cv2

    sharp = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    paths = []
    for i, sigma in enumerate((1, 5, 0.1, 3)):
        paths.append(str(tmp_path / f'{i}.png'))
        cv2.imwrite(paths[-1], cv2.GaussianBlur(sharp, (0, 0), sigma))
    assert least_sharp(paths, 2) == [1, 3]
    assert least_sharp(paths, 9) == [0, 1, 2, 3]


def test_training_sample(cfg: Config) -> None:
    dataset = build_dataset(cfg, 'train')
    data = dataset[1]
    figure = plot_sample(data, dataset.metainfo['CLASSES'])
    key, *support = figure.axes
    assert len(support) == 2
    for ax, img in zip(
        figure.axes, [*data['inputs']['img'], *data['inputs']['ref_img']]
    ):
        rgb = img.numpy().transpose(1, 2, 0)[..., ::-1]
        assert np.array_equal(ax.images[0].get_array(), rgb)
    assert key.get_title() == 'key: frame 1, 96 × 64 px'
    # The object moves 4 pixels a frame; the sample may be flipped.
    for ax in figure.axes:
        frame = int(ax.get_title().split('frame ')[1].split(',')[0])
        left = 8 + 4 * frame
        flipped = data['data_samples'].metainfo['flip']
        left = 96 - left - 32 if flipped else left
        ((x1, y1, x2, y2, _),) = boxes_of(ax)
        assert (x1, y1, x2, y2) == (left, 16, left + 32, 48)
        assert ax.texts[0].get_text() == 'airplane'


def test_still_image(cfg: Config) -> None:
    dataset = build_dataset(cfg, 'train')
    figure = plot_sample(dataset[len(dataset) - 1], dataset.metainfo['CLASSES'])
    assert figure.axes[0].get_title() == 'key: still image, 96 × 64 px'


def test_sample_without_annotations(cfg: Config) -> None:
    dataset = build_dataset(cfg, 'val')
    figure = plot_sample(dataset[1], dataset.metainfo['CLASSES'])
    assert 'loads no annotations' in figure.texts[0].get_text()
    (ax,) = figure.axes  # only frame 0 brings support frames
    assert not ax.patches
    assert len(plot_sample(dataset[0], dataset.metainfo['CLASSES']).axes) == 3


def test_no_such_phase(cfg: Config) -> None:
    cfg.pop('val_dataloader')
    with pytest.raises(ValueError, match='no val_dataloader'):
        build_dataset(cfg, 'val')
