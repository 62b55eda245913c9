"""Exported graphs in the place of a model."""

from __future__ import annotations

import os.path as osp
from typing import Any, Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from mmtrack.registry import MODELS, TASK_UTILS
from mmtrack.utils import OptConfigType, SampleList
from torch import Tensor, nn

from ..apis import VideoDetector
from ..builders import load_config
from ..models.prompting.prompted import concatenate
from ..models.prompts.base import PromptSource
from ..models.vid import STPN
from ..utils import import_extra
from .errors import ExportError
from .exporting import CONFIG


class OnnxGraph:
    """A graph that onnxruntime runs on the CPU or where its providers do.

    Args:
        path: ONNX file.
        providers: Names of onnxruntime's execution providers, best first.

    Raises:
        ExportError: onnxruntime cannot read the file.
        MissingPackageError: It is not installed.
    """

    def __init__(self, path: str, providers: Sequence[str]) -> None:
        runtime = import_extra('onnxruntime', 'export')
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that spin while they wait take the processor from others.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = runtime.InferenceSession(
                path, options, providers=list(providers)
            )
        except Exception as error:  # onnxruntime has classes of its own
            reason = str(error).splitlines()[0]
            raise ExportError(f'{path} cannot be run: {reason}') from error
        self.inputs = [one.name for one in self._session.get_inputs()]
        self.outputs = [one.name for one in self._session.get_outputs()]

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        """Run on tensors by the names of the inputs; gives outputs by theirs."""
        arrays = {name: tensors[name].cpu().numpy() for name in self.inputs}
        found = self._session.run(self.outputs, arrays)
        return {name: torch.from_numpy(one) for name, one in zip(self.outputs, found)}


class OnnxPrompts(PromptSource):
    """Where the prompts of an exported detector come from.

    Features and prompts are tensors by the names that the graphs have for them.

    Args:
        folder: What ``stpn export`` wrote.
        providers: See :class:`OnnxGraph`.
    """

    def __init__(self, folder: str, providers: Sequence[str]) -> None:
        super().__init__()
        # A detector with learned prompts, or none, has them in it.
        self.needs_support = osp.exists(osp.join(folder, 'prompts.onnx'))
        if self.needs_support:
            self._support = OnnxGraph(osp.join(folder, 'support.onnx'), providers)
            self._prompts = OnnxGraph(osp.join(folder, 'prompts.onnx'), providers)

    def support_features(self, backbone: Any, imgs: Tensor) -> Any:
        """What becomes of support frames (N, 3, H, W): {name: (N, ...)}."""
        return self._support(frames=imgs)

    def forward(self, support_feats: dict[str, Tensor]) -> dict[str, Tensor]:
        """Turn features {name: (B, T, ...)} into prompts {name: (B, P, Ci)}."""
        return self._prompts(**support_feats)


@MODELS.register_module()
class OnnxSTPN(STPN):
    """An exported detector: what :class:`STPN` does, by graphs.

    A video's life, its memory and support policies are those of the model it was.

    Args:
        folder: What ``stpn export`` wrote.
        support: Config of the support policy. Defaults to ``GivenSupport``.
        support_chunk_size: Most support frames that are looked at at once.
        providers: See :class:`OnnxGraph`.

    Raises:
        ExportError: There are no detections in the folder.
        MissingPackageError: onnxruntime is not installed.
    """

    def __init__(
        self,
        folder: str,
        support: OptConfigType = None,
        support_chunk_size: int = 14,
        providers: Sequence[str] = ('CPUExecutionProvider',),
    ) -> None:
        # Not the constructors between: they build what the graphs are.
        BaseModel.__init__(self, dict(type='mmtrack.TrackDataPreprocessor'))
        self.frame = OnnxGraph(osp.join(folder, 'frame.onnx'), providers)
        if 'boxes' not in self.frame.outputs:
            raise ExportError(
                f'{folder} has feature maps only, no detections: it was exported with '
                '--maps'
            )
        self.prompt_predictor = OnnxPrompts(folder, providers)
        self.support_policy = TASK_UTILS.build(support or dict(type='GivenSupport'))
        self.support_chunk_size = support_chunk_size
        self.memory = None

    @property
    def prompted_backbone(self) -> nn.Module:
        """There is none: the graphs have it in them."""
        return nn.Identity()

    def predict_with(
        self,
        memories: Sequence[Any],
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        rescale: bool = True,
        **kwargs: Any,
    ) -> SampleList:
        """Detect on frames of one size, each with its video's memory."""
        prompts: Any = {}
        if self.needs_support:
            prompts = concatenate([memory.prompts for memory in memories])
        found = self.frame(frames=self.key_frames(inputs), **prompts)
        results = []
        for i, sample in enumerate(data_samples):
            there = found['labels'][i] >= 0
            boxes = found['boxes'][i][there]
            if rescale:
                boxes = boxes / boxes.new_tensor(sample.scale_factor).repeat(2)
            instances = InstanceData(
                bboxes=boxes,
                scores=found['scores'][i][there],
                labels=found['labels'][i][there],
            )
            results.append(self.make_result(sample, instances))
        return results


class OnnxVideoDetector(VideoDetector):
    """A video detector, as :class:`VideoDetector`, on graphs of ``stpn export``.

    For frames as they come::

        stream = OnnxVideoDetector('exported').stream()
        result = stream.push(frame)

    Args:
        folder: What it wrote.
        providers: Names of onnxruntime's execution providers, best first.

    Raises:
        ExportError: There are no detections in the folder.
        MissingPackageError: onnxruntime is not installed.
        FileNotFoundError: There is no such folder.
    """

    def __init__(
        self, folder: str, providers: Sequence[str] = ('CPUExecutionProvider',)
    ) -> None:
        cfg = load_config(osp.join(folder, CONFIG))
        if 'model' not in cfg or not osp.exists(osp.join(folder, 'frame.onnx')):
            raise ExportError(
                f'{folder} has no detections as ONNX: export with --format onnx, '
                'without --maps'
            )
        cfg.model.update(folder=folder, providers=list(providers))
        super().__init__(cfg, device='cpu')
