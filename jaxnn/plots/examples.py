"""The mistakes a classifier is most confident of: the fastest way to see what it has not learnt."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style, tiles

if TYPE_CHECKING:
    import matplotlib.figure


def examples(
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    class_names: Iterable[object] | None = None,
    most: int = 12,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws the mistakes of a classifier of images, the most confident first.

    Args:
        images: (n, height, width), one brightness per pixel; the largest is drawn darkest (lightest in the dark theme).
        labels: (n,), the true class numbers.
        predictions: (n, classes), probabilities; or (n,), class numbers: then mistakes keep the given order.
        class_names: a name for each class; class numbers by default.
        most: how many to show at most.
        theme: "light" or "dark".

    Raises:
        ValueError: shapes do not fit together, or the theme does not exist.
    """
    colours = style.theme_named(theme)
    figure = style.new_figure(colours, style.LOW)
    draw_examples(figure, colours, images, labels, predictions, class_names, most)
    return figure


class Answers(NamedTuple):
    """Predicted classes (n,), and the confidence in each (n,), in [0, 1], or nan if unknown."""

    taken_for: np.ndarray
    sure: np.ndarray


def answers(predictions: ArrayLike) -> Answers:
    """Reads probabilities (n, classes) or class numbers (n,); raises as `examples` does."""
    if np.ndim(predictions) != 2:
        taken_for = inputs.class_numbers("predictions", predictions)
        return Answers(taken_for, np.full(len(taken_for), np.nan))
    probabilities = inputs.numbers("predictions", predictions, 2)
    if not np.isfinite(probabilities).all():
        raise ValueError("predictions must be finite; training diverged, so use the best parameters.")
    return Answers(probabilities.argmax(axis=1), probabilities.max(axis=1))


def draw_examples(
    parent: Any,
    theme: style.Theme,
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    class_names: Iterable[object] | None,
    most: int,
) -> None:
    """Draws the mistakes into a figure or subfigure; raises as `examples` does."""
    checks.whole(1, most=most)
    pictures = inputs.numbers("images", images, 3)
    true = inputs.class_numbers("labels", labels)
    taken_for, sure = answers(predictions)
    inputs.same_length(images=pictures, labels=true, predictions=taken_for)
    classes = 1 + int(max(true.max(), taken_for.max()))
    names = [str(name) for name in (range(classes) if class_names is None else class_names)]
    if len(names) < classes:
        raise ValueError(f"class_names must name every class from 0 to {classes - 1}, got {len(names)} names.")

    wrong = np.flatnonzero(taken_for != true)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")]  # nan everywhere keeps the order
    which = "first" if np.isnan(sure).any() else "most confident"
    shown = f"; the {most} {which}" if len(wrong) > most else ""
    axes = parent.add_subplot()
    title = f"{len(wrong):,} of {len(true):,} wrong{shown}" if len(wrong) else ""
    style.bare(axes, theme, title=title)
    if not len(wrong):
        axes.text(
            0.5,
            0.5,
            f"No mistake among {len(true):,} examples",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=theme.ink,
            fontsize=style.TITLE,
        )
        return
    wrong = wrong[:most]
    captions = [caption(names[true[row]], names[taken_for[row]], float(sure[row])) for row in wrong]
    places = tiles.draw_tiles(
        axes,
        theme,
        pictures[wrong],
        limits=(float(np.nanmin(pictures)), float(np.nanmax(pictures))),
        colour_map="gray_r" if theme is style.LIGHT else "gray",
        caption_height=0.22 * max(1 + text.count("\n") for text in captions),
    )
    for (x, y), text in zip(places, captions, strict=True):
        axes.text(x, y, text, ha="center", va="top", color=theme.ink, fontsize=style.SMALL)


def caption(true: str, taken_for: str, sure: float) -> str:
    """The true class, the predicted class and its confidence, which shares a line with a short name."""
    if np.isnan(sure):
        return f"true: {true}\nsaid: {taken_for}"
    join = ", " if len(taken_for) <= 3 else "\n"
    return f"true: {true}\nsaid: {taken_for}{join}{100 * sure:.0f} %"
