"""What the values of options may be, told before any work."""

from __future__ import annotations

import argparse

import torch


def word(text: str) -> str:
    """Any word but the empty one, which a variable of a shell without a value gives."""
    if not text:
        raise argparse.ArgumentTypeError('is empty')
    return text


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} has to be at least 1')
    return value


def iou(text: str) -> float:
    """An IoU, where 50 may be meant as 50 %."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not in (0, 1]')
    return value


def count(text: str) -> int:
    """A whole number from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{text} is less than 0')
    return value


def score(text: str) -> float:
    """A score of a detection."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not in [0, 1]')
    return value


def rate(text: str) -> float:
    """A number above 0, of frames in a second for example."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} has to be more than 0')
    return value


def device(text: str) -> str:
    """A device of this machine, as torch names it."""
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split('\n')[0]
        raise argparse.ArgumentTypeError(f'{text} cannot be used: {reason}') from error
    return text


def results_path(text: str) -> str:
    """A file that predictions can be written to."""
    if not text.endswith(('.npz', '.pkl', '.pickle')):
        raise argparse.ArgumentTypeError(f'{text} must end with .npz, .pkl or .pickle')
    return text
