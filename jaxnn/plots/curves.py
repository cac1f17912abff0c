"""Learning curves: the loss, the metrics, the learning rate and the gradient norm, epoch by epoch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from jaxnn import checks
from jaxnn.plots import inputs, style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

PANELS_IN_A_COLUMN = 3
TRAINING, VALIDATION = "training", "validation"


def learning_curves(
    *,
    loss: ArrayLike,
    validation_loss: ArrayLike | None = None,
    learning_rate: ArrayLike | None = None,
    gradient_norm: ArrayLike | None = None,
    metrics: Mapping[str, ArrayLike] | None = None,
    best_epoch: SupportsIndex | None = None,
    theme: str = "light",
) -> "matplotlib.figure.Figure":
    """Draws the history of a training run, one value per epoch in each array, epoch 1 first.

    An axis is logarithmic if all its values are positive and the largest is five times their median or a thousand
    times the smallest. Values that are not finite leave gaps.

    Args:
        loss: (epochs,), on the training data.
        validation_loss: (epochs,).
        learning_rate: (epochs,).
        gradient_norm: (epochs,).
        metrics: name -> (epochs,); `validation_accuracy` shares a panel with `accuracy`.
        best_epoch: the one whose parameters were kept, 1 first. None: the epoch of the least validation loss, or,
            without validation, of the least loss.
        theme: "light" or "dark".

    Raises:
        ValueError: a shape or a length is wrong, or the theme or the epoch does not exist.
    """
    colours = style.theme_named(theme)
    figure = style.new_figure(colours)
    panels = panels_of(loss, validation_loss, learning_rate, gradient_norm, metrics)
    draw_learning_curves(figure, colours, panels, best_epoch_of(panels["loss"], best_epoch))
    return figure


def panels_of(
    loss: ArrayLike,
    validation_loss: ArrayLike | None = None,
    learning_rate: ArrayLike | None = None,
    gradient_norm: ArrayLike | None = None,
    metrics: Mapping[str, ArrayLike] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """The history as panels, title -> curve -> (epochs,); the loss first.

    Raises:
        ValueError: an array has another shape or length than the loss.
    """
    panels: dict[str, dict[str, np.ndarray]] = {}

    def add(argument: str, title: str, curve: str, values: ArrayLike | None) -> None:
        if values is None:
            return
        array = inputs.numbers(argument, values, 1)
        inputs.same_length(**{"loss": panels.get("loss", {}).get(TRAINING, array), argument: array})
        panels.setdefault(title, {})[curve] = np.where(np.isfinite(array), array, np.nan)

    add("loss", "loss", TRAINING, loss)
    add("validation_loss", "loss", VALIDATION, validation_loss)
    for name, values in (metrics or {}).items():
        stem = name.removeprefix("validation_")
        title = stem.replace("_", " ")
        add(f"metrics[{name!r}]", title, TRAINING if stem == name else VALIDATION, values)
    add("gradient_norm", "gradient norm", TRAINING, gradient_norm)
    add("learning_rate", "learning rate", TRAINING, learning_rate)
    return panels


def draw_learning_curves(
    parent: Any,
    theme: style.Theme,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    best: int | None,
) -> None:
    """Draws the first of `panels` large at the left, the others in columns of three beside it."""
    (title, curves), *others = panels.items()
    rows = min(len(others), PANELS_IN_A_COLUMN) or 1
    columns = -(-len(others) // rows)
    grid = parent.add_gridspec(rows, 1 + columns, width_ratios=[1.6] + [1] * columns)
    draw_panel(parent.add_subplot(grid[:, 0]), theme, title, curves, best=best, name_best=True)
    for index, (title, curves) in enumerate(others):
        axes = parent.add_subplot(grid[index % rows, 1 + index // rows])
        draw_panel(axes, theme, title, curves, best=best)
        if index % rows < rows - 1 and index < len(others) - 1:
            axes.set_xlabel("")  # the panel below has the same epochs


def best_epoch_of(curves: Mapping[str, np.ndarray], given: SupportsIndex | None) -> int | None:
    """The epoch to mark, 1 first: the given one, or that of the least validation (else training) loss.

    Returns:
        None where no loss is finite.

    Raises:
        ValueError: the given epoch is outside the run.
    """
    monitored = curves.get(VALIDATION, curves[TRAINING])
    if given is not None:
        checks.whole(1, best_epoch=given)
        if int(given) > len(monitored):
            raise ValueError(f"best_epoch must be in 1..{len(monitored)}, got {given}.")
        return int(given)
    return None if np.isnan(monitored).all() else int(np.nanargmin(monitored)) + 1


def draw_panel(
    axes: "matplotlib.axes.Axes",
    theme: style.Theme,
    title: str,
    curves: Mapping[str, np.ndarray],
    *,
    best: int | None,
    name_best: bool = False,
    lines: Mapping[str, float] | None = None,
) -> None:
    """Draws the curves of one quantity with their names at their ends.

    Args:
        axes: empty.
        theme: gives the colours.
        title: the quantity; begins with a capital when drawn.
        curves: name -> (epochs,), "training" and "validation" or one of them.
        best: the epoch to mark, 1 first.
        name_best: whether to label it with its number.
        lines: name -> constant to compare with, dashed.
    """
    colours = {TRAINING: theme.series[0], VALIDATION: theme.series[1]}
    ends: dict[str, tuple[float, str]] = {}
    epochs = max(map(len, curves.values()))
    for name, values in curves.items():
        finite = np.flatnonzero(~np.isnan(values))
        axes.plot(
            np.arange(1, epochs + 1),
            values,
            color=colours[name],
            linewidth=style.LINE,
            marker="o" if len(finite) < 3 else None,  # a line needs two points to be seen
            label=name,
        )
        if len(finite) and (len(curves) > 1 or lines):
            ends[name] = (values[finite[-1]], colours[name])
    for index, (name, value) in enumerate((lines or {}).items()):
        colour = (theme.ink, *theme.series[2:])[index % (len(theme.series) - 1)]
        axes.axhline(value, color=colour, linewidth=2, linestyle=(0, (5, 3)), label=name)
        ends[f"{name} {value:.3g}"] = (value, colour)

    style.dress(axes, theme, title=title.capitalize(), x_label="epoch", pad=28.0 if name_best else 12.0)
    axes.set_xlim(1 if epochs > 1 else 0.5, max(epochs, 1.5))
    axes.locator_params(axis="x", integer=True)
    if epochs == 1:
        axes.set_xticks([1])
    everything = np.concatenate([*curves.values(), [*(lines or {}).values()]])
    if asks_for_logarithm(everything):
        use_logarithm(axes, float(np.nanmax(everything) / np.nanmin(everything)))
    if best is not None:
        mark_best(axes, theme, best, curves.get(VALIDATION, curves.get(TRAINING)), name_best)
    name_ends(axes, ends)


def mark_best(
    axes: "matplotlib.axes.Axes",
    theme: style.Theme,
    best: int,
    monitored: np.ndarray | None,
    named: bool,
) -> None:
    """Marks an epoch by a dotted line and a ring on the curve, and labels it above the line."""
    axes.axvline(best, color=theme.muted, linewidth=1.5, linestyle=":", zorder=0.5)
    if monitored is not None:
        axes.plot(
            [best],
            [monitored[best - 1]],
            marker="o",
            markersize=9,
            color=theme.background,
            markeredgecolor=theme.ink,
            markeredgewidth=2.5,
            linestyle="none",
            clip_on=False,
            zorder=3,
            label="best epoch",
        )
    if named:
        low, high = axes.get_xlim()
        along = (best - low) / (high - low)
        axes.text(
            best,
            1.01,
            f"best: epoch {best}",
            transform=axes.get_xaxis_transform(),
            ha="left" if along < 0.2 else "right" if along > 0.8 else "center",
            va="bottom",
            color=theme.ink,
            fontsize=style.SMALL,
        )


def use_logarithm(axes: "matplotlib.axes.Axes", ratio: float) -> None:
    """Makes the y axis logarithmic with plain decimal labels: 1, 2 and 5 of each decade if there is room."""
    ticker = checks.require("matplotlib.ticker", extra="plot", purpose="to draw")
    axes.set_yscale("log")
    room = style.size_in_points(axes)[1] / (2 * style.SMALL)  # labels
    subs = (1, 2, 5) if 3 * np.log10(ratio) <= room else (1,)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())


def asks_for_logarithm(values: np.ndarray) -> bool:
    """Whether a linear axis would hide small values, because most are small or some are very small.

    An accuracy that rises from 0.1 to 0.9 spans as much as a loss that falls from 0.9 to 0.1, but most of its values
    are large: it stays on a linear axis.
    """
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() <= 0:
        return False
    return bool(finite.max() >= min(5 * np.median(finite), 1000 * finite.min()))


def name_ends(axes: "matplotlib.axes.Axes", ends: Mapping[str, tuple[float, str]]) -> None:
    """Writes each name at the right of `axes`, at the height of its value or as near as its neighbours allow."""
    if not ends:
        return
    values = np.array([value for value, _ in ends.values()])
    pixels = axes.transData.transform(np.column_stack([np.ones_like(values), values]))
    heights = axes.transAxes.inverted().transform(pixels)[:, 1]
    gap = 1.25 * style.SMALL / style.size_in_points(axes)[1]
    heights = spread(heights, gap)
    heights = heights - max(heights.max() - 1 + gap / 2, 0)  # the title is above the axes
    for (name, (_, colour)), height in zip(ends.items(), heights, strict=True):
        axes.annotate(
            name,
            (1, height),
            xycoords="axes fraction",
            xytext=(10, 0),
            textcoords="offset points",
            color=colour,
            fontsize=style.SMALL,
            fontweight="bold",
            va="center",
            annotation_clip=False,
        )


def spread(positions: np.ndarray, gap: float) -> np.ndarray:
    """The nearest positions, in least squares and in the same order, that are at least `gap` apart.

    Neighbours that would touch form a block around the mean of where they want to be (pool adjacent violators).
    """
    order = np.argsort(positions, kind="stable")
    blocks: list[list[float]] = []  # each holds positions less the room of those before
    for rank, index in enumerate(order):
        blocks.append([positions[index] - rank * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    settled = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks])
    result = np.empty(len(order))
    result[order] = settled + gap * np.arange(len(order))
    return result
