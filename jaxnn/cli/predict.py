"""`jaxnn predict`: predictions of a saved model for the rows of a raw table, as CSV."""

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from jaxnn.cli import arguments
from jaxnn.cli.text import printable

PREDICTION = "prediction"  # the name of the column that is written

HELP = "predict the rows of a table with a saved model"
DESCRIPTION = """\
Reads a raw table and writes one line of CSV per row: the prediction, after the columns named by --id, and
before the range of --interval and the probability of each class of --probabilities. If the table has the
target column, metrics are printed on standard error.

Intervals are calibrated on the test rows of `jaxnn train`. That they hold the truth as often as they say is
an average over new rows that are like those: it is no promise for a single row or for a group of rows."""
EXAMPLE = """\
examples:
  jaxnn predict stroke.safetensors patients.csv > predictions.csv
  jaxnn predict houses.safetensors new_houses.csv --interval 0.9
  jaxnn predict stroke.safetensors patients.csv --id name ward --out predictions.csv
  jaxnn predict digits.safetensors digits --probabilities --out predictions.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn predict`."""
    parser.add_argument(
        "model", metavar="MODEL", help="file written by `jaxnn train --out` or by training.save: a model or an ensemble"
    )
    parser.add_argument("table", metavar="TABLE", help="file or data set to predict")
    parser.add_argument("--out", metavar="FILE", help="write here instead of to standard output")
    parser.add_argument("--probabilities", action="store_true", help="also write the probability of each class")
    parser.add_argument(
        "--interval",
        type=arguments.level,
        metavar="LEVEL",
        help="also write the range, or the classes, that holds the truth of new rows with at least this probability,"
        " such as 0.9",
    )
    parser.add_argument(
        "--id", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns of the table to copy, in front"
    )
    parser.add_argument(
        "--clip", action="store_true", help="limit numbers to the range of their column in the training rows"
    )
    parser.add_argument(
        "--fill-missing",
        action="store_true",
        help="accept missing values in columns that had none in training: a number becomes the mean, a category none",
    )


def run(options: Any) -> int:
    """Predicts, writes and computes metrics; returns the exit status."""
    from jaxnn import conformal, experiments, files, training
    from jaxnn.cli import cache, outputs

    outputs.check(options, reads={"MODEL": options.model, "TABLE": options.table})
    model = training.load(options.model)
    fitted = model.preprocessing
    if fitted is None:
        raise ValueError(
            f"{options.model} was saved without preprocessing, so it cannot read raw tables: train the model with"
            " `jaxnn train`, or save it together with its preprocessing."
        )
    problem = experiments.PROBLEMS[fitted.problem]
    if options.probabilities and problem.probabilities is None:
        raise ValueError(
            f"{options.model} predicts numbers, not classes, so it has no probabilities: leave out --probabilities."
        )
    rows = experiments.source_for(options.table, fitted, copied=options.id)
    copied = {name: _copied(rows, name) for name in options.id}
    threshold = None if options.interval is None else conformal.threshold(model, options.interval)
    cache.enable()
    handling = {"clip": options.clip, "fill_missing": options.fill_missing}
    raw = model.outputs(rows.rows, **handling)
    header, columns = [*copied, PREDICTION], [*copied.values(), problem.answers(fitted, raw)]
    regions = {} if options.interval is None else _regions(fitted, problem, raw, threshold)
    header += [f"{name} {100 * options.interval:.0f} %" for name in regions]
    columns += regions.values()
    if options.probabilities and problem.probabilities is not None:
        header += [f"probability of {name}" for name in fitted.class_names]
        columns += [[repr(p) for p in each] for each in problem.probabilities(raw).T.tolist()]
    _refuse_twice(copied, header[len(copied) :])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    if options.out is None:
        sys.stdout.write(text.getvalue())
    else:
        files.write(options.out, text.getvalue())
    for line in _remarks(rows, model, raw, handling, options.interval):
        print(printable(line), file=sys.stderr)
    return 0


def _refuse_twice(copied: Iterable[str], written: list[str]) -> None:
    """Raises ValueError if a column to copy has the name of one that is written."""
    for name in copied:
        if name in written:
            what = "the predictions have" if name == PREDICTION else "a column beside the predictions has"
            raise ValueError(
                f"--id {name}: {what} that name, so the file would have two such columns: rename the column of the"
                " table."
            )


def _regions(fitted: Any, problem: Any, raw: Any, threshold: Any) -> dict[str, list[str]]:
    """What holds the truth, as text: the ends of a range, or classes with a bar between them.

    Names with a bar of their own are quoted as in CSV, so that the classes can be told apart.
    """
    names = ['"' + name.replace('"', '""') + '"' if "|" in name else name for name in fitted.class_names]
    words = dict(zip(fitted.target.classes, names, strict=True))

    def text(value: Any) -> str:
        return " | ".join(words[label] for label in value) if isinstance(value, list) else repr(float(value))

    return {name: list(map(text, each)) for name, each in problem.region(fitted, raw, threshold).items()}


def _copied(rows: Any, name: str) -> list[str]:
    """A column as text: numbers without a needless point, nothing for a missing value.

    Raises:
        ValueError: there is no such column.
    """
    from jaxnn import checks

    if rows.dataset is None:
        values = checks.one_of(name, rows.rows.columns, "column")
        if name in rows.rows.words:  # how the file spells true and false
            words = rows.rows.words[name]
            return ["" if value is None else words[bool(value)] for value in values.tolist()]
    else:
        names = rows.dataset.feature_names
        values = rows.dataset.x[:, names.index(checks.one_of(name, dict(zip(names, names, strict=True)), "column"))]
    return [_text(value) for value in values.tolist()]


def _text(value: Any) -> str:
    """A value as it would stand in a file."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def _remarks(rows: Any, model: Any, raw: Any, handling: dict[str, bool], level: float | None) -> Iterator[str]:
    """What the reader of the predictions should know: unseen values, the metrics, how often intervals hold."""
    import numpy as np

    from jaxnn import conformal, experiments, preprocessing
    from jaxnn.cli import report, trained_rows
    from jaxnn.preprocessing.frames import take
    from jaxnn.preprocessing.raw import read_column
    from jaxnn.wording import listed

    fitted = model.preprocessing
    yield from rows.remarks
    if rows.dataset is None:
        for name, values in fitted.unknown_categories(rows.rows).items():
            yield f"column {name!r} has values not seen in training, which are treated as no category: {listed(values)}"
    yield from preprocessing.remarks(fitted, rows.rows, **handling)
    truth = rows.target
    if truth is None:
        return
    has = np.flatnonzero(~read_column("target", truth, fitted.missing).missing)
    if 0 < len(has) < rows.n_rows:
        truth, raw = take(truth, has), raw[has]
    problem = experiments.PROBLEMS[fitted.problem]
    try:
        targets = problem.as_targets(fitted.targets(truth), np.float64)
        measured = problem.scores(fitted, raw, targets, None)
    except ValueError as error:  # the predictions are valid whatever the target column holds
        yield f"no metrics: {error}"
        return
    described = ", ".join(f"{name} {report.number(name, value)}" for name, value in measured.items())
    counted = f"{len(raw):,} of {rows.n_rows:,} rows, which have a target" if len(raw) < rows.n_rows else ""
    yield f"{counted or f'{rows.n_rows:,} rows'}: {described}"
    yield from trained_rows.warning(model, rows.name, len(raw))
    if level is not None:
        within = int((problem.nonconformity(fitted, raw, targets) <= conformal.threshold(model, level)).sum())
        yield f"{100 * level:.0f} % intervals hold {within:,} of {len(raw):,} targets, {100 * within / len(raw):.1f} %"
