"""The score of every trial against one hyperparameter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnn import checks
from jaxnn.plots import curves, inputs, style

if TYPE_CHECKING:
    import matplotlib.axes

TRIAL, BEST, MEDIAN, EDGE = "trial", "best", "median", "diverged or far off"
FEW_VALUES = 6  # numbers with so many values or fewer are drawn as categories
FAR = 3.0  # in units of the distance of the third quartile from the best: what is further beyond is at the edge
GOLDEN = 0.5 * (np.sqrt(5) - 1)  # its multiples, modulo 1, are evenly spread however many there are
SMALLEST = 10.0  # points


class Scores(NamedTuple):
    """Scores as they are drawn.

    Attributes:
        values: (n,), nan where a trial diverged.
        edge: (n,), whether a trial is drawn at the edge: it diverged, or is far worse than most.
        best: the number of the best trial, or None.
        worst_up: whether worse is higher.
        logarithmic: whether the axis is.
        limits: the ends of the axis.
    """

    values: np.ndarray
    edge: np.ndarray
    best: int | None
    worst_up: bool
    logarithmic: bool
    limits: tuple[float, float]


def scores_to_draw(values: np.ndarray, higher_is_better: bool) -> Scores:
    """Which trial is best, which are at the edge, and on what axis."""
    finite = np.isfinite(values)
    values = np.where(finite, values, np.nan)
    if not finite.any():
        return Scores(values, ~finite, None, not higher_is_better, False, (0.0, 1.0))
    best = int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))
    logarithmic = not higher_is_better and curves.asks_for_logarithm(values)
    scale = np.log(values) if logarithmic else values
    worse = (scale[best] - scale) * (1 if higher_is_better else -1)  # ≥ 0
    usual = np.nanquantile(worse, 0.75)
    far = worse > (1 + FAR) * usual if usual else np.zeros_like(finite)
    edge = far | ~finite
    span = float(np.max(worse[~edge])) or abs(float(scale[best])) or 1.0
    room = np.array([-0.1, 1.2 if edge.any() else 1.1]) * span  # for the ring, and for triangles
    low, high = np.sort(scale[best] + room * (-1 if higher_is_better else 1)).tolist()
    limits = (float(np.exp(low)), float(np.exp(high))) if logarithmic else (low, high)
    return Scores(values, edge, best, not higher_is_better, logarithmic, limits)


def words(name: str) -> str:
    """A hyperparameter's name as text."""
    return inputs.plain(name.replace("_", " "))


def draw_panel(
    axes: "matplotlib.axes.Axes", theme: style.Theme, name: str, column: Sequence[Any], scores: Scores, *, log: bool
) -> None:
    """Draws the score against one hyperparameter, whose values stand in `column`, None where a trial has none."""
    style.dress(axes, theme, title="", x_label=words(name), pad=6.0)
    here = np.array([value is not None for value in column])
    present = [value for value in column if value is not None]
    is_number = all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in present)
    x = np.full(len(column), np.nan)
    if is_number and len(set(present)) > FEW_VALUES:
        x[here] = present
        if log and min(present) > 0:
            use_logarithm(axes)
        else:
            axes.margins(x=0.05)
    else:
        values, labels = categories(present)
        places = [values.index(as_key(value)) for value in present]
        turn = np.array([places[:i].count(place) for i, place in enumerate(places)])
        x[here] = np.array(places) + 0.56 * ((0.5 + turn * GOLDEN) % 1 - 0.5)
        name_categories(axes, labels)
        draw_medians(axes, theme, np.array(places), scores.values[here])
    if scores.logarithmic:
        curves.use_logarithm(axes, scores.limits[1] / scores.limits[0])
    axes.set_ylim(scores.limits)
    inner = here & ~scores.edge
    axes.scatter(
        x[inner], scores.values[inner], color=theme.series[0], zorder=2, label=TRIAL, s=48, alpha=0.75, linewidths=0
    )
    mark_edge(axes, theme, x[here & scores.edge], scores.worst_up)
    if scores.best is not None and here[scores.best]:
        axes.plot(
            [x[scores.best]],
            [scores.values[scores.best]],
            marker="o",
            markersize=12,
            color="none",
            markeredgecolor=theme.ink,
            markeredgewidth=2.5,
            linestyle="none",
            clip_on=False,
            zorder=4,
            label=BEST,
        )


def mark_edge(axes: "matplotlib.axes.Axes", theme: style.Theme, x: np.ndarray, up: bool) -> None:
    """Draws a triangle at the edge where scores are bad for each trial that diverged or is far off."""
    if len(x):
        axes.plot(
            x,
            np.full_like(x, 0.95 if up else 0.05),
            transform=axes.get_xaxis_transform(),
            color=theme.series[1],
            linestyle="none",
            marker="^" if up else "v",
            markersize=8,
            zorder=3,
            label=EDGE,
        )


def draw_medians(axes: "matplotlib.axes.Axes", theme: style.Theme, places: np.ndarray, scores: np.ndarray) -> None:
    """Draws a short line at the median of each category's finite scores."""
    for place in np.unique(places):
        finite = scores[(places == place) & np.isfinite(scores)]
        if len(finite) > 2:
            axes.plot(
                place + np.array([-0.36, 0.36]),
                [np.median(finite)] * 2,
                color=theme.muted,
                linewidth=2,
                zorder=1.5,
                label=MEDIAN,
            )


def as_key(value: Any) -> Any:
    """The value with tuples for lists, which can be compared and counted."""
    return tuple(map(as_key, value)) if isinstance(value, list | tuple) else value


def categories(values: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The different values, numbers and layers in order and others as they come, and how they are written."""
    keys = list(dict.fromkeys(map(as_key, values)))
    if all(isinstance(key, int | float) for key in keys):
        keys.sort()
    elif all(isinstance(key, tuple) for key in keys):
        keys.sort(key=lambda key: (len(key), key))
    return keys, [inputs.plain(written(key)) for key in keys]


def written(key: Any) -> str:
    """A value as the command line takes it: layers as `64,32`."""
    if isinstance(key, tuple):
        return ",".join(map(written, key)) or "none"
    return f"{key:g}" if isinstance(key, int | float) and not isinstance(key, bool) else str(key)


def name_categories(axes: "matplotlib.axes.Axes", labels: Sequence[str]) -> None:
    """Writes the names of the categories: beside each other, or else layers stacked, or else upright."""
    axes.set_xticks(range(len(labels)))
    axes.set_xlim(-0.6, len(labels) - 0.4)
    width = 0.85 * style.size_in_points(axes)[0] / len(labels)
    stacked = [label.replace(",", "\n") for label in labels]
    for texts in (labels, stacked):
        longest = max(len(line) for text in texts for line in text.split("\n"))
        size = min(style.SMALL, width / (0.62 * longest))  # a letter is about 0.6 of its height wide
        if size >= SMALLEST and max(text.count("\n") for text in texts) < 3:
            axes.set_xticklabels(texts, fontsize=size, linespacing=1.0)
            return
    axes.set_xticklabels(labels, fontsize=min(style.SMALL, width), rotation=90)


def use_logarithm(axes: "matplotlib.axes.Axes") -> None:
    """Makes the x axis logarithmic with powers of ten."""
    ticker = checks.require("matplotlib.ticker", extra="plot", purpose="to draw")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=6))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
