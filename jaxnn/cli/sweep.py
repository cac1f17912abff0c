"""`jaxnn sweep`: every combination of a grid, on folds and seeds, as one table and one picture."""

import argparse
from collections.abc import Callable
from typing import Any

from jaxnn.cli import arguments, searches

HELP = "try every combination of a grid of hyperparameters"
DESCRIPTION = """\
Trains a network for every combination of a grid, on every fold and with every seed, side by side, and
prints which combination is best on validation rows and which hyperparameter mattered.

DATA, its columns and all defaults are those of `jaxnn train`. An entry of the grid is a hyperparameter
and its values: numbers and names are separated by commas, hidden layers of one network by x, as in
hidden=32,64x64,none. Options such as --epochs hold for all.

Each trial is recorded as soon as it has ended; a search that was stopped goes on with --resume."""
EXAMPLE = """\
examples:
  jaxnn sweep digits --grid learning_rate=1e-3,1e-2 hidden=32,64x64 --seeds 5 --plot sweep.png
  jaxnn sweep patients.csv --target stroke --grid weight_decay=0.1,1 dropout=0.1,0.3 --folds 5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn sweep`."""
    parser.add_argument("data", metavar="DATA", help="file or data set to train on")
    parser.add_argument(
        "--grid",
        nargs="+",
        action="extend",
        required=True,
        type=entry,
        metavar="NAME=V,V…",
        help=f"values to try: {', '.join(VALUES)}",
    )
    searches.add_arguments(parser, file="sweep.jsonl", folds="default: 1")


def run(options: Any) -> int:
    """Sweeps, reports and writes; returns the exit status."""
    from jaxnn import search

    grid: dict[str, Any] = {}
    for name, values in options.grid:
        if name in grid:
            raise ValueError(f"--grid names {name} twice: give all its values at once, such as {name}=a,b.")
        grid[name] = values
    return searches.carry_out(options, search.sweep, folds=options.folds or 1, grid=grid)


def layers(text: str) -> tuple[int, ...]:
    """The hidden layers of one network, such as 64x64; `none` for a linear model."""
    return arguments.sizes(text.replace("x", ","))


VALUES: dict[str, Callable[[str], Any]] = {
    "hidden": layers,
    "activation": arguments.name_from(arguments.ACTIVATIONS, "activation"),
    "optimiser": arguments.name_from((*arguments.OPTIMISERS, *arguments.METHODS), "optimiser"),
    "learning_rate": arguments.positive,
    "schedule": arguments.name_from(arguments.SCHEDULES, "schedule"),
    "epochs": arguments.whole(1),
    "batch_size": arguments.whole(1),
    "dropout": arguments.below_one,
    "input_dropout": arguments.below_one,
    "weight_decay": arguments.non_negative,
    "patience": arguments.whole(0),
}


def entry(text: str) -> tuple[str, list[Any]]:
    """An entry of the grid: a hyperparameter and its values."""
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not values:
        raise argparse.ArgumentTypeError(f"expected values such as learning_rate=1e-3,1e-2, got {text!r}")
    if name not in VALUES:
        raise argparse.ArgumentTypeError(
            f"unknown hyperparameter {name!r}.{arguments.nearest(name, VALUES)} Known: {', '.join(VALUES)}"
        )
    try:
        read = [VALUES[name](value.strip()) for value in values.split(",")]
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from None
    if len(set(read)) < len(read):
        raise argparse.ArgumentTypeError(f"{name} has a value twice in {text!r}: give each once")
    return name, read
