"""Hook that draws the detections of a test run."""

from __future__ import annotations

import os.path as osp
from contextlib import ExitStack
from typing import Any, Iterable, Sequence

import mmcv
from matplotlib import rc_context
from mmengine.runner import Runner
from mmtrack.engine import TrackVisualizationHook
from mmtrack.registry import HOOKS
from mmtrack.structures import TrackDataSample

from ...datasets import VideoFrameReader, as_video_frame
from ...utils import whole_path


@HOOKS.register_module()
class VideoVisualizationHook(TrackVisualizationHook):
    """Draw the detections of a test run into a folder per video.

    Frames are numbered per video, so those of one video overwrite those of another
    with the stock hook, which also nests a relative ``test_out_dir`` once more for
    every frame. Here files are named ``<test_out_dir>/<folder of the frame>/<frame>``,
    with as many of the folders above it as it takes to tell all folders of the dataset
    apart: ``A/img1/000001.jpg`` and ``B/img1/000001.jpg`` keep their ``A`` and ``B``.

    The arguments are those of ``TrackVisualizationHook``. It goes with mmtrack's
    ``DetLocalVisualizer``; with several processes, the first one draws its frames.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._depth = 1  # number of folders in a name
        self._videos = VideoFrameReader(max_open=2)

    def before_test(self, runner: Runner) -> None:
        """Find out how many folders tell the videos of the dataset apart.

        Args:
            runner: The runner of the test.
        """
        if not self.draw:
            return
        dataset = runner.test_dataloader.dataset
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        self._depth = distinct_depth(osp.dirname(path) for path in paths)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[TrackDataSample],
    ) -> None:
        """Draw every ``interval``-th batch.

        Args:
            runner: The runner of the test.
            batch_idx: Index of the batch in the test loop.
            data_batch: What the model was given.
            outputs: Its predictions, one per image.
        """
        if not self.draw or not self.every_n_inner_iters(batch_idx, self.interval):
            return
        for output in outputs:
            folder, frame = osp.split(output.img_path)
            in_video = as_video_frame(output.img_path)
            if in_video is not None:
                image, frame = mmcv.bgr2rgb(self._videos.read(in_video)), f'{frame}.jpg'
            else:
                content = self.file_client.get(output.img_path)
                image = mmcv.imfrombytes(content, channel_order='rgb')
            video = '/'.join(_parts(folder)[-self._depth :])
            with ExitStack() as stack:
                # Class names are no formulas.
                stack.enter_context(rc_context({'text.parse_math': False}))
                out_file = None
                if self.test_out_dir:
                    path = osp.join(self.test_out_dir, video, frame)
                    out_file = stack.enter_context(whole_path(path))
                self._visualizer.add_datasample(
                    f'{video}/{frame}' if self.show else 'test_img',
                    image,
                    data_sample=output,
                    draw_gt=False,
                    show=self.show,
                    wait_time=self.wait_time,
                    pred_score_thr=self.score_thr,
                    out_file=out_file,
                    step=batch_idx,
                )


def distinct_depth(folders: Iterable[str]) -> int:
    """How many of its last parts tell each of some folders from the others.

    Args:
        folders: Paths of folders; they may repeat.

    Returns:
        The number, at least 1.
    """
    distinct = {_parts(folder) for folder in folders}
    depth = 1
    while len({parts[-depth:] for parts in distinct}) < len(distinct):
        depth += 1
    return depth


def _parts(folder: str) -> tuple[str, ...]:
    """Names of the folders that lead to a folder, from the root."""
    return tuple(osp.abspath(folder).strip('/').split('/'))
