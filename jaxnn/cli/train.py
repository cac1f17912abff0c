"""`jaxnn train`: from a table to a trained, tested and saved network."""

import argparse
import signal
import sys
from typing import Any

from jaxnn.cli import arguments, recipe

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
        type=arguments.name_from(("classes", "numbers"), "problem"),
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
    recipe.add_arguments(parser)
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
    from jaxnn import plots, training
    from jaxnn.cli import cache, experiment, outputs, report, source

    if options.no_class_weight_on_validation and options.class_weight is None:
        raise ValueError("--no-class-weight-on-validation needs weights of classes: give --class-weight balanced too.")
    outputs.check(options, reads={"DATA": options.data})
    absent = missing(options.missing)
    words = {"missing": absent} if absent else {}
    rows = source.read(options.data, decimal=options.decimal, text=options.category, number=options.number, **words)
    _check_columns(options, rows)
    cache.enable()
    with outputs.unless(options.quiet):
        parts = experiment.prepare(
            rows,
            target=options.target,
            problem=options.problem,
            validation=options.validation,
            test=options.test,
            seed=options.seed,
            drop=tuple(options.drop),
            weight=options.weight,
            category=options.category,
            number=options.number,
            decimal=options.decimal,
            missing=absent,
        )
        weights = {
            "class_weight": experiment.weights_of_classes(parts, options.class_weight),
            "class_weight_on_validation": not options.no_class_weight_on_validation,
        }
        chosen = recipe.complete(options, rows=len(parts.split.train), problem=parts.problem)
        report.data(rows, parts, options.seed)
        report.recipe(parts, chosen)
        experiment.check_memory(parts, chosen)
        sys.stdout.flush()
        trained = experiment.train(
            parts,
            chosen,
            seed=options.seed,
            monitor=None if options.metric == "loss" else options.metric,
            metrics=experiment.watched(parts, options.metric),
            **weights,
            checkpoint=options.checkpoint,
            resume=options.resume,
            history_file=options.history,
            progress=not options.quiet,
        )
        if not len(trained.fit.history.loss) and trained.fit.interrupted is None:
            print(f"jaxnn: nothing was learnt, and no model is written: {trained.fit.stop}.", file=sys.stderr)
            return LEARNT_NOTHING
        if options.quiet:  # without it, the notes were told when they were made
            report.notes(trained.fit)
        report.stop(trained.fit)
        model, scores = experiment.judge(rows, parts, chosen, trained, seed=options.seed)
        if options.out is not None:
            training.save(options.out, model)
        interrupted = trained.fit.interrupted
        baselines: dict[str, dict[str, float]] = {}
        if interrupted is None and not options.quiet:
            baselines, interrupted = experiment.baselines(parts, seed=options.seed, **weights)
        report.scores(scores | baselines)
        if options.plot is not None:
            plots.save(_picture(rows, parts, trained, model), options.plot)
        report.written(options, interrupted)
    last = list(scores)[-1]
    name, value = next(iter(scores[last].items()))
    print(f"{last} {name} {value:.4f}" if name == "accuracy" else f"{last} {name} {value:.2f}")
    return 0 if interrupted is None else 128 + getattr(signal, interrupted)


def missing(given: list[str] | None) -> tuple[str, ...]:
    """The texts that stand for a missing value, the empty one among them; () for the usual ones."""
    return () if given is None else tuple(dict.fromkeys(("", *map(str.strip, given))))


def _check_columns(options: Any, rows: Any) -> None:
    """Refuses columns that do not exist, and a file without a target, before anything is computed.

    Raises:
        ValueError: a name is unknown, or the target is missing.
    """
    from jaxnn import checks
    from jaxnn.cli.text import listed

    if rows.dataset is not None:
        words = ("drop", "weight", "category", "number", "decimal", "missing")
        if options.target not in (None, rows.dataset.target_name) or any(getattr(options, word) for word in words):
            raise ValueError(
                f"The data set {rows.name!r} knows its target, {rows.dataset.target_name!r}, and its columns: "
                f"--target, --{', --'.join(words[:-1])} and --{words[-1]} are for files."
            )
        return
    names = rows.rows.names
    if options.target is None:
        raise ValueError(f"Which column is to be predicted? Give --target COLUMN, one of {listed(names, 12)}.")
    for kind, name in (("target column", options.target), ("weight column", options.weight)):
        if name is not None:
            checks.one_of(name, rows.rows.columns, kind)


def _picture(rows: Any, parts: Any, trained: Any, model: Any) -> Any:
    """The report of the run on one slide: its curves, and how it does on the last part that was held out."""
    from jaxnn import metrics, plots

    judges = getattr(parts.split, parts.held_out[-1] if parts.held_out else "train")
    history, fitted = trained.fit.history, parts.preprocessing
    words: dict[str, Any]
    if parts.problem == "classes":
        codes = model.outputs(rows.rows)[judges].argmax(axis=1)
        classes = fitted.class_names
        matrix = metrics.confusion_matrix(parts.y[judges], codes, n_classes=len(classes))
        words = {"matrix": matrix, "class_names": classes}
    else:
        predictions = fitted.numbers(model.outputs(rows.rows))[judges]
        targets = fitted.numbers(parts.y[judges])
        words = {"targets": targets, "predictions": predictions, "name": fitted.target_name}
    return plots.training_report(
        loss=history.loss,
        validation_loss=history.validation_loss,
        metrics={f"validation_{name}": values for name, values in history.metrics.items()},
        best_epoch=trained.fit.best_epoch or None,
        title=f"{rows.name}: {fitted.target_name}",
        **words,
    )
