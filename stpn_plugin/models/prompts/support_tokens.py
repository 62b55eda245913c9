"""The input that all prompt predictors share."""

from __future__ import annotations

from torch import Tensor


def support_tokens(support_feats: Tensor, in_channels: int) -> Tensor:
    """Turn maps of support frames into tokens.

    Args:
        support_feats: (B, T, C, h, w).
        in_channels: The C that a predictor was built for.

    Returns:
        Tensor of shape (B, T, h * w, C).

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
    return support_feats.flatten(3).transpose(2, 3)
