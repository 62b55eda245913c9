"""Metric of AP by motion speed."""

from __future__ import annotations

from collections import OrderedDict
from typing import Sequence

import numpy as np
from mmengine.fileio import exists
from mmengine.logging import MMLogger
from mmtrack.evaluation import BaseVideoMetric
from mmtrack.registry import METRICS

from ...utils import classes_in, text_table
from ..functional import MOTION_RANGES, VIDMotionEvaluator, nanmean
from ..ground_truth import VIDGroundTruth, load_vid_ground_truth
from ..result_files import write_coco_json, write_vid_submission


@METRICS.register_module()
class VIDMotionMetric(BaseVideoMetric):
    """AP on ImageNet VID by the speed of the objects.

    The measure of FGFA (https://arxiv.org/abs/1703.10025) and its successors:
    AP over all objects and over the fast, medium and slow ones alone. The rules
    are those of :class:`~stpn_plugin.evaluation.VIDMotionEvaluator`.

    Part of a set can be scored, too: the videos that were tested, say. The APs then
    are those of the images with results as a set of their own, but for the motion IoUs,
    which are taken from the whole of ``ann_file``. The log says that it is a part, and
    so does what is reported: ``num_images`` and ``num_images_in_file``.

    It reports, for all objects, ``AP50`` (the published number), ``AP75`` and
    ``AP`` (mean over the IoU thresholds 0.5, 0.55, ..., 0.95), and the same with
    ``_fast``, ``_medium`` and ``_slow`` appended; nan where there is no such
    object. A table by class is logged.

    Args:
        ann_file: Path of the CocoVID annotation file.
        motion_iou_file: Path of FGFA's ``vid_groundtruth_motion_iou.mat`` for ImageNet
            VID's validation set. By default the motion IoUs are computed from the
            annotations.
        iou_thrs: IoU thresholds to report instead, each as ``AP<percent>``, and if
            there are several, the mean over them as ``AP``.
        classwise: Whether to report every class, too, at the first of the thresholds,
            as for example ``AP50_fast/zebra``. Defaults to False.
        format_only: Only write result files, do not evaluate; needs ``outfile_prefix``.
            Defaults to False.
        outfile_prefix: If given, detections are written to ``<outfile_prefix>.txt`` in
            the format of an ILSVRC VID submission (frames numbered from 1 in the order
            of ``ann_file``, class ids as in it; frames without results are skipped) and
            to ``<outfile_prefix>.bbox.json`` in that of COCO.
        collect_device: Device name used for collecting results from different ranks.
            mmtrack knows 'cpu' only. Defaults to 'cpu'.
        prefix: Prefix of the reported names. Defaults to 'vid'.

    Raises:
        FileNotFoundError: If ``ann_file`` or ``motion_iou_file`` does not exist.
        ValueError: If ``format_only`` comes without ``outfile_prefix`` or a
            threshold is not in (0, 1].
    """

    default_prefix: str | None = 'vid'

    def __init__(
        self,
        ann_file: str,
        motion_iou_file: str | None = None,
        iou_thrs: Sequence[float] | None = None,
        classwise: bool = False,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for path in (ann_file, motion_iou_file):
            if path is not None and not exists(path):
                raise FileNotFoundError(f'VIDMotionMetric: {path} does not exist')
        if format_only and outfile_prefix is None:
            raise ValueError('VIDMotionMetric: format_only needs outfile_prefix')
        self.ann_file = ann_file
        self.motion_iou_file = motion_iou_file
        if iou_thrs is None:
            self.iou_thrs = [percent / 100 for percent in range(50, 100, 5)]
            self.reported_thrs = [0.5, 0.75]
        else:
            self.iou_thrs = self.reported_thrs = list(iou_thrs)
        if not self.iou_thrs or not all(0 < thr <= 1 for thr in self.iou_thrs):
            raise ValueError(
                f'VIDMotionMetric: iou_thrs must lie in (0, 1], not {iou_thrs}'
            )
        self.classwise = classwise
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self._ground_truth: VIDGroundTruth | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the detections of a batch.

        Args:
            data_batch: The batch, not used.
            data_samples: Per image, ``img_id`` and ``pred_det_instances`` with
                ``bboxes`` (n, 4), ``labels`` (n, ) and ``scores`` (n, ).
        """
        for data_sample in data_samples:
            pred = data_sample['pred_det_instances']
            self.results.append(
                dict(
                    img_id=data_sample['img_id'],
                    bboxes=pred['bboxes'].float().cpu().numpy(),
                    labels=pred['labels'].cpu().numpy(),
                    scores=pred['scores'].float().cpu().numpy(),
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the APs of the images with results.

        Args:
            results: What :meth:`process` kept on all ranks.

        Returns:
            APs by name, in [0, 1] or nan, and the numbers of images if only a part was
            scored; empty with ``format_only``.

        Raises:
            ValueError: If there are no results, they are of images or classes that
                the data set does not have, or ``ann_file`` has no annotations.
        """
        logger = MMLogger.get_current_instance()
        part, dets = self.scored_part(results)
        number, in_file = len(dets), len(self.load_ground_truth().image_ids)
        if number < in_file:
            logger.warning(
                f'Only {number} of {in_file} images in {self.ann_file} have results; '
                'what follows is about this part'
            )
        if self.outfile_prefix is not None:
            self._write_files(part, dets, logger)
        if self.format_only:
            return OrderedDict()
        if part.gts is None:
            raise ValueError(
                f'{self.ann_file} has no annotations to evaluate with; for result '
                'files alone set format_only'
            )

        logger.info(f'Evaluating AP by motion speed on {number} of {in_file} images...')
        evaluator = VIDMotionEvaluator(part.gts, dets, len(self._classes))
        aps = {  # (thresholds, classes) each
            name: np.stack(
                [evaluator.average_precision(thr, limits) for thr in self.iou_thrs]
            )
            for name, limits in MOTION_RANGES.items()
        }
        self._log_tables(aps, evaluator, logger)
        metrics = self._named(aps)
        if number < in_file:
            metrics.update(num_images=number, num_images_in_file=in_file)
        return metrics

    def _write_files(
        self, part: VIDGroundTruth, dets: list[dict], logger: MMLogger
    ) -> None:
        """Write the result files of the images with results."""
        submission = f'{self.outfile_prefix}.txt'
        scored = dict(zip(part.image_ids, dets))
        nothing: dict = dict(bboxes=[], labels=[], scores=[])
        # Frames go by their place in the whole file.
        frames = [scored.get(i, nothing) for i in self.load_ground_truth().image_ids]
        write_vid_submission(submission, frames, part.category_ids)
        coco_json = f'{self.outfile_prefix}.bbox.json'
        write_coco_json(coco_json, dets, part.image_ids, part.category_ids)
        logger.info(f'Detections are saved in {submission} and {coco_json}')

    @property
    def _classes(self) -> Sequence[str]:
        """Names of the classes, in the order of their labels."""
        classes = classes_in(self.dataset_meta)
        if classes is None:
            raise ValueError(
                "VIDMotionMetric: dataset_meta has no 'classes'; set the metainfo of "
                'the dataset'
            )
        return classes

    def load_ground_truth(self) -> VIDGroundTruth:
        """Ground truth of ``ann_file``, which is read once."""
        if self._ground_truth is None:
            self._ground_truth = load_vid_ground_truth(
                self.ann_file, self._classes, self.motion_iou_file
            )
        return self._ground_truth

    def scored_part(self, results: list[dict]) -> tuple[VIDGroundTruth, list[dict]]:
        """Images with results, which may be a part of the annotation file's.

        Args:
            results: What :meth:`process` kept, in any order.

        Returns:
            The images with results in the order of the annotation file, and one result
            for each.

        Raises:
            ValueError: If there are no results, or they are of images or classes that
                the data set does not have.
        """
        truth = self.load_ground_truth()
        # A sampler that evens out the ranks may repeat images.
        by_image = {result['img_id']: result for result in results}
        unknown = sorted(by_image.keys() - set(truth.image_ids))
        if unknown:
            raise ValueError(
                f'{len(unknown)} images with results are not in {self.ann_file}, the '
                f'first has id {unknown[0]}; the metric and the dataset need the same '
                'annotation file, or the metric one that has all images of the '
                "dataset's"
            )
        if not by_image:
            raise ValueError(
                f'none of the {len(truth.image_ids)} images in {self.ann_file} has a '
                'result; was the dataset empty?'
            )
        part = truth.part(by_image)
        dets = [by_image[image_id] for image_id in part.image_ids]
        num_classes = len(self._classes)
        highest = max(
            (det['labels'].max() for det in dets if len(det['labels'])), default=0
        )
        if highest >= num_classes:
            raise ValueError(
                f'a detection has label {highest}, but the dataset has {num_classes} '
                'classes; set num_classes of the model accordingly'
            )
        return part, dets

    def _named(self, aps: dict[str, np.ndarray]) -> dict[str, float]:
        """Values by the names under which they are reported."""
        metrics = OrderedDict()
        for name, by_threshold in aps.items():
            suffix = '' if name == 'all' else f'_{name}'
            if len(self.iou_thrs) > 1:
                metrics[f'AP{suffix}'] = nanmean(by_threshold)
            for thr in self.reported_thrs:
                ap = by_threshold[self.iou_thrs.index(thr)]
                metrics[f'{_ap_name(thr)}{suffix}'] = nanmean(ap)
        if self.classwise:
            ap_name = _ap_name(self.iou_thrs[0])
            for name, by_threshold in aps.items():
                suffix = '' if name == 'all' else f'_{name}'
                for class_name, ap in zip(self._classes, by_threshold[0]):
                    metrics[f'{ap_name}{suffix}/{class_name}'] = float(ap)
        return metrics

    def _log_tables(
        self,
        aps: dict[str, np.ndarray],
        evaluator: VIDMotionEvaluator,
        logger: MMLogger,
    ) -> None:
        """Log the APs by class at the first threshold."""
        num_boxes = np.bincount(evaluator.gt_labels, minlength=len(self._classes))
        rows = [['class', 'boxes', *aps]]
        for label, class_name in enumerate(self._classes):
            values = [f'{by_threshold[0, label]:.3f}' for by_threshold in aps.values()]
            rows.append([class_name, num_boxes[label], *values])
        means = [f'{nanmean(by_threshold[0]):.3f}' for by_threshold in aps.values()]
        rows.append(['mean', num_boxes.sum(), *means])
        ap_name = _ap_name(self.iou_thrs[0])
        table = text_table(rows, total=True)
        logger.info(f'{ap_name} by motion speed\n{table}')


def _ap_name(iou_thr: float) -> str:
    return f'AP{iou_thr * 100:g}'
