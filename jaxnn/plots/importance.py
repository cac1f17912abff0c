"""How much worse a model gets if a column is shuffled, a bar for each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.figure

BARS = 15


def importance(
    columns: Sequence[str],
    worse: ArrayLike,
    error: ArrayLike,
    *,
    name: str = "score",
    most: int = BARS,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws a bar for each of the most important columns, with its standard error, the greatest on top.

    Args:
        columns: their names, C ≥ 1 of them.
        worse: (C,), by how much the score gets worse.
        error: (C,) ≥ 0, the standard error of that.
        name: what the score is, such as "log loss".
        most: the number of bars, ≥ 1.
        theme: "light" or "dark".

    Raises:
        ValueError: the lengths differ, there is no column, or a value is not finite.
    """
    colours = style.theme_named(theme)
    checks.whole(1, most=most)
    lengths, errors = inputs.numbers("worse", worse, 1), inputs.numbers("error", error, 1)
    inputs.same_length(columns=np.arange(len(columns)), worse=lengths, error=errors)
    if not len(lengths) or not (np.isfinite(lengths).all() and np.isfinite(errors).all()):
        raise ValueError("worse and error must hold one finite number or more, one for each column.")
    order = np.argsort(-lengths, kind="stable")[:most]
    shown = [inputs.plain(columns[j]) for j in order]
    figure = style.new_figure(colours, (12.0, 1.8 + 0.5 * len(order)))
    axes = figure.subplots()
    places = np.arange(len(order))
    axes.barh(places, lengths[order], height=0.62, color=colours.series[0])
    axes.errorbar(lengths[order], places, xerr=errors[order], fmt="none", ecolor=colours.ink, capsize=4, linewidth=2)
    axes.axvline(0, color=colours.muted, linewidth=1)
    some = f" ({len(order)} of {len(lengths)} columns)" if len(order) < len(lengths) else ""
    style.dress(
        axes,
        colours,
        title=f"Shuffling {shown[0]} costs most{some}",
        x_label=f"{inputs.plain(name)} gets worse by, ± standard error",
        grid=False,
    )
    axes.set_yticks(places, shown, fontsize=style.SMALL)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure
