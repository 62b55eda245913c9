from .single_frame import SingleFrameDetector
from .stpn import STPN

__all__ = ['STPN', 'SingleFrameDetector']
