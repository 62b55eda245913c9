"""The few adaptations that stock MMTracking 1.0.0rc1 needs on today's stack.

This is the only place where anything outside this package is touched. Every entry is
one function that names the symptom it cures and the versions that show it; each is
harmless where the symptom does not occur, and may be called any number of times.
:func:`apply` is called when ``stpn_plugin`` is imported, hence before a config that
lists it in ``custom_imports`` reads data or checkpoints.
"""

from __future__ import annotations

import builtins
import functools
import importlib.util
import json
import logging
import os.path as osp
import pickle
import pkgutil
import weakref
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, Callable, Sequence

import mmengine.fileio as fileio
import numpy as np
import torch
from mmcv.transforms.utils import cache_randomness
from mmcv.utils import ext_loader
from mmengine.logging import HistoryBuffer, print_log
from mmengine.utils import digit_version
from mmengine.utils.dl_utils import misc
from pycocotools.cocoeval import COCOeval

from .utils.numeric_arrays import plain_array, plain_dtype, with_dtype_state
from .utils.stand_ins import history_buffer


def apply() -> None:
    """Apply every adaptation that works by being applied at import."""
    restore_numpy_aliases()
    find_operators_without_loaders()
    trust_mmengine_checkpoints()
    shorten_refusals_of_torch()
    load_checkpoints_as_data()
    bind_cached_randomness()
    check_annotation_files()
    check_image_files()
    name_files_of_samples()
    number_categories_by_class_names()
    take_indices_of_video_datasets()
    score_parts_with_coco()
    give_masktrack_ids_once()
    label_mask2former_on_its_device()
    crop_boxes_of_numpy_arrays()
    score_all_frames_of_a_batch()
    score_video_masks_again()
    end_mot_metrics_that_were_not_built()
    lay_out_configs_once()


def restore_numpy_aliases() -> None:
    """Give numpy its old names for Python's own types back, where they are missing.

    Symptom: ``AttributeError: module 'numpy' has no attribute 'bool'`` (or ``int``,
    ``float``) from mmdet's and mmtrack's ``LoadAnnotations``, ``RandomCrop``,
    ``MeanTransforms``, box samplers and evaluation.

    Versions: numpy 1.24 removed all of them; numpy 2.0 brought ``bool`` back, as its
    own scalar type, which is left alone.
    """
    if np.lib.NumpyVersion(np.__version__) < '1.24.0':
        return
    for name in ('bool', 'int', 'float', 'object', 'str'):
        # Not `hasattr`: numpy 1.24 to 1.26 warn when asked for some of these names.
        if name not in vars(np):
            setattr(np, name, getattr(builtins, name))


def find_operators_without_loaders() -> None:
    """Let mmengine and mmcv look for mmcv's operators on a Python without loaders.

    Symptom: ``AttributeError: module 'pkgutil' has no attribute 'find_loader'`` when
    mmengine makes an optimizer, or replaces ``SyncBatchNorm``.

    Versions: Python 3.14 removed the function; mmengine 0.10.7, mmcv 2.0.0rc4. Nothing
    of ``pkgutil`` is changed, but what these two modules take for it.
    """
    if hasattr(pkgutil, 'find_loader'):
        return
    for module in (misc, ext_loader):
        module.pkgutil = SimpleNamespace(find_loader=importlib.util.find_spec)


def trust_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read what mmengine's Runner writes.

    Symptom: ``UnpicklingError: Weights only load failed. ... Unsupported global: GLOBAL
    mmengine.logging.history_buffer.HistoryBuffer`` when testing or resuming from a
    checkpoint of one's own.

    Versions: torch 2.6 made ``weights_only=True`` the default; mmengine up to 0.10.7
    does not declare the classes that its message hub puts into a checkpoint.

    Neither numpy's functions nor ``HistoryBuffer`` are declared, but stand-ins under
    their names: numpy's make arrays of objects, whose addresses a file could choose,
    and ``HistoryBuffer`` takes methods for all histories from a file. The stand-ins
    make arrays of numbers or text that have their bytes, and histories of numbers.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        return
    # numpy 2 renamed `numpy.core`; a checkpoint keeps the name of the numpy it was
    # written with.
    torch.serialization.add_safe_globals(
        [
            (_SavedArray, 'numpy.ndarray'),
            (_SavedDtype, 'numpy.dtype'),
            (_SavedHistory, 'mmengine.logging.history_buffer.HistoryBuffer'),
            # A history keeps its statistics methods, as `getattr(class, name)`.
            (_method_of_history, 'builtins.getattr'),
            (_no_bytes, 'builtins.bytes'),  # of an array without elements
            *(
                (function, f'numpy.{core}.multiarray.{name}')
                for name, function in (
                    ('_reconstruct', _saved_array),
                    ('scalar', _saved_scalar),
                )
                for core in ('core', '_core')
            ),
            # torch looks up the type of what it fills in among what is declared.
            _SavedArray,
            _SavedDtype,
            _SavedHistory,
        ]
    )


class _SavedDtype:
    """Stands for a dtype of a checkpoint."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        self.dtype = plain_dtype(code)

    def __setstate__(self, state: Any) -> None:
        self.dtype = with_dtype_state(self.dtype, state)


class _SavedArray(np.ndarray):
    """An array of a checkpoint, in everything else one of numpy's."""

    def __new__(cls) -> _SavedArray:
        return super().__new__(cls, (0,))

    def __setstate__(self, state: Any) -> None:
        # Filled once: memory that a tensor shares by then must not be freed.
        if self.size or not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError('an array has no content')
        _, shape, saved, fortran, data = state
        # A real dtype, where somebody else has declared numpy's own function.
        dtype = saved.dtype if isinstance(saved, _SavedDtype) else saved
        array = plain_array(dtype, shape, data, fortran is True)
        super().__setstate__((1, array.shape, array.dtype, False, array.tobytes()))

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


class _SavedHistory(HistoryBuffer):
    """Becomes a history of a checkpoint."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError('a HistoryBuffer has no history')
        self.__dict__.update(vars(history_buffer(state)))
        self.__class__ = HistoryBuffer


def _saved_array(owner: Any, shape: Any, code: Any) -> _SavedArray:
    """Stands in for ``numpy._reconstruct``, which makes an array to be filled."""
    return _SavedArray()


def _saved_scalar(saved: Any, data: Any) -> np.generic:
    """Stands in for numpy's ``scalar``."""
    dtype = saved.dtype if isinstance(saved, _SavedDtype) else saved
    return plain_array(dtype, (), data)[()]


def _no_bytes() -> bytes:
    """Stands in for ``bytes``, which would make as many as it is asked for."""
    return b''


def _method_of_history(owner: Any, name: Any) -> Any:
    """Stands in for the far wider ``getattr``: looks up a method of ``HistoryBuffer``.

    Raises:
        pickle.UnpicklingError: If anything else is asked for.
    """
    methods = [m for m in vars(HistoryBuffer) if not m.startswith('_')]
    if owner not in (HistoryBuffer, _SavedHistory) or name not in methods:
        raise pickle.UnpicklingError(
            f'a checkpoint asked for {owner!r}.{name}; only methods of '
            'mmengine.logging.HistoryBuffer are trusted'
        )
    return getattr(HistoryBuffer, name)


def shorten_refusals_of_torch() -> None:
    """Keep what ``torch.load(weights_only=True)`` says of a file that it refuses short.

    Symptom: a checkpoint with a name of 100,000 characters takes minutes to be refused:
    torch looks through its own message, which has the name, in a time that grows with
    the square of its length.

    Versions: torch 2.6 to 2.14 (seen with 2.14.1), ``torch.load``.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        return
    from torch._weights_only_unpickler import Unpickler

    stock = Unpickler.load
    if getattr(stock, 'is_brief', False):
        return

    def load(self: Unpickler) -> Any:
        try:
            return stock(self)
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(str(error)[:_LONGEST_REFUSAL]) from error

    load.is_brief = True  # type: ignore[attr-defined]
    Unpickler.load = load


_LONGEST_REFUSAL = 2000


def load_checkpoints_as_data() -> None:
    """Bring every loading of a checkpoint by mmengine to one that runs nothing.

    Symptom: ``init_cfg=dict(type='Pretrained', checkpoint=...)``, ``load_from``,
    ``resume`` and mmdet's and mmtrack's ``init_model`` run the code in a malicious
    checkpoint.

    Versions: mmengine up to 0.10.7 calls ``torch.load`` without ``weights_only``, which
    was off by default before torch 2.6; for URLs it is off with every torch (2.14).

    mmengine's extension point, ``CheckpointLoader.register_scheme``, is used for it.
    """
    from .utils.checkpoint_loading import serve_mmengine

    serve_mmengine()


def bind_cached_randomness() -> None:
    """Make ``share_random_params`` share, with several transforms of one class.

    Symptom: after its first sample, ``TransformBroadcaster(share_random_params=True)``
    draws anew for each frame, or takes the parameters of another transform of the same
    class: the frames of a sample are flipped differently, or differ in size
    (``ValueError: all input arrays must have the same shape``). It takes two transforms
    of one class in a process, such as a ``RandomFlip`` for each of two data sets; or a
    data set that was used and then copied. Pickled, for workers that are spawned, it
    raises ``PicklingError: Can't pickle <function RandomFlip._choose_direction ...>``.

    Versions: mmcv 2.0.0rc1 to rc4. A method marked ``cache_randomness`` is one object
    for all instances, and remembers the instance that asked last. A transform that was
    used holds it, and a copy holds one that remembers the original.
    """
    if getattr(cache_randomness.__get__, 'binds', False):
        return

    def bind(self: cache_randomness, obj: Any, cls: type) -> cache_randomness:
        return _BoundRandomness(self, obj)

    bind.binds = True  # type: ignore[attr-defined]
    cache_randomness.__get__ = bind


class _BoundRandomness(cache_randomness):
    """A method marked ``cache_randomness``, of one instance.

    Copied or pickled along with its instance, it is the method of the copy.
    """

    def __init__(self, method: cache_randomness, instance: Any) -> None:
        self.__dict__.update(vars(method))
        self.instance_ref = weakref.ref(instance)

    def __reduce__(self) -> tuple[Callable, tuple[Any, str]]:
        return _bound_randomness, (self.instance_ref(), self.__name__)


def _bound_randomness(instance: Any, name: str) -> Any:
    """Bind a method anew, also in a process that has imported nothing before."""
    return getattr(instance, name)


def check_annotation_files() -> None:
    """Tell what is wrong with an annotation file when a video dataset loads it.

    Symptom: frames of a video whose ``frame_id`` has a gap, is negative or is text are
    taken in another order or as frame 0 of another image, or end in ``IndexError:
    list assignment index out of range``; still images given as videos end in
    ``KeyError: 'video_id'``. No message names the file.

    Versions: mmtrack 1.0.0rc1. ``CocoVID`` indexes a list with what it finds. All its
    video datasets load their files in the three modules below.

    Raises what :func:`stpn_plugin.datasets.checks.check_annotations` does, before the
    file is indexed. What is no JSON at all is told with the name of the file, too.
    """
    from mmtrack.datasets import base_video_dataset, imagenet_vid_dataset, tao_dataset

    for module in (base_video_dataset, imagenet_vid_dataset, tao_dataset):
        keys = ('is_vid_train_frame',) if module is imagenet_vid_dataset else ()
        for name in ('CocoVID', 'COCO'):
            stock = getattr(module, name)
            if not hasattr(stock, 'checked_keys'):
                setattr(module, name, _checked(stock, keys))


def _checked(stock: Any, image_keys: tuple[str, ...]) -> type:
    """Make a class of COCO files check what it loads."""
    from stpn_plugin.datasets.checks import AnnotationError, check_annotations
    from stpn_plugin.utils import check_regular_file

    class Checked(stock):
        checked_keys = image_keys

        def __init__(self, annotation_file: Any = None, **kwargs: Any) -> None:
            self.annotation_file = annotation_file
            check_regular_file(annotation_file)
            try:
                super().__init__(annotation_file, **kwargs)
            except AnnotationError:
                raise
            # Of the reader of JSON; pycocotools asserts that it reads a dict.
            except (AssertionError, ValueError, RecursionError) as error:
                raise AnnotationError(
                    f'{annotation_file} is no JSON: {error}'
                ) from error

        def createIndex(self) -> None:
            # `CocoVID` makes a video of each still image if it is told to.
            as_video = hasattr(self, 'load_img_as_vid') and (
                not self.load_img_as_vid or 'videos' in self.dataset
            )
            check_annotations(
                self.dataset, str(self.annotation_file), as_video, self.checked_keys
            )
            super().createIndex()

    return Checked


def check_image_files() -> None:
    """Tell of an image file that cannot be used, instead of using it, or failing.

    Symptom: an empty or broken image ends in ``AttributeError: 'NoneType' object has no
    attribute 'shape'``, which names no file; half a JPEG is trained on, grey below
    (OpenCV before 5); an image that is not of the size in the annotation file is, too,
    with boxes that are not its own; a pipe in the place of a file is read forever.

    Versions: mmcv 2.0.0rc4, ``LoadImageFromFile``.

    Raises :class:`stpn_plugin.datasets.ImageError`. ``ignore_empty=True`` gives None
    for each of these images, as it does for those that are missing.
    """
    from mmcv.transforms import LoadImageFromFile

    if getattr(LoadImageFromFile.transform, 'checks_images', False):
        return

    def transform(self: LoadImageFromFile, results: dict) -> dict | None:
        try:
            image = _checked_image(self, str(results['img_path']), results)
        except Exception:
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        shape = image.shape[:2]
        results.update(img=image, img_shape=shape, ori_shape=shape)
        return results

    transform.checks_images = True  # type: ignore[attr-defined]
    LoadImageFromFile.transform = transform


def _checked_image(loader: Any, path: str, info: dict) -> np.ndarray:
    from stpn_plugin.datasets import as_video_frame, image_files

    try:
        if as_video_frame(path) is not None and not osp.exists(path):
            raise image_files.ImageError(
                'it is a frame of a video: load it by LoadFrameFromVideo, in the place '
                'of LoadImageFromFile in the pipeline'
            )
        image_files.check_regular(path)
        if loader.file_client_args is None:
            content = fileio.get(path, backend_args=loader.backend_args)
        else:
            client = fileio.FileClient.infer_client(loader.file_client_args, path)
            content = client.get(path)
        image = image_files.decode_image(
            content, loader.color_type, loader.imdecode_backend
        )
        image_files.check_size(image, content, info)
    except image_files.ImageError as error:
        raise image_files.ImageError(f'image {path}: {error}') from error
    return image


def name_files_of_samples() -> None:
    """Name the files that a video dataset fails with.

    Symptom: frames of several sizes end in ``ValueError: all input arrays must have the
    same shape``, masks that are none in a message of pycocotools, a set in which no
    frame can be trained on in ``AssertionError`` or in ``num_samples should be a
    positive integer value``. None of them names the annotation file or the frame.

    Versions: mmtrack 1.0.0rc1, ``BaseVideoDataset``, with torch's ``DataLoader``.

    Raises :class:`stpn_plugin.datasets.SampleError` and
    :class:`stpn_plugin.datasets.AnnotationError` in their place.
    """
    from mmtrack.datasets import BaseVideoDataset

    from stpn_plugin.datasets.samples import check_not_empty, naming_frames

    stock_init, stock_prepare = (
        BaseVideoDataset.full_init,
        BaseVideoDataset.prepare_data,
    )
    if getattr(stock_prepare, 'names_files', False):
        return

    def full_init(self: BaseVideoDataset) -> None:
        if not self._fully_initialized:
            with check_not_empty(self):
                stock_init(self)

    def prepare_data(self: BaseVideoDataset, idx: int) -> Any:
        with naming_frames(self, idx):
            return stock_prepare(self, idx)

    prepare_data.names_files = True  # type: ignore[attr-defined]
    BaseVideoDataset.full_init = full_init
    BaseVideoDataset.prepare_data = prepare_data


def number_categories_by_class_names() -> None:
    """Let labels follow ``CLASSES`` by name, in datasets and in COCO metrics.

    Symptom: with categories ``[a, b]`` in the annotation file and ``CLASSES=('b',
    'a')``, objects of ``a`` are trained, tested and written to result files as label
    0, which everything that shows names calls ``b``. Classes that the file lacks are
    left out without a word, which shifts the labels of all that follow.

    Versions: mmdet 3.0.0rc0 to rc6 (``COCO``, ``CocoMetric``) and mmtrack 1.0.0rc1
    (``BaseVideoDataset``, ``CocoVideoMetric``) ask ``get_cat_ids(cat_names=CLASSES)``
    for the categories of labels 0, 1, ..., and pycocotools answer in the order of the
    file. ``COCOeval`` sorts the categories that it is given, too, which ``classwise``
    does not expect.

    Here, ``get_cat_ids`` answers in the order of the names, and raises what
    :func:`stpn_plugin.utils.category_ids` does if they do not go with the file. All 13
    classes of ``MOTChallengeDataset`` stay those that the file has: stock configs test
    with them on files of pedestrians alone. A file that is no JSON is named.
    """
    from mmdet.datasets.api_wrappers import COCO
    from mmdet.evaluation.metrics import coco_metric
    from mmtrack.datasets import MOTChallengeDataset

    from stpn_plugin.utils import category_ids

    if getattr(COCO.get_cat_ids, 'by_name', False):
        return
    stock_init, stock_get_cat_ids = COCO.__init__, COCO.get_cat_ids

    def init(self: Any, annotation_file: Any = None) -> None:
        self.annotation_file = annotation_file
        try:
            stock_init(self, annotation_file)
        except json.JSONDecodeError as error:  # it does not name the file
            raise ValueError(f'{annotation_file} is no JSON file: {error}') from error

    def get_cat_ids(
        self: Any, cat_names: Any = (), sup_names: Any = (), cat_ids: Any = ()
    ) -> list[int]:
        if not cat_names or sup_names or cat_ids:
            return stock_get_cat_ids(self, cat_names, sup_names, cat_ids)
        source = getattr(self, 'annotation_file', None) or 'the annotation file'
        categories = self.dataset.get('categories', [])
        if tuple(cat_names) == MOTChallengeDataset.METAINFO['CLASSES']:
            found = {category['name'] for category in categories}
            cat_names = [name for name in cat_names if name in found]
        return category_ids(categories, cat_names, source)

    get_cat_ids.by_name = True  # type: ignore[attr-defined]
    COCO.__init__ = init
    COCO.get_cat_ids = get_cat_ids
    coco_metric.COCOeval = _COCOevalInOrder


class _COCOevalInOrder(COCOeval):
    """``COCOeval`` with results in the order of the categories that were asked for."""

    def evaluate(self) -> None:
        self.asked_cat_ids = list(self.params.catIds)
        super().evaluate()

    def accumulate(self, p: Any = None) -> None:
        super().accumulate(p)
        if not self.params.useCats:
            return
        order = np.searchsorted(np.unique(self.asked_cat_ids), self.asked_cat_ids)
        for key in ('precision', 'recall', 'scores'):
            # (..., categories, area ranges, numbers of detections)
            self.eval[key] = self.eval[key].take(order, axis=-3)


def take_indices_of_video_datasets() -> None:
    """Let video datasets be cut down to ``indices``, as mmengine's datasets can be.

    Symptom: ``indices=range(100)`` in the config of a video dataset is ignored without
    a word: all of it is trained or tested on.

    Versions: mmtrack 1.0.0rc1. ``BaseVideoDataset.full_init`` replaces the one that
    would have read the argument.

    Support and reference frames still come from the whole of each video. The adaptive
    and fixed-stride samplers give them along with a video's first frame, so that a
    part to test with these should begin there.
    """
    from mmtrack.datasets import BaseVideoDataset

    stock = BaseVideoDataset.full_init
    if getattr(stock, 'takes_indices', False):
        return

    def full_init(self: BaseVideoDataset) -> None:
        if self._fully_initialized:
            return
        stock(self)
        chosen = self._indices
        if isinstance(chosen, int):  # the first so many, or the last
            chosen = (
                range(len(self))[:chosen] if chosen >= 0 else range(len(self))[chosen:]
            )
        if chosen is not None:
            self.valid_data_indices = [self.valid_data_indices[i] for i in chosen]

    full_init.takes_indices = True  # type: ignore[attr-defined]
    BaseVideoDataset.full_init = full_init


def score_parts_with_coco() -> None:
    """Let ``CocoVideoMetric`` score the images that were tested, if not all were.

    Symptom: a test of one video, or of ``indices``, ends in a ``coco/bbox_mAP`` near 0:
    the objects of all images that were left out count as missed.

    Versions: mmdet 3.0.0rc0 to rc6, ``CocoMetric.compute_metrics``, and hence mmtrack
    1.0.0rc1. A test of all images is scored as before.
    """
    from mmtrack.evaluation import CocoVideoMetric

    stock = CocoVideoMetric.compute_metrics
    if getattr(stock, 'scores_parts', False):
        return

    def compute_metrics(self: CocoVideoMetric, results: list) -> dict[str, float]:
        if results and self._coco_api is not None:
            in_file = self._coco_api.get_img_ids()
            # In the order of the results, as `proposal_fast` takes them.
            tested = list(dict.fromkeys(result['img_id'] for _, result in results))
            self.img_ids = None  # all of them
            if set(tested) < set(in_file):
                self.img_ids = tested
                print_log(
                    f'Only {len(tested)} of {len(in_file)} images have results; '
                    'CocoVideoMetric scores this part',
                    logger='current',
                    level=logging.WARNING,
                )
        return stock(self, results)

    compute_metrics.scores_parts = True  # type: ignore[attr-defined]
    CocoVideoMetric.compute_metrics = compute_metrics


def give_masktrack_ids_once() -> None:
    """Let MaskTrack R-CNN's tracker give a track to one object of a frame.

    Symptom: two objects of a frame have one ``instances_id``; their masks overwrite
    each other in the results. Of several objects that match a track, each better one
    takes it, and those before keep it. Here the best one does; the others get no track,
    as stock has it for objects that come later and match worse.

    Versions: mmtrack 1.0.0rc1.
    """
    from mmtrack.models.trackers import MaskTrackRCNNTracker

    stock = MaskTrackRCNNTracker.assign_ids
    if getattr(stock, 'gives_ids_once', False):
        return

    def assign_ids(
        self: MaskTrackRCNNTracker, match_scores: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ids, best_match_scores = stock(self, match_scores)
        scores, matches = match_scores.max(dim=1)  # column 0 stands for a new track
        best = best_match_scores[(matches - 1).clamp(min=0)]
        ids[(matches > 0) & (scores < best)] = -1
        return ids, best_match_scores

    assign_ids.gives_ids_once = True  # type: ignore[attr-defined]
    MaskTrackRCNNTracker.assign_ids = assign_ids


def label_mask2former_on_its_device() -> None:
    """Let Mask2Former's labels be on the device of its scores.

    Symptom: ``RuntimeError: indices should be either on cpu or on the same device as
    the indexed tensor (cpu)`` when ``Mask2FormerHead`` predicts on a GPU.

    Versions: mmtrack 1.0.0rc1. It can be cured from torch 2.0 on.
    """
    from mmtrack.models.track_heads import Mask2FormerHead

    stock = Mask2FormerHead.predict_by_feat
    cured = getattr(stock, 'keeps_device', False)
    if cured or not hasattr(torch, 'set_default_device'):
        return

    def predict_by_feat(
        self: Mask2FormerHead, mask_cls_results: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        with mask_cls_results.device:  # where factories such as `arange` put tensors
            return stock(self, mask_cls_results, *args, **kwargs)

    predict_by_feat.keeps_device = True  # type: ignore[attr-defined]
    Mask2FormerHead.predict_by_feat = predict_by_feat


def crop_boxes_of_numpy_arrays() -> None:
    """Let the croppings of single-object tracking take their boxes apart.

    Symptom: ``TypeError: only 0-dimensional arrays can be converted to Python
    scalars`` from ``SeqCropLikeStark`` and ``CropLikeDiMP``, which hand arrays of one
    element to ``math.sqrt`` and ``int``.

    Versions: mmtrack 1.0.0rc1; numpy 2.4 made an error of what it had warned of since
    1.25.
    """
    from mmtrack.datasets.transforms import CropLikeDiMP, SeqCropLikeStark

    for cls, name in (
        (SeqCropLikeStark, 'crop_like_stark'),
        (CropLikeDiMP, 'crop_like_dimp'),
    ):
        stock = getattr(cls, name)
        if not hasattr(stock, 'takes_arrays'):
            setattr(cls, name, _with_box_of_numbers(stock))


def _with_box_of_numbers(stock: Callable) -> Callable:
    """A cropping whose box falls into elements that Python takes for numbers."""

    @functools.wraps(stock)
    def crop(self: Any, img: np.ndarray, bbox: np.ndarray, *args: Any) -> Any:
        return stock(self, img, np.asarray(bbox).view(_Numbers), *args)

    crop.takes_arrays = True  # type: ignore[attr-defined]
    return crop


class _Numbers(np.ndarray):
    """An array which is a number for Python if it has one element, of any shape."""

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())


def score_all_frames_of_a_batch() -> None:
    """Let metrics of tracks read a batch to its end.

    Symptom: with ``batch_size`` > 1, frames are missing in HOTA, IDF1 and the success
    of single-object tracking, without a word: what follows a video's last frame in its
    batch, the first frames of the next video, is dropped.

    Versions: mmtrack 1.0.0rc1, ``MOTChallengeMetrics`` and ``SOTMetric``, whose
    ``process`` ends with a video.
    """
    from mmtrack.evaluation import MOTChallengeMetrics, SOTMetric

    for metric in (MOTChallengeMetrics, SOTMetric):
        if not hasattr(metric.process, 'reads_all'):
            metric.process = _frame_by_frame(metric.process)


def _frame_by_frame(stock: Callable) -> Callable:
    """A metric's ``process`` that is given one frame at a time."""

    @functools.wraps(stock)
    def process(self: Any, data_batch: Any, data_samples: Sequence[Any]) -> None:
        for sample in data_samples:
            stock(self, data_batch, [sample])

    process.reads_all = True  # type: ignore[attr-defined]
    return process


def score_video_masks_again() -> None:
    """Let ``YouTubeVISMetric`` be used for more than one validation.

    Symptom: ``KeyError: 'images'`` in the second validation of a training run.

    Versions: mmtrack 1.0.0rc1, ``YouTubeVISMetric.evaluate``: what it leaves of the
    videos that it has scored is not what it begins with.
    """
    from mmtrack.evaluation import YouTubeVISMetric

    stock = YouTubeVISMetric.evaluate
    if hasattr(stock, 'starts_anew'):
        return

    @functools.wraps(stock)
    def evaluate(self: YouTubeVISMetric, size: int) -> dict[str, float]:
        try:
            return stock(self, size)
        finally:
            self._vis_meta_info = defaultdict(list)

    evaluate.starts_anew = True  # type: ignore[attr-defined]
    YouTubeVISMetric.evaluate = evaluate


def end_mot_metrics_that_were_not_built() -> None:
    """Let MOT metrics whose arguments are wrong end without a second traceback.

    Symptom: "Exception ignored in" ``MOTChallengeMetrics.__del__``, with an
    ``AttributeError`` about ``tmp_dir``, beside the error about the arguments.

    Versions: mmtrack 1.0.0rc1.
    """
    from mmtrack.evaluation import MOTChallengeMetrics

    stock = MOTChallengeMetrics.__del__
    if getattr(stock, 'if_built', False):
        return

    def end(self: MOTChallengeMetrics) -> None:
        if hasattr(self, 'tmp_dir'):
            stock(self)

    end.if_built = True  # type: ignore[attr-defined]
    MOTChallengeMetrics.__del__ = end


def lay_out_configs_once() -> None:
    """Let mmengine lay out the text of a config once, not whenever it is asked for.

    Symptom: a run says nothing for many seconds before it starts. Runner, hooks and
    visualizer ask five times for the text of the same config, whose layout by ``yapf``
    takes a second or more each time.

    Versions: mmengine 0.7 to 0.11, ``Config.pretty_text``.
    """
    from mmengine.config import config as config_module

    stock = config_module.FormatCode
    if hasattr(stock, 'laid_out'):
        return

    @functools.lru_cache(maxsize=8)
    def laid_out(text: str, options: str) -> Any:
        return stock(text, **json.loads(options))

    @functools.wraps(stock)
    def format_code(text: str, **options: Any) -> Any:
        return laid_out(text, json.dumps(options, sort_keys=True))

    format_code.laid_out = laid_out  # type: ignore[attr-defined]
    config_module.FormatCode = format_code
