"""The weights of the first layer: one image per hidden unit, or one bar per input."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style, tiles

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def first_layer(
    weights: ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    input_names: Iterable[object] | None = None,
    most: int = 32,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws the weights of the first layer.

    With `image_shape`, each hidden unit is an image of the weights it gives to the pixels, all to one scale. Without,
    each input j is a bar of the length √(Σᵢ wⱼᵢ²) over the hidden units i, beside a map of the weights themselves; the
    bars compare inputs only where these are on one scale, as after standardisation.

    Args:
        weights: (n_in, n_hidden).
        image_shape: (height, width) of an input, height · width = n_in.
        input_names: n_in names; "input 0", ... without.
        most: how many units (of images) or inputs (of bars) to show at most, strongest first.
        theme: "light" or "dark".

    Raises:
        ValueError: the weights are not a matrix of finite numbers, or shape, names or theme do not fit.
    """
    colours = style.theme_named(theme)
    checks.whole(1, most=most)
    matrix = inputs.numbers("weights", weights, 2)
    if not np.isfinite(matrix).all():
        raise ValueError("weights must be finite. Training diverged, so draw the best parameters.")
    if image_shape is not None:
        figure = style.new_figure(colours, style.LOW)
        draw_units(figure, colours, matrix, image_shape, most)
    else:
        names = inputs.names_for("input_names", input_names, len(matrix), "input")
        rows = min(len(matrix), most)
        figure = style.new_figure(colours, (style.WIDE[0], max(style.WIDE[1], 1.5 + 0.29 * rows)))
        draw_inputs(figure, colours, matrix, names, most)
    return figure


def strongest(matrix: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of at most `most` rows with the largest Euclidean norms, largest first, and those norms."""
    norms = np.linalg.norm(matrix, axis=1)
    order = np.argsort(-norms, kind="stable")[:most]
    return order, norms[order]


def draw_units(parent: Any, theme: style.Theme, matrix: np.ndarray, image_shape: tuple[int, int], most: int) -> None:
    """Draws the strongest hidden units as images with one symmetric scale.

    Raises:
        ValueError: an image of that shape does not have n_in pixels.
    """
    if image_shape[0] * image_shape[1] != len(matrix):
        raise ValueError(
            f"image_shape {image_shape} has {image_shape[0] * image_shape[1]} pixels, "
            f"but the weights have {len(matrix)} inputs."
        )
    units, _ = strongest(matrix.T, most)
    limit = float(np.abs(matrix).max()) or 1.0
    axes = parent.add_subplot()
    hidden = matrix.shape[1]
    shown = f"{len(units)} of {hidden}" if len(units) < hidden else f"{hidden}"
    style.bare(axes, theme, title=f"First-layer weights, {shown} units")
    tiles.draw_tiles(
        axes,
        theme,
        matrix.T[units].reshape(-1, *image_shape),
        limits=(-limit, limit),
        colour_map=style.diverging(theme),
    )
    add_scale(parent, axes, theme, limit)


def draw_inputs(parent: Any, theme: style.Theme, matrix: np.ndarray, names: list[str], most: int) -> None:
    """Draws the strongest inputs as bars, and their weights to every hidden unit beside them."""
    order, norms = strongest(matrix, most)
    bars, heat = parent.subplots(1, 2, width_ratios=[1.3, 1], sharey=True)
    places = np.arange(len(order))
    bars.barh(places, norms, height=0.7, color=theme.series[0])
    shown = f" ({len(order)} strongest of {len(matrix)})" if len(order) < len(matrix) else ""
    style.dress(bars, theme, title=f"Inputs by weight{shown}", x_label="√Σw²", grid=False)
    bars.spines["left"].set_visible(False)

    limit = float(np.abs(matrix).max()) or 1.0
    heat.imshow(
        matrix[order],
        aspect="auto",
        cmap=style.diverging(theme),
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
    )
    style.bare(heat, theme)
    heat.tick_params(left=False, labelleft=False)
    heat.set_xlabel(f"{matrix.shape[1]} hidden units", color=theme.ink, fontsize=style.TEXT)
    bars.set_ylim(len(order) - 0.5, -0.5)
    # After `bare`, which clears the ticks that both panels share.
    bars.set_yticks(places, [names[index] for index in order], fontsize=style.SMALL)
    bars.tick_params(axis="y", length=0)
    add_scale(parent, heat, theme, limit)


def add_scale(parent: Any, axes: "matplotlib.axes.Axes", theme: style.Theme, limit: float) -> None:
    """Adds the scale of the colours at the right: -limit, 0, limit."""
    bar = parent.colorbar(
        axes.images[0],
        ax=axes,
        shrink=0.6,
        aspect=16,
        ticks=[-limit, 0, limit],
        anchor=(0.0, 1.0),
        panchor=(0.0, 1.0),
    )
    bar.ax.set_yticklabels([f"−{limit:.2g}", "0", f"+{limit:.2g}"])
    bar.ax.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=style.SMALL)
    bar.ax.set_ylabel("weight", color=theme.ink, fontsize=style.SMALL)
    bar.outline.set_edgecolor(theme.grid)
