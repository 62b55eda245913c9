"""Results in the formats of other tools: the way back of ``stpn convert``.

:func:`load_found` reads what was found, the others write it or give it on.
"""

from .cvat import write_cvat
from .json_formats import write_coco, write_youtube_vis
from .libraries import to_fiftyone, to_pandas, to_supervision
from .sources import load_found
from .text_formats import write_csv, write_ilsvrc, write_mot

__all__ = [
    'load_found',
    'to_fiftyone',
    'to_pandas',
    'to_supervision',
    'write_coco',
    'write_csv',
    'write_cvat',
    'write_ilsvrc',
    'write_mot',
    'write_youtube_vis',
]
