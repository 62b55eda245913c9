from .stpn_swin import STPNSwinTransformer

__all__ = ['STPNSwinTransformer']
