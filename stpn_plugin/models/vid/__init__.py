from .references import GivenReferences, PastReferences
from .single_frame import SingleFrameDetector
from .stpn import STPN
from .stpn_selsa import STPNSelsa
from .support_memory import SupportMemory

__all__ = [
    'GivenReferences',
    'PastReferences',
    'STPN',
    'STPNSelsa',
    'SingleFrameDetector',
    'SupportMemory',
]
