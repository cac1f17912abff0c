"""`jaxnn train`: from a table to a trained, tested and saved network."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jaxnn.cli import arguments

HELP = "train a network on a table"
DESCRIPTION = """\
Trains a network on a table, keeps the best epoch on rows held out for validation, and tests it on others.

DATA is a file (CSV, TSV or other delimited text with a line of names; Parquet), or one of
{}.
What is predicted is read from the target column: text and few different whole numbers are classes,
other numbers are numbers, also as text: 45%, $120. Columns of one value and those that only name the rows
are left out. Defaults are chosen by the number of rows; what was chosen is printed.

Ctrl-C (SIGINT) and SIGTERM end the training and keep what was learnt. Started in the background, a process
ignores SIGINT, as shells arrange; SIGTERM (kill PID) still ends it.""".format(", ".join(arguments.DATA_SETS))
EXAMPLE = """\
examples:
  jaxnn train digits --seed 0
  jaxnn train patients.csv --target stroke --drop id --out stroke.safetensors --plot stroke.png
  jaxnn train houses.csv --target price --category zip --missing unknown --decimal comma"""

LEARNT_NOTHING = 1  # the exit status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn train`."""
    parser.add_argument("data", metavar="DATA", help="a file, or the name of a data set")
    add = parser.add_argument_group("the data").add_argument
    add("--target", metavar="COLUMN", help="what to predict; needed for a file")
    add(
        "--problem",
        type=arguments.name_from(arguments.PROBLEMS, "problem"),
        metavar="KIND",
        help="classes or numbers (read from the target)",
    )
    add("--drop", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns to leave out")
    add("--category", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns that are categories")
    add("--number", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns that are numbers")
    add(
        "--decimal",
        type=arguments.decimal,
        metavar="MARK",
        help="point or comma: the decimal mark in columns that leave it open, such as 1,045",
    )
    add(
        "--missing",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="cells that stand for a missing value, as an empty one does (NA, N/A, n/a, #N/A, <NA>, NaN, nan, NULL, "
        "null, ?); '' for the empty one alone",
    )
    add("--weight", metavar="COLUMN", help="how much each row counts, ≥ 0")
    add("--class-weight", type=class_weight, metavar="W", help="balanced, or as `yes=5,no=1`")
    add(
        "--no-class-weight-on-validation",
        action="store_true",
        help="choose the best epoch by the validation loss without the weights of classes",
    )
    add(
        "--validation",
        type=arguments.below_one,
        default=0.2,
        metavar="PART",
        help="share of the rows to choose the best epoch by (0.2)",
    )
    add(
        "--test",
        type=arguments.below_one,
        default=0.2,
        metavar="PART",
        help="share of the rows to test the trained network on (0.2)",
    )
    _add_recipe(parser)
    parser.add_argument(
        "--metric",
        type=arguments.name_from(("loss", *arguments.METRICS), "metric"),
        default="loss",
        metavar="NAME",
        help=f"what decides which epoch was the best (loss): {', '.join(arguments.METRICS)}",
    )
    arguments.add_seed(parser)
    add = parser.add_argument_group("what is written").add_argument
    add("--out", metavar="FILE", help="the model, such as model.safetensors")
    add("--plot", metavar="FILE", help="a picture of the training and the test: .png, .svg or .pdf")
    add("--history", metavar="FILE", help="one line of JSON for each epoch")
    add("--checkpoint", metavar="FOLDER", help="the run itself, every now and then")
    add("--resume", action="store_true", help="go on from the newest checkpoint, if there is one")
    add("--quiet", action="store_true", help="print the last line only")


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    """The options that say how to train. Each default is None: what suits is known when the rows are."""
    add = parser.add_argument_group("the network and its training").add_argument
    add("--hidden", type=arguments.sizes, metavar="N,N…", help="units of the hidden layers; none: a linear model")
    add(
        "--activation",
        type=arguments.names_from(arguments.ACTIVATIONS, "activation"),
        metavar="NAME",
        help="activation function of the hidden layers: one for all, or one for each, separated by commas (relu): "
        f"{', '.join(arguments.ACTIVATIONS)}",
    )
    add(
        "--optimiser",
        type=arguments.name_from((*arguments.OPTIMISERS, *arguments.METHODS), "optimiser"),
        metavar="NAME",
        help=f"(adamw): {', '.join(arguments.OPTIMISERS)}; on all rows at every step, with a step length of their own: "
        f"{', '.join(arguments.METHODS)}",
    )
    add("--learning-rate", type=arguments.positive, metavar="RATE", help="the largest one (by the optimiser)")
    add(
        "--schedule",
        type=arguments.name_from(arguments.SCHEDULES, "schedule"),
        metavar="NAME",
        help=f"how the learning rate changes over the epochs (constant): {', '.join(arguments.SCHEDULES)}",
    )
    add("--epochs", type=arguments.whole(1), metavar="N", help="epochs to train for at most")
    add("--batch-size", type=arguments.whole(1), metavar="ROWS", help="rows per step")
    add("--dropout", type=arguments.below_one, metavar="RATE", help="share of hidden units to drop in each step")
    add("--input-dropout", type=arguments.below_one, metavar="RATE", help="share of inputs to drop in each step (0)")
    add("--weight-decay", type=arguments.non_negative, metavar="λ", help="as the optimiser understands it")
    add(
        "--patience",
        type=arguments.whole(0),
        metavar="EPOCHS",
        help="stop after so many epochs without improvement on the validation rows; 0: never",
    )


def class_weight(text: str) -> str | dict[str, float]:
    """`balanced`, or a weight for each class named."""
    if text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, equals, value = pair.rpartition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"balanced or weights such as yes=5,no=1 are expected, got {text!r}")
        if name.strip() in weights:
            raise argparse.ArgumentTypeError(f"the class {name.strip()!r} is given two weights in {text!r}")
        weights[name.strip()] = arguments.non_negative(value)
    return weights


def run(options: Any) -> int:
    """Trains, tests, saves and tells; returns the exit status."""
    from jaxnn.experiments import Recipe

    if options.no_class_weight_on_validation and options.class_weight is None:
        raise ValueError("--no-class-weight-on-validation needs weights of classes: give --class-weight balanced too.")
    columns = ("target", "problem", "drop", "category", "number", "decimal", "missing", "weight")
    outcome = carry_out(
        options,
        _picture,
        reads={"DATA": options.data},
        columns={name: getattr(options, name) for name in columns},
        recipe={name: getattr(options, name) for name in Recipe._fields if getattr(options, name) is not None},
        quiet=options.quiet,
        validation=options.validation,
        test=options.test,
        metric=options.metric,
        class_weight=options.class_weight,
        class_weight_on_validation=not options.no_class_weight_on_validation,
        checkpoint=options.checkpoint,
        resume=options.resume,
        history_file=options.history,
    )
    if outcome.learnt:
        last, scores = list(outcome.scores.items())[-1]
        name, value = next(iter(scores.items()))
        print(f"{last} {name} {value:.4f}" if name == "accuracy" else f"{last} {name} {value:.2f}")
    return status(outcome)


def carry_out(
    options: Any,
    picture: Callable[[Any], Any],
    *,
    reads: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
    quiet: bool = False,
    remark: tuple[str, str] | None = None,
    **words: Any,
) -> Any:
    """Runs an experiment, tells of it as it goes on, and writes what was asked for.

    Args:
        options: with `data`, `seed`, and the files to write.
        picture: an outcome -> the figure for `options.plot`.
        reads: the files that must not be written over, by the names of their arguments.
        columns: what is said of the columns of `options.data`, for `experiments.source`.
        quiet: whether nothing is told but what went wrong.
        remark: a fact for the end.
        **words: further words for `experiments.run`.

    Returns:
        The `experiments.Outcome`.
    """
    from jaxnn import experiments, plots, training
    from jaxnn.cli import cache, outputs, report
    from jaxnn.cli.text import fact

    def prepared(rows: Any, chosen: Any) -> None:
        if not quiet:
            report.data(source, rows, options.seed)
            report.recipe(rows, chosen)
            sys.stdout.flush()

    def judged(outcome: Any) -> None:
        if options.out is not None:
            training.save(options.out, outcome.model)

    outputs.check(options, reads=reads)
    source = experiments.source(options.data, **columns or {})
    cache.enable()
    listener = experiments.Listener(prepared, trained=report.notes if quiet else report.stop, judged=judged)
    outcome = experiments.run(
        source, seed=options.seed, compare=not quiet, progress=not quiet, listener=listener, **words
    )
    if not outcome.learnt:
        print(f"jaxnn: nothing was learnt, and no model is written: {outcome.stop}.", file=sys.stderr)
        return outcome
    if not quiet:
        report.scores(outcome.scores | outcome.baselines)
    if options.plot is not None:
        plots.save(picture(outcome), options.plot)
    if not quiet:
        if remark is not None:
            fact(*remark)
        report.written(options, outcome.interrupted)
    return outcome


def status(outcome: Any) -> int:
    """The exit status of an experiment."""
    if not outcome.learnt:
        return LEARNT_NOTHING
    return 0 if outcome.interrupted is None else 128 + getattr(signal, outcome.interrupted)


def _picture(outcome: Any) -> Any:
    """The report of the run on one slide: its curves, and how it does on the last part that was held out."""
    from jaxnn import plots

    rows, history = outcome.rows, outcome.history
    *_, judges = rows.judged.values()
    return plots.training_report(
        loss=history.loss,
        validation_loss=history.validation_loss,
        metrics={f"validation_{name}": values for name, values in history.metrics.items()},
        best_epoch=outcome.fit.best_epoch or None,
        title=f"{outcome.source.name}: {rows.preprocessing.target_name}",
        **rows.problem.compared(rows.preprocessing, outcome.outputs[judges], rows.y[judges]),
    )
