"""The error of float32: for each update rule, the error of each library against the number of steps."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

LIBRARIES = ("jaxnn", "optax", "torch", "keras")  # each looks the same in every picture, whichever others are there
FLOOR, FLOOR_IN_WORDS = "floor", "least possible error"
NOT_FINITE = "not finite"
DASHES = ((0, ()), (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (4, 1.2, 1.2, 1.2)), (0, (8, 1.5)))  # in widths of the line
MARKERS = ("o", "s", "D", "v", "P", "X", "*")  # one per colour; the triangle that points up is for what is not finite
MARKED_UP_TO = 12  # steps; beyond, the marks would hide the lines
COLUMNS, LEGEND_COLUMNS = 4, 6  # at most
ROW = style.SLIDE[1] / 4  # inches: beyond sixteen panels, the picture grows instead of the panels shrinking


class Look(NamedTuple):
    """How the curves of one library are drawn, in every panel."""

    colour: str
    dashes: tuple[float, tuple[float, ...]]
    marker: str


class Curve(NamedTuple):
    """Errors (n,) in ulp after steps (n,)."""

    steps: np.ndarray
    errors: np.ndarray


def ulp_errors(
    curves: Mapping[str, Mapping[str, tuple[ArrayLike, ArrayLike]]],
    *,
    title: str | None = None,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws errors in ulp against steps, one panel per rule, all on the same two logarithmic axes.

    Where curves coincide, the one that comes first in the legend is on top. If an error is 0, the error axis ends
    in a line for 0. Errors that are not finite are triangles at the upper edge.

    Args:
        curves: rule -> library -> (steps, errors), both (n,); steps > 0 and increasing, errors ≥ 0 in ulp. The
            library "floor", the best that float32 state allows, is drawn as a grey region. About sixteen rules fill a
            slide.
        title: one line over the whole.
        theme: "light" or "dark".

    Raises:
        ValueError: there is no rule, or a rule without a library; steps or errors are not as above; or the theme does
            not exist.
    """
    colours = style.theme_named(theme)
    panels = panels_of(curves)
    looks = looks_of(panels.values(), colours)
    everything = [curve for panel in panels.values() for curve in panel.values()]
    steps = np.unique(np.concatenate([curve.steps for curve in everything]))

    columns = min(math.ceil(math.sqrt(len(panels))), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    figure = style.new_figure(colours, (style.SLIDE[0], max(style.SLIDE[1], rows * ROW)))
    part = figure.add_subfigure(figure.add_gridspec(1, 1)[0])  # apart from the title, which the legend would cover
    part.set_facecolor(colours.background)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.06, wspace=0.04, hspace=0.0)  # panels over gaps
    grid = part.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    scale_steps(grid[0], steps)
    scale_errors(grid[0], np.concatenate([curve.errors for curve in everything]))
    for axes, (rule, panel) in zip(grid, panels.items(), strict=False):
        draw_rule(axes, colours, rule, panel, looks, marked=len(steps) <= MARKED_UP_TO)
    for index in range(len(panels), len(grid)):
        grid[index].remove()
        grid[index - columns].tick_params(labelbottom=True)  # it has none below it now
    write_around(part, colours, [*map(inputs.plain, looks), FLOOR_IN_WORDS, NOT_FINITE])
    if title:
        text = inputs.plain(title)
        figure.suptitle(text, x=0.01, ha="left", color=colours.ink, fontsize=style.TITLE + 4, fontweight="bold")
    return figure


def panels_of(curves: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """The curves as arrays; raises as `ulp_errors` does."""
    if not curves:
        raise ValueError("curves holds no rule, so there is nothing to draw.")
    for rule, libraries in curves.items():
        if not libraries:
            raise ValueError(f"curves[{rule!r}] holds no library: leave the rule out, or give it a curve.")
    return {
        rule: {library: curve_of(f"curves[{rule!r}][{library!r}]", pair) for library, pair in libraries.items()}
        for rule, libraries in curves.items()
    }


def curve_of(name: str, pair: Any) -> Curve:
    """A pair (steps, errors) as arrays (n,).

    Raises:
        ValueError: it is no such pair, steps do not increase from above 0, or an error is negative.
    """
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"{name} must be a pair (steps, errors), got {type(pair).__name__}.")
    steps = inputs.numbers(f"The steps of {name}", pair[0], 1)
    errors = inputs.numbers(f"The errors of {name}", pair[1], 1)
    if len(steps) != len(errors):
        raise ValueError(f"{name} must have one error per step, got {len(steps)} steps and {len(errors)} errors.")
    if not (steps[0] > 0 and np.isfinite(steps).all() and (np.diff(steps) > 0).all()):
        raise ValueError(f"The steps of {name} must be finite, increasing and > 0: the axis is logarithmic.")
    if (errors < 0).any():
        raise ValueError(f"The errors of {name} must be ≥ 0, got {np.nanmin(errors):g}: pass their absolute values.")
    return Curve(steps, errors)


def looks_of(panels: Iterable[Mapping[str, Curve]], theme: style.Theme) -> dict[str, Look]:
    """A look for each library but the floor, in the order of the legend: the known ones, then others as they come."""
    found = {library: None for panel in panels for library in panel if library != FLOOR}
    order = (*LIBRARIES, *(library for library in found if library not in LIBRARIES))
    return {
        library: Look(
            theme.series[index % len(theme.series)], DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)]
        )
        for index, library in enumerate(order)
        if library in found
    }


def scale_steps(axes: "matplotlib.axes.Axes", steps: np.ndarray) -> None:
    """Makes the axis of steps, and all that share it, logarithmic and as long as the steps."""
    low, high = steps.min() / 1.2, steps.max() * 1.2
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = ticks_between(low, high, whole=True)
    axes.set_xticks(ticks, [in_words(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def scale_errors(axes: "matplotlib.axes.Axes", errors: np.ndarray) -> None:
    """Makes the axis of errors, and all that share it, logarithmic down to the least error that is not 0.

    Below that, if any error is 0, a linear piece of constant share leads to 0.
    """
    positive = errors[(errors > 0) & np.isfinite(errors)]
    low, high = (positive.min() / 1.3, positive.max() * 1.3) if len(positive) else (0.8, 12.0)
    if not np.isfinite(errors).all():
        high *= 3  # room for the triangles
    ticks = ticks_between(low, high, whole=False)
    if (errors == 0).any():
        axes.set_yscale("symlog", linthresh=low, linscale=math.log10(high / low) / 6)
        axes.set_ylim(-0.5 * low, high)
        ticks = [0.0, *ticks]
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    axes.set_yticks(ticks, [in_words(tick) for tick in ticks])
    axes.set_yticks([], minor=True)


def ticks_between(low: float, high: float, *, whole: bool) -> list[float]:
    """About five round numbers at most: decades; where there are not two, threes as well, or equal distances."""
    ticker = checks.require("matplotlib.ticker", extra="plot", purpose="to draw")
    if high < 10 * low:
        locator = ticker.MaxNLocator(4, integer=whole, min_n_ticks=1)
    else:
        locator = ticker.LogLocator(subs=(1,) if high >= 100 * low else (1, 3), numticks=5)
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]


def in_words(tick: float) -> str:
    """A plain decimal, or a power of ten where that would be long."""
    mantissa, _, exponent = f"{tick:g}".partition("e")
    if not exponent:
        return mantissa
    factor = "" if mantissa == "1" else rf"{mantissa}\cdot "
    return f"${factor}10^{{{int(exponent)}}}$"


def draw_rule(
    axes: "matplotlib.axes.Axes",
    theme: style.Theme,
    rule: str,
    panel: Mapping[str, Curve],
    looks: Mapping[str, Look],
    *,
    marked: bool,
) -> None:
    """Draws the curves of one rule on axes that have their scales; with a mark at each step if `marked`."""
    style.dress(axes, theme, pad=6.0)
    name = inputs.plain(rule)
    size = min(style.TEXT, 1.7 * style.size_in_points(axes)[0] / len(name or " "))
    axes.set_title(name, loc="left", color=theme.ink, fontsize=size, fontweight="bold", pad=6.0)
    if axes.get_yscale() == "symlog":
        axes.axhline(0, color=theme.muted, linewidth=1.5, linestyle=":", zorder=1.5)
    for rank, (library, look) in enumerate(looks.items()):
        if library in panel:
            steps, errors = panel[library]
            axes.plot(
                steps,
                np.where(np.isfinite(errors), errors, np.nan),
                color=look.colour,
                linewidth=style.LINE,
                linestyle=look.dashes,
                marker=look.marker if marked else None,
                markersize=7,
                label=inputs.plain(library),
                zorder=3 - rank / len(looks),
            )
            mark_not_finite(axes, panel[library], look.colour)
    if FLOOR in panel:
        steps, errors = panel[FLOOR]
        finite = np.where(np.isfinite(errors), errors, np.nan)
        bottom = max(axes.get_ylim()[0], 0.0)
        axes.fill_between(steps, bottom, finite, facecolor=theme.grid, linewidth=0, label=FLOOR_IN_WORDS)
        axes.plot(steps, finite, color=theme.muted, linewidth=1.5, marker="o" if marked else None, markersize=4)
        mark_not_finite(axes, panel[FLOOR], theme.muted)


def mark_not_finite(axes: "matplotlib.axes.Axes", curve: Curve, colour: str) -> None:
    """Draws a triangle at the upper edge at each step whose error is not finite."""
    steps = curve.steps[~np.isfinite(curve.errors)]
    if len(steps):
        axes.plot(
            steps,
            np.full_like(steps, 0.95),
            transform=axes.get_xaxis_transform(),
            color=colour,
            linestyle="none",
            marker="^",
            markersize=9,
            zorder=4,
            label=NOT_FINITE,
        )


def write_around(part: Any, theme: style.Theme, order: Iterable[str]) -> None:
    """Writes what all panels of a figure or subfigure share: the names of the axes, and a legend in the given order."""
    part.supxlabel("optimiser steps", color=theme.ink, fontsize=style.TEXT)
    part.supylabel("error (units in the last place)", color=theme.ink, fontsize=style.TEXT)
    handles: dict[str, Any] = {}
    for axes in part.axes:
        drawn, labels = axes.get_legend_handles_labels()
        handles.update(zip(labels, drawn, strict=True))
    if NOT_FINITE in handles:  # of whichever library
        lines = checks.require("matplotlib.lines", extra="plot", purpose="to draw")
        handles[NOT_FINITE] = lines.Line2D([], [], color=theme.ink, linestyle="none", marker="^", markersize=9)
    named = [label for label in order if label in handles]
    part.legend(
        [handles[label] for label in named],
        named,
        loc="outside upper left",
        ncols=min(len(named), LEGEND_COLUMNS),
        frameon=False,
        labelcolor=theme.ink,
        fontsize=style.TEXT,
        columnspacing=1.3,
        handlelength=2.4,
        handletextpad=0.5,
    )
