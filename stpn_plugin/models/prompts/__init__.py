from .attention_predictor import AttentionPromptPredictor
from .average_predictor import AveragePromptPredictor

__all__ = ['AttentionPromptPredictor', 'AveragePromptPredictor']
