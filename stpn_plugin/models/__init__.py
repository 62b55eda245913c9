from .backbones import *  # noqa: F401,F403
from .class_check import check_num_classes
from .prompting import *  # noqa: F401,F403
from .prompts import *  # noqa: F401,F403
from .vid import *  # noqa: F401,F403
