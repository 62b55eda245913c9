from .single_frame import SingleFrameDetector
from .stpn import STPN
from .stpn_selsa import STPNSelsa

__all__ = ['STPN', 'STPNSelsa', 'SingleFrameDetector']
