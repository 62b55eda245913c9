"""STARK whose templates, the object as it looked at first, make prompts."""

from __future__ import annotations

from typing import Any

from mmtrack.models.sot import Stark
from mmtrack.registry import MODELS
from mmtrack.structures.bbox import quad2bbox_cxcywh
from torch import Tensor

from stpn_plugin.models.prompting import VideoPrompting


@MODELS.register_module()
class STPNStark(VideoPrompting, Stark):
    """STARK with a prompted backbone."""

    memo, task_state = None, ('memo',)

    @staticmethod
    def support_frames(inputs: dict[str, Tensor]) -> Tensor:
        """The templates (B, 2, 3, 128, 128) of training samples."""
        return inputs['img']

    def advance(self, memory: Any, inputs: dict[str, Tensor], data_sample: Any) -> Any:
        """A template, cut out of a video's first frame, supports all of them."""
        if memory.num_frames == 0:
            box = quad2bbox_cxcywh(data_sample.gt_instances['bboxes'])
            size = self.test_cfg['template_factor'], self.test_cfg['template_size']
            template = self.get_cropped_img(inputs['img'][0], box, *size)[0]
            inputs = dict(inputs, ref_img=template[None])
        return super().advance(memory, inputs, data_sample)
