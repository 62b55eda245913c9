from .stpn import STPN

__all__ = ['STPN']
