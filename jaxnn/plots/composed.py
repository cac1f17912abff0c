"""Whole runs on one slide: the picture of `jaxnn demo`, and that of `jaxnn train --plot`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from numpy.typing import ArrayLike

from jaxnn.plots import curves, inputs, style
from jaxnn.plots.confusion import draw_confusion
from jaxnn.plots.examples import draw_examples
from jaxnn.plots.regression import draw_agreement, draw_residuals, finite_pairs
from jaxnn.plots.weights import draw_units

if TYPE_CHECKING:
    import matplotlib.figure


def demo(
    *,
    loss: ArrayLike,
    validation_loss: ArrayLike,
    validation_accuracy: ArrayLike,
    test_accuracy: Mapping[str, SupportsFloat],
    weights: ArrayLike,
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    best_epoch: SupportsIndex | None = None,
    title: str = "",
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws on one slide how a classifier of images learnt, its weights, and its remaining mistakes.

    Args:
        loss: (epochs,).
        validation_loss: (epochs,).
        validation_accuracy: (epochs,), in [0, 1].
        test_accuracy: name -> accuracy in [0, 1], drawn as lines: this network's and those of its baselines.
        weights: (height · width, n_hidden), of the first layer.
        images: (n, height, width), of the test set.
        labels: (n,), their class numbers.
        predictions: (n, classes), the network's probabilities.
        best_epoch: the one whose parameters were kept, 1 first; the least validation loss if None.
        title: one line over the whole.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    pictures = inputs.numbers("images", images, 3)
    panels = curves.panels_of(loss, validation_loss, metrics={"validation_accuracy": validation_accuracy})
    best = curves.best_epoch_of(panels["loss"], best_epoch)
    figure, (left, right) = slide(colours, title, 1.0)
    upper, lower = left.subplots(2, 1)
    curves.draw_panel(upper, colours, "loss (lower is better)", panels["loss"], best=best, name_best=True)
    upper.set_xlabel("")
    curves.draw_panel(
        lower,
        colours,
        "accuracy (dashed: on test rows)",
        panels["accuracy"],
        best=best,
        lines={name: float(value) for name, value in test_accuracy.items()},
    )
    above, below = right.subfigures(2, 1, height_ratios=[1.6, 1])
    above.set_facecolor(colours.background)
    below.set_facecolor(colours.background)
    draw_units(above, colours, inputs.numbers("weights", weights, 2), pictures.shape[1:], most=24)
    draw_examples(below, colours, pictures, labels, predictions, None, most=5)
    return figure


def training_report(
    *,
    loss: ArrayLike,
    validation_loss: ArrayLike | None = None,
    metrics: Mapping[str, ArrayLike] | None = None,
    best_epoch: SupportsIndex | None = None,
    matrix: ArrayLike | None = None,
    class_names: Iterable[object] | None = None,
    targets: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    name: str = "",
    title: str = "",
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws on one slide the learning curves of a run beside how well it predicts.

    Args:
        loss: (epochs,).
        validation_loss: (epochs,).
        metrics: name -> (epochs,), as `learning_curves` takes them; the first quantity is drawn.
        best_epoch: the one whose parameters were kept, 1 first; the least loss if None.
        matrix: (classes, classes), the confusion matrix, for classes.
        class_names: one name per class.
        targets: (n,), for numbers.
        predictions: (n,), for numbers.
        name: what was predicted, for numbers.
        title: one line over the whole.
        theme: "light" or "dark".

    Raises:
        ValueError: neither or both of `matrix` and `targets` with `predictions` are given, or shapes do not fit.
    """
    colours = style.theme_named(theme)
    for_numbers = targets is not None and predictions is not None
    if (matrix is not None) == for_numbers or (targets is None) != (predictions is None):
        raise ValueError("Give either `matrix` (for classes) or both `targets` and `predictions` (for numbers).")
    panels = list(curves.panels_of(loss, validation_loss, metrics=metrics).items())[:2]
    best = curves.best_epoch_of(panels[0][1], best_epoch)
    figure, (left, right) = slide(colours, title, 1.15)
    rows = left.subplots(len(panels) + for_numbers, 1, squeeze=False)[:, 0]
    for index, (quantity, values) in enumerate(panels):
        curves.draw_panel(rows[index], colours, quantity, values, best=best, name_best=index == 0)
        if index < len(panels) - 1:
            rows[index].set_xlabel("")  # the panel below has the same epochs
    if matrix is not None:
        draw_confusion(right, colours, inputs.numbers("matrix", matrix, 2), class_names)
    elif targets is not None and predictions is not None:
        pairs = finite_pairs(targets, predictions)
        draw_residuals(rows[-1], colours, pairs)
        draw_agreement(right.add_subplot(), colours, pairs, name)
    return figure


def slide(theme: style.Theme, title: str, right_to_left: float) -> tuple["matplotlib.figure.Figure", list[Any]]:
    """An empty slide, and its two halves side by side; `right_to_left` is the ratio of their widths."""
    figure = style.new_figure(theme, style.SLIDE)
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=theme.ink, fontsize=style.TITLE + 4, fontweight="bold")
    grid = figure.add_gridspec(1, 2, width_ratios=[1, right_to_left])
    parts = [figure.add_subfigure(grid[0, column]) for column in range(2)]
    for part in parts:
        part.set_facecolor(theme.background)
    return figure, parts
