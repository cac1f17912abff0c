"""`jaxnn predict`: predictions of a saved model for the rows of a raw table, as CSV."""

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from typing import Any

from jaxnn.cli.text import printable

HELP = "predict the rows of a table with a saved model"
DESCRIPTION = """\
Reads a raw table and writes one line of CSV per row: the prediction and, with --probabilities, the
probability of each class. If the table has the target column, metrics are printed on standard error."""
EXAMPLE = """\
examples:
  jaxnn predict stroke.safetensors patients.csv > predictions.csv
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
        "--clip", action="store_true", help="limit numbers to the range of their column in the training rows"
    )
    parser.add_argument(
        "--fill-missing",
        action="store_true",
        help="accept missing values in columns that had none in training: a number becomes the mean, a category none",
    )


def run(options: Any) -> int:
    """Predicts, writes and computes metrics; returns the exit status."""
    from jaxnn import experiments, files, training
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
    rows = experiments.source_for(options.table, fitted)
    cache.enable()
    handling = {"clip": options.clip, "fill_missing": options.fill_missing}
    raw = model.outputs(rows.rows, **handling)
    header, columns = ["prediction"], [problem.answers(fitted, raw)]
    if options.probabilities and problem.probabilities is not None:
        header += [f"probability of {name}" for name in fitted.class_names]
        columns += [[repr(p) for p in each] for each in problem.probabilities(raw).T.tolist()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    if options.out is None:
        sys.stdout.write(text.getvalue())
    else:
        files.write(options.out, text.getvalue())
    for line in _remarks(rows, fitted, raw, handling):
        print(printable(line), file=sys.stderr)
    return 0


def _remarks(rows: Any, fitted: Any, raw: Any, handling: dict[str, bool]) -> Iterator[str]:
    """What the reader of the predictions should know: values not seen in training, and the metrics."""
    from jaxnn import experiments, preprocessing
    from jaxnn.cli import report
    from jaxnn.wording import listed

    yield from rows.remarks
    if rows.dataset is None:
        for name, values in fitted.unknown_categories(rows.rows).items():
            yield f"column {name!r} has values not seen in training, which are treated as no category: {listed(values)}"
    yield from preprocessing.remarks(fitted, rows.rows, **handling)
    truth = rows.target
    if truth is None:
        return
    try:
        measured = experiments.PROBLEMS[fitted.problem].scores(fitted, raw, fitted.targets(truth), None)
    except ValueError as error:  # the predictions are valid whatever the target column holds
        yield f"no metrics: {error}"
        return
    described = ", ".join(f"{name} {report.number(name, value)}" for name, value in measured.items())
    yield f"{rows.n_rows:,} rows: {described}"
