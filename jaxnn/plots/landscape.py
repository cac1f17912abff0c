"""The loss around its parameters: over a plane, along a line, and beside the spectrum."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import composed, curves, inputs, style
from jaxnn.plots.spectrum import draw_spectrum

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.colors
    import matplotlib.figure

LEVELS = 14


def landscape(plane: Any, *, title: str = "", theme: str = "light") -> "matplotlib.figure.Figure":
    """Draws a function over a plane as filled contours, with the parameters in the middle as a ring.

    Levels are spaced logarithmically if the values need it, as in a learning curve. Where the
    function is not finite, nothing is drawn, and a remark gives the number of such points.

    Args:
        plane: as `curvature.plane` gives it: `xs` (n,), `ys` (m,) and `values` (m, n).
        title: over the picture.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, no value is finite, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    figure = style.new_figure(colours, (9.0, 7.0))
    draw_landscape(figure, colours, plane, title or "Loss around the parameters")
    return figure


def landscape_line(
    ts: ArrayLike, values: ArrayLike, *, title: str = "", x_label: str = "step", theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws a function along a line, with a ring where the step is 0.

    Args:
        ts: (n,), the steps, in ascending order.
        values: (n,); values that are not finite leave a gap.
        title: over the picture.
        x_label: what the steps are.
        theme: "light" or "dark".

    Raises:
        ValueError: lengths differ, no value is finite, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    steps, heights = inputs.numbers("ts", ts, 1), inputs.numbers("values", values, 1)
    inputs.same_length(ts=steps, values=heights)
    heights = _finite_or_masked(heights)
    figure = style.new_figure(colours)
    axes = figure.add_subplot()
    axes.plot(steps, heights, color=colours.series[0], linewidth=style.LINE, label="loss")
    style.dress(axes, colours, title=title or "Loss along a line", x_label=x_label, y_label="loss")
    seen = heights.compressed()
    if curves.asks_for_logarithm(seen):
        curves.use_logarithm(axes, float(seen.max() / seen.min()))
    (here,) = np.nonzero((steps == 0) & ~np.ma.getmaskarray(heights))
    if len(here):
        _ring(axes, colours, 0.0, float(heights[here[0]]))
    return figure


def curvature_report(
    density: Any, plane: Any, *, eigenvalues: ArrayLike | None = None, title: str = "", theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws on one slide the spectrum of a Hessian beside the loss around its parameters.

    Args:
        density: as for `spectrum`.
        plane: as for `landscape`.
        eigenvalues: as for `spectrum`.
        title: one line over the whole.
        theme: "light" or "dark".

    Raises:
        ValueError: as `spectrum` and `landscape`.
    """
    colours = style.theme_named(theme)
    figure, (left, right) = composed.slide(colours, title, 1.0)
    draw_spectrum(left.add_subplot(), colours, density, eigenvalues, "Eigenvalues of the Hessian")
    draw_landscape(right, colours, plane, "Loss around the parameters")
    return figure


def draw_landscape(parent: Any, theme: style.Theme, plane: Any, title: str) -> None:
    """Draws a landscape into an empty figure or subfigure; raises as `landscape` does."""
    xs, ys = inputs.numbers("plane.xs", plane.xs, 1), inputs.numbers("plane.ys", plane.ys, 1)
    values = inputs.numbers("plane.values", plane.values, 2)
    if values.shape != (len(ys), len(xs)) or min(values.shape) < 2:
        raise ValueError(
            f"plane.values must have shape (len(ys), len(xs)), both ≥ 2: got {values.shape} for {len(ys)} ys and"
            f" {len(xs)} xs."
        )
    masked = _finite_or_masked(values)
    axes = parent.add_subplot()
    levels, norm = levels_of(masked.compressed())
    filled = axes.contourf(xs, ys, masked, levels=levels, norm=norm, cmap=_rising(theme), extend="neither")
    axes.contour(xs, ys, masked, levels=levels, colors=theme.muted, linewidths=0.8, alpha=0.7)
    middle = np.flatnonzero(ys == 0), np.flatnonzero(xs == 0)
    if all(map(len, middle)):
        _ring(axes, theme, 0.0, 0.0)
        box = {"facecolor": theme.background, "edgecolor": "none", "framealpha": 0.8}
        axes.legend(loc="lower left", labelcolor=theme.ink, fontsize=style.SMALL, **box)
    style.dress(axes, theme, title=title, x_label="first direction", y_label="second direction", grid=False)
    bar = parent.colorbar(filled, ax=axes, ticks=levels[:: max(1, len(levels) // 6)], pad=0.03)
    bar.ax.set_yticklabels([f"{level:.3g}" for level in bar.get_ticks()])
    bar.ax.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=style.SMALL, length=0)
    bar.ax.minorticks_off()
    bar.ax.set_ylabel("loss", color=theme.ink, fontsize=style.TEXT)  # beside it: above, it would run into the title
    bar.outline.set_visible(False)
    lost = int(np.ma.getmaskarray(masked).sum())
    if lost:
        axes.text(
            0.98,
            0.02,
            f"{lost:,} of {values.size:,} not finite",
            transform=axes.transAxes,
            ha="right",
            color=theme.ink,
            fontsize=style.SMALL,
            bbox={"facecolor": theme.background, "edgecolor": "none", "alpha": 0.8, "pad": 3},
        )


def levels_of(values: np.ndarray) -> tuple[np.ndarray, "matplotlib.colors.Normalize"]:
    """The heights of the contours, ascending, and what maps them to colours."""
    colors = checks.require("matplotlib.colors", extra="plot", purpose="to draw")
    low, high = float(values.min()), float(values.max())
    if not high > low:  # a plain
        margin = abs(low) * 1e-3 or 1e-3
        low, high = low - margin, high + margin
    if curves.asks_for_logarithm(values):
        levels = np.geomspace(low, high, LEVELS + 1)
        return levels, colors.LogNorm(levels[0], levels[-1])
    levels = np.linspace(low, high, LEVELS + 1)
    return levels, colors.Normalize(levels[0], levels[-1])


def _finite_or_masked(values: np.ndarray) -> Any:
    """The array with what is not finite masked; ValueError if that is everything."""
    masked = np.ma.masked_invalid(values)
    if not masked.count():
        raise ValueError("No value is finite, so there is nothing to draw.")
    return masked


def _rising(theme: style.Theme) -> "matplotlib.colors.Colormap":
    """From the background for the lowest to the theme's deepest colour for the highest: lightness alone tells them."""
    colors = checks.require("matplotlib.colors", extra="plot", purpose="to draw")
    return colors.LinearSegmentedColormap.from_list("jaxnn-rising", [theme.background, *theme.positive])


def _ring(axes: "matplotlib.axes.Axes", theme: style.Theme, x: float, y: float) -> None:
    """Marks the parameters."""
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=11,
        color=theme.series[1],
        markeredgecolor=theme.ink,
        markeredgewidth=2.5,
        linestyle="none",
        label="the parameters",
        zorder=3,
    )
