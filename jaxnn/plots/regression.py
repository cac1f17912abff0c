"""Predicted against measured numbers, and how the errors are spread."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def regression(
    targets: ArrayLike, predictions: ArrayLike, *, name: str = "", theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws predictions against targets with the line where both agree, and a histogram of the residuals.

    The title gives the root mean squared error and the coefficient of determination R². Pairs with a value that is not
    finite are left out, and counted in a remark.

    Args:
        targets: (n,) or (n, 1), measured.
        predictions: (n,) or (n, 1).
        name: what was predicted, with its unit; follows "measured" and "predicted" on the axes.
        theme: "light" or "dark".

    Raises:
        ValueError: the shapes differ or hold several outputs, or no pair is finite.
    """
    colours = style.theme_named(theme)
    pairs = finite_pairs(targets, predictions)
    figure = style.new_figure(colours, (12.0, 6.0))
    scatter, histogram = figure.subplots(1, 2, width_ratios=[1.3, 1])
    draw_agreement(scatter, colours, pairs, name)
    draw_residuals(histogram, colours, pairs)
    return figure


class Pairs(NamedTuple):
    """What was measured and what was predicted, both (n,) and finite; and how many pairs were not."""

    measured: np.ndarray
    predicted: np.ndarray
    left_out: int


def finite_pairs(targets: ArrayLike, predictions: ArrayLike) -> Pairs:
    """The pairs that can be drawn; raises as `regression` does."""
    measured = inputs.column("targets", targets)
    predicted = inputs.column("predictions", predictions)
    inputs.same_length(targets=measured, predictions=predicted)
    finite = np.isfinite(measured) & np.isfinite(predicted)
    if not finite.any():
        raise ValueError("No pair of target and prediction is finite, so there is nothing to draw.")
    return Pairs(measured[finite], predicted[finite], int((~finite).sum()))


def draw_agreement(axes: "matplotlib.axes.Axes", theme: style.Theme, pairs: Pairs, name: str) -> None:
    """Draws predictions against targets, to one scale on both axes, and the line where they agree."""
    measured, predicted, left_out = pairs
    both = np.concatenate([measured, predicted])
    margin = 0.04 * np.ptp(both) or 1.0
    ends = (both.min() - margin, both.max() + margin)
    axes.plot(ends, ends, color=theme.muted, linewidth=2, label="agreement", zorder=1)
    axes.scatter(
        measured,
        predicted,
        s=40 if len(measured) <= 2000 else 14,
        color=theme.series[0],
        alpha=float(np.clip(600 / len(measured), 0.08, 0.75)),
        linewidths=0,
        zorder=2,
        rasterized=True,  # a vector for each of 100,000 points makes a file nothing opens
    )
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set(xlim=ends, ylim=ends)
    style.dress(
        axes,
        theme,
        title=title_of(measured, predicted - measured),
        x_label=f"measured {name}".strip(),
        y_label=f"predicted {name}".strip(),
    )
    if left_out:
        axes.text(
            0.98,
            0.02,
            f"{left_out:,} of {left_out + len(measured):,} not finite, left out",
            transform=axes.transAxes,
            ha="right",
            color=theme.ink,
            fontsize=style.SMALL,
        )


def draw_residuals(axes: "matplotlib.axes.Axes", theme: style.Theme, pairs: Pairs) -> None:
    """Draws a histogram of predicted - measured."""
    bins = int(np.clip(np.sqrt(len(pairs.measured)), 10, 50))
    axes.hist(pairs.predicted - pairs.measured, bins=bins, color=theme.series[0])
    axes.axvline(0, color=theme.ink, linewidth=2)
    style.dress(axes, theme, title="Residuals", x_label="predicted − measured", y_label="examples")


def title_of(measured: np.ndarray, residuals: np.ndarray) -> str:
    """The root mean squared error, and R² = 1 - Σr²/Σ(y - ȳ)² where the targets vary."""
    squares, variation = np.sum(residuals**2), np.sum((measured - measured.mean()) ** 2)
    error = f"RMSE {np.sqrt(squares / len(residuals)):.3g}"
    return f"{error}, R² {1 - squares / variation:.3f}" if variation > 0 else error
