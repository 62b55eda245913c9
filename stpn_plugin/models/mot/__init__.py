"""Multi-object trackers of mmtrack around a prompted detector."""

from .stpn_trackers import STPNByteTrack, STPNDeepSORT, STPNQDTrack, STPNStrongSORT

__all__ = ['STPNByteTrack', 'STPNDeepSORT', 'STPNQDTrack', 'STPNStrongSORT']
