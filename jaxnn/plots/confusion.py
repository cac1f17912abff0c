"""The confusion matrix: which class was mistaken for which."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.figure

COUNTS_UP_TO = 20  # classes; beyond, the numbers would be too small to read


def confusion(
    matrix: ArrayLike, class_names: Iterable[object] | None = None, *, theme: str = "light"
) -> "matplotlib.figure.Figure":
    """Draws a confusion matrix: correct predictions in blue, wrong ones in orange, each cell with its count.

    The depth of a colour is the square root of the cell's share of its row, so one mistake in a hundred is still
    visible.

    Args:
        matrix: (classes, classes); entry i, j counts examples of class i predicted as class j.
        class_names: one name per class; class numbers by default.
        theme: "light" or "dark".

    Raises:
        ValueError: the matrix is not square, holds anything but counts, or is all zero; or names or theme do not
            fit.
    """
    colours = style.theme_named(theme)
    counts = inputs.numbers("matrix", matrix, 2)
    figure = style.new_figure(colours, (9.0, 8.0))
    draw_confusion(figure, colours, counts, class_names)
    return figure


def draw_confusion(parent: Any, theme: style.Theme, counts: np.ndarray, class_names: Iterable[object] | None) -> None:
    """Draws the matrix into a figure or subfigure; raises as `confusion` does."""
    classes = len(counts)
    if counts.shape != (classes, classes):
        raise ValueError(f"matrix must be square, classes by classes, got shape {counts.shape}.")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
        raise ValueError("matrix must hold counts: finite, ≥ 0 and not all zero.")
    names = inputs.names_for("class_names", class_names, classes, "")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    depth = np.sqrt(share) * np.where(np.eye(classes, dtype=bool), 1.0, -1.0)

    axes = parent.add_subplot()
    image = axes.imshow(depth, cmap=style.diverging(theme), vmin=-1, vmax=1)
    right, total = np.trace(counts), counts.sum()
    style.dress(
        axes,
        theme,
        title=f"{right:,.5g} of {total:,.5g} correct ({100 * right / total:.1f} %)",
        x_label="predicted",
        y_label="true",
        grid=False,
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    size = float(np.clip(230 / classes, 8, style.TEXT + 4))
    slanted = max(map(len, names)) * classes > 45
    axes.set_xticks(
        range(classes),
        names,
        fontsize=min(size, style.TEXT),
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.set_yticks(range(classes), names, fontsize=min(size, style.TEXT))
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=theme.grid, linewidth=1)
    axes.tick_params(which="minor", length=0)
    if classes <= COUNTS_UP_TO:
        for (row, col), count in np.ndenumerate(counts):
            if count:
                axes.text(
                    col,
                    row,
                    f"{count:.5g}",
                    ha="center",
                    va="center",
                    fontsize=size,
                    color=style.readable_on(image.cmap(image.norm(depth[row, col]))),
                )
