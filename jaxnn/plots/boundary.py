"""Decision regions of a classifier of two inputs."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.figure

MARKERS = "osD^vPX*"  # with the seven colours, no pair repeats before 56 classes


def decision_boundary(
    predict: Callable[[np.ndarray], Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    class_names: Iterable[object] | None = None,
    input_names: Iterable[object] | None = None,
    resolution: int = 250,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws the regions that `predict` gives to each class, the boundary between them, and the data.

    Args:
        predict: takes points (m, 2); returns class numbers (m,), or a column of scores per class (m, classes), where
            the largest wins. Scores give a smoother boundary than class numbers.
        x: (n, 2).
        y: (n,), class numbers.
        class_names: one name per class; "class 0", ... by default.
        input_names: two names.
        resolution: points along each side of the grid on which `predict` is called.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, or `predict` returns a wrong shape.
    """
    colours = style.theme_named(theme)
    checks.whole(2, resolution=resolution)
    points = inputs.numbers("x", x, 2)
    labels = inputs.class_numbers("y", y)
    inputs.same_length(x=points, y=labels)
    if points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"x must hold two finite inputs per row, got shape {points.shape}.")
    axis_names = inputs.names_for("input_names", input_names, 2, "input")

    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.12 * (high - low), 1.0)
    sides = np.linspace(low - margin, high + margin, resolution)  # (resolution, 2)
    first, second = np.meshgrid(sides[:, 0], sides[:, 1])
    scores = scores_of(predict, np.column_stack([first.ravel(), second.ravel()]), labels)
    classes = scores.shape[1]
    names = inputs.names_for("class_names", class_names, classes, "class")

    figure = style.new_figure(colours, (9.0, 7.0))
    axes = figure.add_subplot()
    style.dress(axes, colours, x_label=axis_names[0], y_label=axis_names[1], grid=False)
    fills = [colours.series[index % len(colours.series)] for index in range(classes)]
    axes.contourf(
        first,
        second,
        scores.argmax(axis=1).reshape(first.shape),
        levels=np.arange(classes + 1) - 0.5,
        colors=fills,
        alpha=0.22,
    )
    for index in range(classes):
        rivals = np.delete(scores, index, axis=1).max(axis=1, initial=-np.inf)
        margins = (scores[:, index] - rivals).reshape(first.shape)
        if margins.min() < 0 < margins.max():
            axes.contour(first, second, margins, levels=[0.0], colors=colours.ink, linewidths=2)
        chosen = points[labels == index]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=55 if len(points) <= 1000 else 16,
            color=fills[index],
            marker=MARKERS[index % len(MARKERS)],
            edgecolors=colours.background,
            linewidths=0.8,
            label=names[index],
            zorder=3,
        )
    axes.set(xlim=sides[[0, -1], 0], ylim=sides[[0, -1], 1])
    figure.legend(
        loc="outside upper left",
        ncols=min(classes, 5),
        frameon=False,
        labelcolor=colours.ink,
        fontsize=style.TEXT,
        markerscale=1.6,
        handletextpad=0.3,
    )
    return figure


def scores_of(predict: Callable[[np.ndarray], Any], points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The predictions for points (m, 2), as one column of scores per class.

    Raises:
        ValueError: `predict` returns a wrong shape, or too few columns for the labels.
    """
    answer = np.asarray(predict(points))
    if len(answer) != len(points) or answer.ndim not in (1, 2):
        raise ValueError(
            f"predict must return one class number or one row of scores for each of the {len(points)} points, "
            f"got shape {answer.shape}."
        )
    if answer.ndim == 1:
        taken_for = inputs.class_numbers("What predict returns", answer)
        return np.eye(1 + max(taken_for.max(), labels.max()))[taken_for]
    if labels.max() >= answer.shape[1]:
        raise ValueError(
            f"y contains class {labels.max()}, but predict returns {answer.shape[1]} column(s); "
            "for one probability p, return [1 - p, p]."
        )
    return answer.astype(np.float64)
