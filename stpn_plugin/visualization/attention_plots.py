"""Heat maps of attention over frames."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .attention import PatchAttention
from .frames import frame_sheet
from .style import styled

_COLORS = colormaps['RdBu_r']  # blue: less than equal attention, red: more


def draw_heat_map(
    ax: Axes, image: np.ndarray, heat: np.ndarray, stride: int, norm: Normalize
) -> None:
    """Show a map in colour over a frame in grey.

    Args:
        ax: Where to show it.
        image: RGB image (H, W, 3).
        heat: Map (h, w). It may reach beyond the image, which the network pads to the
            right and at the bottom.
        stride: Side of a patch of the map in pixels of the image.
        norm: Range of values.
    """
    height, width = image.shape[:2]
    ax.imshow(image.mean(axis=2), cmap='gray', vmin=0, vmax=255)
    extent = (-0.5, heat.shape[1] * stride - 0.5, heat.shape[0] * stride - 0.5, -0.5)
    ax.imshow(
        heat,
        cmap=_COLORS,
        norm=norm,
        extent=extent,
        alpha=0.65,
        interpolation='nearest',
    )
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


@styled
def plot_support_attention(
    images: Sequence[np.ndarray],
    weights: np.ndarray,
    stride: int,
    names: Sequence[str],
) -> Figure:
    """Contact sheet of where the prompts look in the support frames.

    Args:
        images: The T support frames as the network gets them, RGB (H, W, 3).
        weights: Attention (P, T, h, w), with sum 1 for each prompt.
        stride: Side of a patch in pixels.
        names: Names of the T frames.

    Returns:
        A column for every frame. Under the frames a row for the mean of the prompts,
        titled with each frame's part of all attention, and one for every prompt. Values
        are relative to equal attention everywhere, which is 1; the colours span what
        occurs, to the next round number.
    """
    num_prompts, num_frames = weights.shape[:2]
    heat = weights * weights[0].size
    heat = np.concatenate([heat.mean(axis=0, keepdims=True), heat])
    spread = _round_up(max(abs(heat - 1).max(), 0.1))
    norm = TwoSlopeNorm(1, max(0, 1 - spread), 1 + spread)
    figure, axes = frame_sheet(
        num_prompts + 2,
        num_frames,
        images[0].shape,
        width=min(3, max(1.5, 9 / num_frames)),
        margin=1.8,
    )
    for column, (image, name) in enumerate(zip(images, names)):
        axes[0, column].imshow(image)
        axes[0, column].set_title(name, fontsize=9)
        for row in range(num_prompts + 1):
            draw_heat_map(axes[row + 1, column], image, heat[row, column], stride, norm)
        share = weights[:, column].sum() / num_prompts
        axes[1, column].set_title(f'{share:.1%}', fontsize=9)
    rows = ['frame', 'mean', *(f'prompt {i + 1}' for i in range(num_prompts))]
    _label_rows(axes, rows)
    _add_scale(figure, axes, norm, 'times as much as if equal everywhere')
    figure.suptitle('Attention of prompts to support frames, and the part of each')
    return figure


def stage_shares(
    patches: Mapping[tuple[int, int], PatchAttention],
) -> dict[int, np.ndarray]:
    """What part of their attention patches pay to the prompts, stage by stage.

    Args:
        patches: Recorded attention of a frame, see
            :class:`~stpn_plugin.visualization.attention.RecordedAttention`.

    Returns:
        For every stage with prompted blocks the mean over these, (H, W), values in [0,
        1].
    """
    stages: dict[int, list[np.ndarray]] = {}
    for (stage, _), (weights, _) in sorted(patches.items()):
        stages.setdefault(stage, []).append(weights[0].sum(dim=0).numpy())
    return {stage: np.mean(maps, axis=0) for stage, maps in stages.items()}


@styled
def plot_stage_attention(
    images: Sequence[np.ndarray],
    shares: Sequence[Mapping[int, np.ndarray]],
    strides: Sequence[int],
    names: Sequence[str],
    uniform: float,
) -> Figure:
    """Contact sheet of which patches attend to the prompts.

    Args:
        images: Frames as the network gets them, RGB (H, W, 3).
        shares: For every frame and stage, see :func:`stage_shares`.
        strides: Side of a patch in pixels in every stage.
        names: Names of the frames.
        uniform: The part, if all tokens had equal attention: the middle of the colours.

    Returns:
        A row for every frame, and a column for every stage, titled with the mean over
        the patches.
    """
    stages = list(shares[0])
    top = max(share[stage].max() for share in shares for stage in stages)
    norm = TwoSlopeNorm(100 * uniform, 0, _round_up(100 * max(top, 1.1 * uniform)))
    figure, axes = frame_sheet(
        len(images), 1 + len(stages), images[0].shape, width=2.4, margin=1.2
    )
    for row, (image, share, name) in enumerate(zip(images, shares, names)):
        axes[row, 0].imshow(image)
        axes[row, 0].set_title(name, fontsize=9)
        for ax, stage in zip(axes[row, 1:], stages):
            draw_heat_map(ax, image, 100 * share[stage], strides[stage], norm)
            ax.set_title(
                f'stage {stage + 1}: mean {share[stage].mean():.1%}', fontsize=9
            )
    label = f'part of its attention (%, white: {100 * uniform:.2g}, equal for all)'
    _add_scale(figure, axes, norm, label)
    figure.suptitle('Attention of patches to prompts, by stage of the backbone')
    return figure


def _add_scale(
    figure: Figure, axes: np.ndarray, norm: TwoSlopeNorm, label: str
) -> None:
    # Both sides of the middle have half of the bar each, and round ticks of their own.
    sides = ((norm.vmin, norm.vcenter), (norm.vcenter, norm.vmax))
    ticks = sorted({t for side in sides for t in _round_ticks(*side)})
    bar = figure.colorbar(
        ScalarMappable(norm, _COLORS), ax=axes, ticks=ticks, aspect=30, pad=0.02
    )
    bar.set_label(label)


def _round_ticks(low: float, high: float) -> list[float]:
    ticks = MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [tick for tick in ticks.tolist() if low <= tick <= high]


def _round_up(value: float) -> float:
    """The next number whose first digit is its only one but for 1.5 and 2.5."""
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(power * steps[np.searchsorted(steps, value / power - 1e-9)])


def _label_rows(axes: np.ndarray, names: Sequence[str]) -> None:
    for ax, name in zip(axes[:, 0], names):
        ax.annotate(
            name,
            (0, 0.5),
            xycoords='axes fraction',
            xytext=(-6, 0),
            textcoords='offset points',
            horizontalalignment='right',
            verticalalignment='center',
            fontsize=9,
        )
