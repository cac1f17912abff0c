"""The options of a training: what the rows and columns of the data are, and how the network is trained."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from jaxnn.cli import arguments

# Options that say how to read the columns, as `experiments.source` takes them.
COLUMNS = ("target", "problem", "drop", "category", "number", "date", "decimal", "missing", "weight")


def add_data(parser: argparse.ArgumentParser, *, without: Sequence[str] = ()) -> None:
    """The options that say what the columns and rows of DATA are, but for those in `without`."""
    add = _adder(parser, "the data", without)
    add("--target", metavar="COLUMN", help="column to predict (required for a file)")
    add(
        "--problem",
        type=arguments.name_from(arguments.PROBLEMS, "problem"),
        metavar="KIND",
        help="classes, numbers, or counts by Poisson regression (default: classes or numbers, by the target column)",
    )
    add("--drop", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to leave out")
    add("--category", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to treat as categories")
    add("--number", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to treat as numbers")
    add(
        "--date",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN",
        help="columns that hold dates, or COLUMN=FORM with how these are written, such as seen=%%d/%%m/%%Y, in "
        "quotes if there are spaces",
    )
    add(
        "--decimal",
        type=arguments.decimal,
        metavar="MARK",
        help="decimal mark, point or comma, for columns where it is ambiguous, such as 1,045",
    )
    add(
        "--missing",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="further cell contents that mean a missing value, besides the empty cell, NA, N/A, n/a, #N/A, <NA>, NaN, "
        "nan, NULL, null and ?; with '' among them, these are no longer missing, but for the empty cell",
    )
    add("--weight", metavar="COLUMN", help="column with the weight of each row, ≥ 0")
    add(
        "--class-weight",
        type=class_weight,
        metavar="W",
        help="weights of classes: balanced, or values such as yes=5,no=1",
    )
    add(
        "--no-class-weight-on-validation",
        action="store_true",
        help="do not apply class weights to the validation loss, which decides which epoch is best",
    )
    add(
        "--validation",
        type=arguments.below_one,
        default=0.2,
        metavar="FRACTION",
        help="fraction of rows held out to choose the best epoch (default: 0.2)",
    )
    add(
        "--test",
        type=arguments.below_one,
        default=0.2,
        metavar="FRACTION",
        help="fraction of rows held out to test the trained network (default: 0.2)",
    )


def add_recipe(parser: argparse.ArgumentParser, *, without: Sequence[str] = ()) -> None:
    """The options that say how to train, but for those in `without`.

    Each default is None, because the real one depends on the number of rows.
    """
    add = _adder(parser, "the network and its training", without)
    add(
        "--hidden",
        type=arguments.sizes,
        metavar="N,N…",
        help="units of each hidden layer, such as 64,32; none for a linear model (default: see above)",
    )
    add(
        "--activation",
        type=arguments.names_from(arguments.ACTIVATIONS, "activation"),
        metavar="NAME",
        help="activation of the hidden layers: one name, or one per layer separated by commas (default: relu): "
        f"{', '.join(arguments.ACTIVATIONS)}",
    )
    add(
        "--optimiser",
        type=arguments.name_from((*arguments.OPTIMISERS, *arguments.METHODS), "optimiser"),
        metavar="NAME",
        help=f"optimiser (default: adamw): {', '.join(arguments.OPTIMISERS)}; or a method that uses all rows in every "
        f"step and finds its own step length: {', '.join(arguments.METHODS)}",
    )
    add(
        "--learning-rate",
        type=arguments.positive,
        metavar="RATE",
        help="learning rate before --schedule lowers it, or the one that warmup_cosine rises to (default: see above)",
    )
    add(
        "--schedule",
        type=arguments.name_from(arguments.SCHEDULES, "schedule"),
        metavar="NAME",
        help=f"how the learning rate changes over the epochs (default: constant): {', '.join(arguments.SCHEDULES)}",
    )
    add("--epochs", type=arguments.whole(1), metavar="N", help="maximum number of epochs (default: see above)")
    add("--batch-size", type=arguments.whole(1), metavar="ROWS", help="rows per step (default: see above)")
    add(
        "--dropout",
        type=arguments.below_one,
        metavar="RATE",
        help="fraction of hidden units dropped in each step (default: 0)",
    )
    add(
        "--input-dropout",
        type=arguments.below_one,
        metavar="RATE",
        help="fraction of inputs dropped in each step (default: 0)",
    )
    add(
        "--weight-decay",
        type=arguments.non_negative,
        metavar="λ",
        help="strength of weight decay, decoupled or L2, as the optimiser defines it (default: see above)",
    )
    add(
        "--patience",
        type=arguments.whole(0),
        metavar="EPOCHS",
        help="stop after this many epochs without improvement on the validation rows; 0 to never stop early "
        "(default: 20)",
    )


def _adder(parser: argparse.ArgumentParser, title: str, without: Sequence[str]) -> Callable[..., Any]:
    """A function that adds an option to a new group, unless it is to be left out."""
    group = parser.add_argument_group(title)
    return lambda option, **words: None if option in without else group.add_argument(option, **words)


def class_weight(text: str) -> str | dict[str, float]:
    """`balanced`, or a weight for each class named."""
    if text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, equals, value = pair.rpartition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"expected balanced, or weights such as yes=5,no=1, got {text!r}")
        if name.strip() in weights:
            raise argparse.ArgumentTypeError(f"class {name.strip()!r} has two weights in {text!r}: give it one")
        weights[name.strip()] = arguments.non_negative(value)
    return weights


def check_class_weight(options: Any) -> None:
    """Raises ValueError for an option about class weights where there are none."""
    if options.no_class_weight_on_validation and options.class_weight is None:
        raise ValueError(
            "--no-class-weight-on-validation has no effect without class weights: add them, such as with"
            " --class-weight balanced."
        )
