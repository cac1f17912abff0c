"""What a search of hyperparameters found: which mattered, and the score against each of these."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style
from jaxnn.plots.score_panels import BEST, EDGE, MEDIAN, TRIAL, Scores, draw_panel, scores_to_draw, words
from jaxnn.wording import counted

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

BARS, PANELS = 8, 4
MATTERS = 0.1  # the least share that the title calls one that mattered


def search(
    choices: Sequence[Mapping[str, Any]],
    scores: ArrayLike,
    shares: Mapping[str, float],
    *,
    name: str = "score",
    higher_is_better: bool = False,
    numbers: Sequence[int] | None = None,
    logarithmic: Collection[str] = ("learning_rate", "weight_decay"),
    most: int = PANELS,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws the share of each hyperparameter, and the score of every trial against the most important of them.

    The title says which mattered and how good the best trial is; it has a ring in each panel. Trials that diverged, or
    are far worse than most, are triangles at the edge.

    Args:
        choices: for each trial, hyperparameter -> value: numbers, texts, or sequences of these; whole recipes, with
            defaults filled in. A trial that lacks a hyperparameter is not in its panel.
        scores: (n,), one for each trial.
        shares: hyperparameter -> the share of the scores' variance that it explains, in [0, 1].
        name: what the scores are, such as "log loss".
        higher_is_better: whether higher scores are better.
        numbers: of the trials, for the title; 0, 1, … if None.
        logarithmic: hyperparameters whose axis is logarithmic where all values are positive.
        most: the number of panels, ≥ 1.
        theme: "light" or "dark".

    Raises:
        ValueError: there are more or fewer scores than trials, a share is not in [0, 1], no hyperparameter has a share,
            or no trial has one of them.
    """
    colours = style.theme_named(theme)
    checks.whole(1, most=most)
    values = inputs.numbers("scores", scores, 1)
    inputs.same_length(choices=np.asarray(range(len(choices))), scores=values)
    called = list(range(len(values))) if numbers is None else list(numbers)
    inputs.same_length(numbers=np.asarray(called), scores=values)
    for hyperparameter, share in shares.items():
        checks.fraction(**{f"shares[{hyperparameter!r}]": share})
        if not any(hyperparameter in each for each in choices):
            raise ValueError(f"shares has {hyperparameter!r}, which no trial has chosen.")
    if not shares:
        raise ValueError("No hyperparameter has a share, so there is nothing to draw: vary at least one.")
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    drawn = scores_to_draw(values, higher_is_better)

    figure = style.new_figure(colours, style.SLIDE)
    figure.suptitle(
        f"{mattered(ranked)}\n{success(drawn, inputs.plain(name), called)}",
        x=0.01,
        ha="left",
        color=colours.ink,
        fontsize=style.TITLE,
        fontweight="bold",
        linespacing=1.3,
    )
    halves = figure.add_gridspec(1, 2, width_ratios=[1, 2.4])
    left, right = (figure.add_subfigure(halves[0, column]) for column in range(2))
    for part in (left, right):
        part.set_facecolor(colours.background)
    draw_shares(left.add_subplot(), colours, ranked[:BARS], len(ranked))
    panels = [hyperparameter for hyperparameter, _ in ranked[:most]]
    for hyperparameter, (axes, at_left) in zip(panels, grid_of(right, len(panels)), strict=True):
        column = [each.get(hyperparameter) for each in choices]
        draw_panel(axes, colours, hyperparameter, column, drawn, log=hyperparameter in logarithmic)
        if at_left:
            axes.set_ylabel(inputs.plain(name), color=colours.ink, fontsize=style.TEXT)
    write_legend(right, colours)
    return figure


def grid_of(parent: Any, count: int) -> list[tuple["matplotlib.axes.Axes", bool]]:
    """Axes for so many panels, and whether each is at the left; the first is as wide as what would be left over."""
    columns = 1 if count == 1 else 2 if count <= 4 else 3
    rows = -(-count // columns)
    grid = parent.add_gridspec(rows, columns)
    first = 1 + rows * columns - count
    others = [divmod(place, columns) for place in range(first, rows * columns)]
    return [
        (parent.add_subplot(grid[0, :first]), True),
        *((parent.add_subplot(grid[row, column]), column == 0) for row, column in others),
    ]


def write_legend(parent: Any, theme: style.Theme) -> None:
    """Writes above all panels what their marks are, in one order."""
    handles: dict[str, Any] = {}
    for axes in parent.axes:
        drawn, labels = axes.get_legend_handles_labels()
        handles.update(zip(labels, drawn, strict=True))
    named = [label for label in (TRIAL, BEST, MEDIAN, EDGE) if label in handles]
    parent.legend(
        [handles[label] for label in named],
        named,
        loc="outside upper left",
        ncols=len(named),
        frameon=False,
        labelcolor=theme.ink,
        fontsize=style.SMALL,
        columnspacing=1.5,
        handletextpad=0.5,
    )


def mattered(ranked: Sequence[tuple[str, float]]) -> str:
    """Which hyperparameters mattered, in words."""
    found = [(words(name), f"{100 * share:.0f} %") for name, share in ranked if share >= MATTERS][:2]
    if not found:
        return "No hyperparameter explains much of the differences alone"
    (name, share), *others = found
    return ", ".join([f"{name[:1].upper()}{name[1:]} explains {share} of the differences", *map(" ".join, others)])


def success(scores: Scores, name: str, called: Sequence[int]) -> str:
    """How good the best trial is, in words."""
    of = counted(len(scores.values), "trial")
    if scores.best is None:
        return f"None of {of} has a finite {name}"
    return f"Best of {of}: number {called[scores.best]}, {name} {scores.values[scores.best]:.4g}"


def draw_shares(
    axes: "matplotlib.axes.Axes", theme: style.Theme, ranked: Sequence[tuple[str, float]], total: int
) -> None:
    """Draws the shares as bars, the greatest on top, each with its percentage."""
    places = np.arange(len(ranked))
    axes.barh(places, [100 * share for _, share in ranked], height=0.62, color=theme.series[0])
    shown = f" ({len(ranked)} of {total})" if len(ranked) < total else ""
    style.dress(axes, theme, title=f"What mattered{shown}", x_label="variance explained, %", grid=False)
    axes.set_yticks(places, [words(name) for name, _ in ranked], fontsize=style.SMALL)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.set_xlim(0, 1.25 * max(100 * ranked[0][1], 8))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, (_, share) in zip(places, ranked, strict=True):
        axes.annotate(
            f"{100 * share:.0f}",
            (100 * share, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=theme.ink,
            fontsize=style.SMALL,
        )
