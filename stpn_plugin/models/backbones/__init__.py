from .stpn_pvt import STPNPyramidVisionTransformerV2
from .stpn_swin import STPNSwinTransformer

__all__ = ['STPNPyramidVisionTransformerV2', 'STPNSwinTransformer']
