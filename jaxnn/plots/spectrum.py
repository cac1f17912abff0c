"""The spectrum of a Hessian: the density of its eigenvalues, and marks for single ones."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

DECADES = 6  # of the density that are drawn below its largest value


def spectrum(
    density: Any, eigenvalues: ArrayLike | None = None, *, title: str = "", theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws the density of a symmetric matrix's eigenvalues on a logarithmic axis, negative ones in the second colour.

    Args:
        density: as `curvature.spectral_density` gives it: `grid` and `density`, both (points,).
        eigenvalues: (k,), those to mark individually, such as the smallest and the largest.
        title: over the picture.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, a number is not finite, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    figure = style.new_figure(colours)
    draw_spectrum(figure.add_subplot(), colours, density, eigenvalues, title or "Eigenvalues of the Hessian")
    return figure


def draw_spectrum(
    axes: "matplotlib.axes.Axes", theme: style.Theme, density: Any, eigenvalues: ArrayLike | None, title: str
) -> None:
    """Draws a spectrum into empty axes; raises as `spectrum` does."""
    grid = inputs.numbers("density.grid", density.grid, 1)
    height = inputs.numbers("density.density", density.density, 1)
    marked = np.empty(0) if eigenvalues is None else inputs.numbers("eigenvalues", eigenvalues, 1)
    inputs.same_length(grid=grid, density=height)
    if not (np.isfinite(grid).all() and np.isfinite(height).all() and np.isfinite(marked).all()):
        raise ValueError("The spectrum cannot be drawn, because the function or its Hessian is not finite.")
    if not (height > 0).any():
        raise ValueError("The density cannot be drawn, because it is nowhere positive.")
    floor = height.max() * 10.0**-DECADES
    drawn = np.maximum(height, floor)
    negative, positive = theme.series[1], theme.series[0]
    # Cut at 0 itself, wherever the grid's points lie.
    points, heights = np.append(grid, 0.0), np.append(drawn, np.interp(0.0, grid, drawn, left=floor, right=floor))
    order = np.argsort(points, kind="stable")
    points, heights = points[order], heights[order]
    for colour, side, name in ((negative, points <= 0, "negative"), (positive, points >= 0, "positive")):
        if (heights[side] > floor).any():
            axes.fill_between(points[side], floor, heights[side], color=colour, alpha=0.3, linewidth=0)
            seen = np.where(heights > floor, heights, np.nan)
            axes.plot(points[side], seen[side], color=colour, linewidth=style.LINE, label=name)
    axes.set_yscale("log")
    axes.set_ylim(floor, height.max() * 3)
    axes.axvline(0, color=theme.ink, linewidth=1.5)
    if len(marked):
        axes.plot(
            marked,
            np.full(len(marked), 0.02),
            transform=axes.get_xaxis_transform(),
            marker="|",
            markersize=20,
            markeredgewidth=2.5,
            color=theme.ink,
            linestyle="none",
            label="eigenvalues",
            zorder=3,
        )
    style.dress(axes, theme, title=title, x_label="eigenvalue", y_label="density")
    below = share_below_zero(density)
    if below is not None:
        axes.text(
            0.98,
            0.96,
            f"{100 * below:.1f} % negative" if below else "none negative",
            transform=axes.transAxes,
            ha="right",
            va="top",
            color=negative if below else theme.ink,
            fontsize=style.TEXT,
            fontweight="bold",
        )


def share_below_zero(density: Any) -> float | None:
    """The share of negative eigenvalues, if what was given knows it."""
    known = getattr(density, "negative_share", None)
    return None if known is None else float(known())
