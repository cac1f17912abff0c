"""Draws the race: how far J is above its goal, against seconds of running time.

python -m benchmarks --json docs/performance.json
python -m benchmarks.picture docs/performance.json docs/race.png

The picture assumes that all steps of a run take equally long. A run's seconds are the median of its rounds.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnn import plots
from jaxnn.plots import style, ulps

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

FLOOR = 1e-8  # relative: anything nearer to the goal is drawn here


def drawn(report: dict[str, Any], *, theme: str = "light") -> "matplotlib.figure.Figure":
    """A panel for each problem of the race, a curve for each contender.

    A curve ends in a dot if the goal was reached, and in a cross if it was not. The title names the fastest.

    Raises:
        ValueError: the report has no race in it.
    """
    race = next((question for question in report["questions"] if question["name"] == "race"), None)
    if race is None:
        raise ValueError("The report does not contain the race. Measure it with python -m benchmarks --only race.")
    colours = style.theme_named(theme)
    figure = style.new_figure(colours, style.SLIDE)
    panels = figure.subplots(1, len(race["problems"]), sharey=True, squeeze=False)[0]
    for axes, problem in zip(panels, race["problems"], strict=True):
        title, _, _ = problem["name"].partition(",")
        label = "J above its goal: (J − goal) / goal" if axes is panels[0] else ""
        style.dress(axes, colours, title=title, x_label="seconds of running time", y_label=label, pad=34.0)
        name_winner(axes, colours, problem["contenders"])
        draw_contenders(axes, colours, problem["contenders"])
    panels[0].set_ylim(bottom=FLOOR)  # of all, once all are drawn: no panel grows after that
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=5, frameon=False, labelcolor=colours.ink, fontsize=style.SMALL
    )
    title = "Which method reaches its goal first? (dot: reached, cross: not reached)"
    figure.suptitle(title, x=0.01, ha="left", color=colours.ink, fontsize=style.TITLE)
    return figure


def name_winner(axes: "matplotlib.axes.Axes", theme: style.Theme, contenders: list[dict[str, Any]]) -> None:
    """Writes below the title who reached the goal in the least time, if anyone did."""
    arrived = {each["name"]: median(each["seconds"]) for each in contenders if each["witness"] <= 1}
    if arrived:
        first = min(arrived, key=lambda name: arrived[name])
        text = f"fastest: {first}, {arrived[first]:.2g} s"
        axes.text(0, 1.02, text, transform=axes.transAxes, color=theme.ink, fontsize=style.TEXT)


def draw_contenders(axes: "matplotlib.axes.Axes", theme: style.Theme, contenders: list[dict[str, Any]]) -> None:
    """Draws the curves of one problem, the first contender on top."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for rank, contender in enumerate(contenders):
        seconds = median(contender["seconds"]) * np.asarray(contender["curve"]["shares"])
        above = np.maximum(contender["curve"]["above_goal"], FLOOR)
        colour = theme.series[rank % len(theme.series)]
        dashes = ulps.DASHES[rank // len(theme.series)]
        axes.plot(
            seconds,
            above,
            color=colour,
            linestyle=dashes,
            linewidth=style.LINE,
            label=contender["name"],
            zorder=3 - rank / len(contenders),
        )
        reached = contender["witness"] <= 1
        axes.plot(seconds[-1:], above[-1:], color=colour, marker="o" if reached else "X", markersize=10, clip_on=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status, 2 where the input is at fault."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m benchmarks.picture REPORT.json PICTURE.png", file=sys.stderr)
        return 2
    try:
        plots.save(drawn(json.loads(Path(given[0]).read_text(encoding="utf-8"))), given[1])
    except (OSError, ValueError, ImportError) as error:
        print(f"benchmarks.picture: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
