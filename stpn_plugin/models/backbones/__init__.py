from .promptable import (
    BlockPromptable,
    PatchAttention,
    Promptable,
    require_blocks,
    require_promptable,
)
from .stpn_pvt import STPNPyramidVisionTransformerV2
from .stpn_swin import STPNSwinTransformer

__all__ = [
    'BlockPromptable',
    'PatchAttention',
    'Promptable',
    'STPNPyramidVisionTransformerV2',
    'STPNSwinTransformer',
    'require_blocks',
    'require_promptable',
]
