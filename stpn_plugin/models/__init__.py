from .backbones import *  # noqa: F401,F403
from .prompts import *  # noqa: F401,F403
from .vid import *  # noqa: F401,F403
