"""Draws how the cost of a step grows, ours against torch, on logarithmic axes.

python -m benchmarks --only scaling --into docs/performance.json
python -m benchmarks.scaling_picture docs/performance.json docs/scaling.png

Five panels: rows, width, depth and networks from the question `scaling`, parameters from `update`. A dotted line has
slope 1: along it, twice as much costs twice as much.
"""

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import scaling, update
from jaxnn import plots
from jaxnn.plots import style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

DRAWN = ("jaxnn", "torch")
WIDEST = 14  # letters of a line below a panel
Curves = dict[str, list[tuple[float, float]]]  # of each contender, (size, seconds of a unit)


def curves(report: dict[str, Any]) -> dict[str, Curves]:
    """By the title of their panel, the curves of each contender.

    Raises:
        ValueError: the report lacks a question.
    """
    asked = {question["name"]: question for question in report["questions"]}
    for name in ("scaling", "update"):
        if name not in asked:
            raise ValueError(f"The report does not contain {name}. Measure it with python -m benchmarks --only {name}.")
    found: dict[str, Curves] = {}
    for size, problem in zip(scaling.problems(report["quick"]), asked["scaling"]["problems"], strict=True):
        _add(found.setdefault(scaling.AXES[size.axis], {}), size.value, problem)
    for of, problem in zip(update.problems(report["quick"]), asked["update"]["problems"], strict=True):
        _add(found.setdefault("parameters, of one Adam update", {}), of.parameters, problem)
    return found


def _add(panel: Curves, size: float, problem: dict[str, Any]) -> None:
    for contender in problem["contenders"]:
        if contender["name"] in DRAWN:
            seconds = median(contender["seconds"]) / contender.get("units", problem["units"])
            panel.setdefault(contender["name"], []).append((size, seconds))


def drawn(report: dict[str, Any], *, theme: str = "light") -> "matplotlib.figure.Figure":
    """A panel for each thing that grows, a curve for each library.

    Raises:
        ValueError: the report lacks a question.
    """
    colours, found = style.theme_named(theme), curves(report)
    figure = style.new_figure(colours, style.SLIDE)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (title, panel) in zip(panels, found.items(), strict=True):
        label = "seconds of a step" if axes is panels[0] else ""
        style.dress(axes, colours, title="", x_label=textwrap.fill(title, WIDEST), y_label=label)
        draw_panel(axes, colours, panel)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=3, frameon=False, labelcolor=colours.ink, fontsize=style.SMALL
    )
    title = "What does a step cost, as something grows?"
    figure.suptitle(title, x=0.01, ha="left", color=colours.ink, fontsize=style.TITLE)
    return figure


def draw_panel(axes: "matplotlib.axes.Axes", theme: style.Theme, panel: Curves) -> None:
    """Draws the curves, and the line of slope 1 through the last point of ours."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, colour in zip(DRAWN, theme.series, strict=False):
        if name in panel:
            sizes, seconds = zip(*panel[name], strict=True)
            axes.plot(sizes, seconds, color=colour, linewidth=style.LINE, marker="o", label=name)
    sizes, seconds = zip(*panel[DRAWN[0]], strict=True)
    line = [seconds[-1] * size / sizes[-1] for size in sizes]
    axes.plot(sizes, line, color=theme.ink, linestyle=":", linewidth=1, label="in proportion")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status, 2 where the input is at fault."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m benchmarks.scaling_picture REPORT.json PICTURE.png", file=sys.stderr)
        return 2
    try:
        plots.save(drawn(json.loads(Path(given[0]).read_text(encoding="utf-8"))), given[1])
    except (OSError, ValueError, ImportError) as error:
        print(f"benchmarks.scaling_picture: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
