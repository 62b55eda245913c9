"""Predictions of a whole dataset in one file."""

from __future__ import annotations

import os
import os.path as osp
from typing import Any, Sequence

from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.fileio import dump
from mmengine.logging import print_log
from mmtrack.evaluation import BaseVideoMetric
from mmtrack.registry import METRICS

from ...utils import whole_binary
from ..prediction_files import write_predictions


@METRICS.register_module()
class DumpVideoResults(BaseVideoMetric, DumpResults):
    """Write the predictions of a video dataset to a file.

    The file holds a list with one dict per image, in the order of the dataset for any
    number of processes (mmengine's ``DumpResults`` interleaves the processes, which
    mixes the videos): the fields of the image's ``TrackDataSample``, tensors on the
    CPU. ``Evaluator.offline_evaluate`` accepts such a list.

    Args:
        out_file_path: Path of the file. Ending with ``.npz`` it is an archive of
            arrays, which is smaller, read faster and cannot hold code, see
            :mod:`stpn_plugin.evaluation.prediction_files`; with ``.pkl`` or ``.pickle``
            a pickle, as mmengine's ``DumpResults`` writes it. Missing folders are made.
    """

    def __init__(self, out_file_path: str) -> None:
        if not out_file_path.endswith(('.npz', '.pkl', '.pickle')):
            raise ValueError(f'{out_file_path} must end with .npz, .pkl or .pickle')
        # Not that of `DumpResults`, which refuses any ending but a pickle's.
        BaseMetric.__init__(self, collect_device='cpu')
        self.out_file_path = out_file_path
        os.makedirs(osp.dirname(osp.abspath(out_file_path)), exist_ok=True)

    def process(self, data_batch: Any, predictions: Sequence[dict]) -> None:
        """Take over the predictions of a batch.

        Args:
            data_batch: What the model was given.
            predictions: Its predictions, one per image.
        """
        # `pred_track_instances` are the same detections, for a visualizer.
        predictions = [
            {k: v for k, v in prediction.items() if k != 'pred_track_instances'}
            for prediction in predictions
        ]
        super().process(data_batch, predictions)

    def compute_metrics(self, results: list) -> dict:
        """Write the file.

        Args:
            results: Predictions of all images.

        Returns:
            No metrics.
        """
        with whole_binary(self.out_file_path) as file:
            if self.out_file_path.endswith('.npz'):
                write_predictions(file, results)
            else:
                dump(results, file, file_format='pkl')
        print_log(f'Predictions written to {self.out_file_path}', logger='current')
        return {}
