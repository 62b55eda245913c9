from .attention_predictor import AttentionPromptPredictor
from .average_predictor import AveragePromptPredictor
from .base import PromptSource
from .deep_predictor import DeepPromptPredictor
from .learned_prompts import LearnedPrompts
from .mixer_predictor import MixerPromptPredictor

__all__ = [
    'AttentionPromptPredictor',
    'AveragePromptPredictor',
    'DeepPromptPredictor',
    'LearnedPrompts',
    'MixerPromptPredictor',
    'PromptSource',
]
