"""The learning-rate range test: the loss against the rate, the suggestion, and where it diverges."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnn import checks
from jaxnn.plots import inputs, style
from jaxnn.plots.curves import asks_for_logarithm, use_logarithm

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

HEADROOM = 1.15  # above the smoothed loss at the start, in units of its range; single losses beyond are cut off


def learning_rates(
    test: Any, *, default: float | None = None, title: str = "", theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws a learning-rate range test, on a logarithmic axis of rates.

    Args:
        test: as `training.learning_rate_range_test` gives it: `learning_rate`, `loss` and `smoothed`, all (k,), and
            the rates `suggestion` and `diverged`, nan where there is none.
        default: another rate > 0 to mark, such as the one used otherwise.
        title: over the picture.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, there is nothing to draw, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    rate = inputs.numbers("test.learning_rate", test.learning_rate, 1)
    loss = inputs.numbers("test.loss", test.loss, 1)
    smoothed = inputs.numbers("test.smoothed", test.smoothed, 1)
    inputs.same_length(learning_rate=rate, loss=loss, smoothed=smoothed)
    if default is not None:
        checks.positive(default=default)
    figure = style.new_figure(colours)
    axes = figure.add_subplot()
    axes.plot(rate, loss, color=colours.muted, alpha=0.45, linewidth=1.2, label="loss")
    axes.plot(rate, smoothed, color=colours.series[0], linewidth=style.LINE, label="smoothed")
    name = inputs.plain(title) or "Learning-rate range test"
    style.dress(axes, colours, title=name, x_label="learning rate", y_label="loss", pad=32.0)
    axes.set_xscale("log")
    ends = float(test.diverged)
    right = ends * 10**0.3 if math.isfinite(ends) else rate[-1]
    axes.set_xlim(rate[0], max(right, rate[0] * 10))
    axes.minorticks_off()
    if asks_for_logarithm(smoothed):
        use_logarithm(axes, float(smoothed.max() / smoothed.min()))
        axes.set_ylim(smoothed.min() / 1.5, smoothed.max() * 1.5)
    else:
        low, high = smoothed.min(), smoothed.max()
        room = (high - low) or abs(high) or 1.0
        axes.set_ylim(low - 0.12 * room, low + HEADROOM * room)
    if math.isfinite(ends):
        _mark_divergence(axes, colours, ends, right)
    if default is not None and rate[0] <= default <= rate[-1]:
        axes.axvline(default, color=colours.muted, linewidth=1.5, linestyle=(0, (5, 3)), zorder=0.5, label="default")
        beyond = default > test.suggestion  # False where there is none
        _write(axes, default, 0.03, f"default {default:g}", colours.muted, bottom=True, right=beyond)
    if math.isfinite(test.suggestion):
        _mark_suggestion(axes, colours, float(test.suggestion), rate, smoothed)
    return figure


def _mark_suggestion(
    axes: "matplotlib.axes.Axes", theme: style.Theme, suggestion: float, rate: np.ndarray, smoothed: np.ndarray
) -> None:
    """A dotted line with its rate above it, and a ring on the curve."""
    axes.axvline(suggestion, color=theme.ink, linewidth=1.5, linestyle=":", zorder=0.6)
    axes.plot(
        [suggestion],
        [np.interp(math.log(suggestion), np.log(rate), smoothed)],
        marker="o",
        markersize=11,
        color=theme.background,
        markeredgecolor=theme.ink,
        markeredgewidth=2.5,
        linestyle="none",
        zorder=3,
        label="suggestion",
    )
    low, high = np.log(axes.get_xlim())
    along = (math.log(suggestion) - low) / (high - low)
    axes.text(
        suggestion,
        1.015,
        f"suggestion: {suggestion:.2g}",
        transform=axes.get_xaxis_transform(),
        ha="left" if along < 0.15 else "right" if along > 0.85 else "center",
        va="bottom",
        color=theme.ink,
        fontsize=style.TEXT,
        fontweight="bold",
    )


def _mark_divergence(axes: "matplotlib.axes.Axes", theme: style.Theme, at: float, right: float) -> None:
    """Shades the rates from there on."""
    axes.axvspan(at, right, color=theme.series[1], alpha=0.18, linewidth=0, zorder=0, label="diverged")
    axes.axvline(at, color=theme.series[1], linewidth=2, zorder=0.6)
    _write(axes, at, 0.97, f"diverges at {at:.2g}", theme.series[1])


def _write(
    axes: "matplotlib.axes.Axes",
    x: float,
    height: float,
    text: str,
    colour: str,
    *,
    bottom: bool = False,
    right: bool = False,
) -> None:
    """Writes a text upright beside the vertical line at `x`, on its left unless `right`."""
    axes.annotate(
        text,
        (x, height),
        xycoords=axes.get_xaxis_transform(),
        xytext=(5 if right else -5, 0),
        textcoords="offset points",
        rotation=90,
        ha="left" if right else "right",
        va="bottom" if bottom else "top",
        color=colour,
        fontsize=style.SMALL,
        fontweight="bold",
    )
