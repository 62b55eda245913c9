"""The input that predictors on last-stage features share."""

from __future__ import annotations

from torch import Tensor


def check_support_features(support_feats: Tensor, in_channels: int) -> None:
    """Check features of support frames.

    Args:
        support_feats: (B, T, C, h, w).
        in_channels: The C that a predictor was built for.

    Raises:
        ValueError: ``support_feats`` has another number of dimensions or
            channels, or no frame.
    """
    if support_feats.dim() != 5:
        raise ValueError(
            'support features must have shape (B, T, C, h, w), '
            f'got {tuple(support_feats.shape)}'
        )
    if support_feats.shape[1] == 0:
        raise ValueError('support features hold no frame: T is 0')
    if support_feats.shape[2] != in_channels:
        raise ValueError(
            f'support features have {support_feats.shape[2]} channels, but the prompt '
            f'predictor has in_channels={in_channels}'
        )


def support_tokens(support_feats: Tensor, in_channels: int) -> Tensor:
    """Turn maps (B, T, C, h, w) of support frames into tokens (B, T, h * w, C).

    Raises:
        ValueError: See :func:`check_support_features`.
    """
    check_support_features(support_feats, in_channels)
    return support_feats.flatten(3).transpose(2, 3)
