from .backbones import *  # noqa: F401,F403
from .class_check import (  # noqa: F401
    check_class_names,
    check_num_classes,
    checkpoint_classes,
)
from .mot import *  # noqa: F401,F403
from .prompting import *  # noqa: F401,F403
from .prompts import *  # noqa: F401,F403
from .vid import *  # noqa: F401,F403
from .vis import *  # noqa: F401,F403
