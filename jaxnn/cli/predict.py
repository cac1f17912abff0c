"""`jaxnn predict`: answers of a saved model for the rows of a raw table, as CSV."""

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from typing import Any

from jaxnn.cli.text import printable

HELP = "answers of a saved model for a table"
DESCRIPTION = """\
Reads a raw table and writes one line of CSV for each of its rows: the prediction, and the probability of
each class if wanted. Where the table holds the target column, metrics are printed on standard error."""
EXAMPLE = """\
examples:
  jaxnn predict stroke.safetensors patients.csv > predictions.csv
  jaxnn predict digits.safetensors digits --probabilities --out predictions.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn predict`."""
    parser.add_argument("model", metavar="MODEL", help="a file that `jaxnn train --out` wrote")
    parser.add_argument("table", metavar="TABLE", help="a file, or the name of a data set")
    parser.add_argument("--out", metavar="FILE", help="where to write instead of standard output")
    parser.add_argument("--probabilities", action="store_true", help="a column for each class as well")
    parser.add_argument("--clip", action="store_true", help="hold numbers within what training saw of their column")
    parser.add_argument(
        "--fill-missing",
        action="store_true",
        help="let missing values stand at the mean, or at no category, where training had none missing",
    )


def run(options: Any) -> int:
    """Predicts, writes and measures; returns the exit status."""
    from jaxnn import experiments, files, training
    from jaxnn.cli import cache, outputs

    outputs.check(options, reads={"MODEL": options.model, "TABLE": options.table})
    model = training.load(options.model)
    fitted = model.preprocessing
    if fitted is None:
        raise ValueError(f"{options.model} holds no preprocessing, so that a table cannot be read for it.")
    problem = experiments.PROBLEMS[fitted.problem]
    if options.probabilities and problem.probabilities is None:
        raise ValueError(f"{options.model} predicts a number, which has no --probabilities.")
    rows = experiments.source_for(options.table, fitted)
    cache.enable()
    words = {"clip": options.clip, "fill_missing": options.fill_missing}
    raw = model.outputs(rows.rows, **words)
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
    for line in _remarks(rows, fitted, raw, words):
        print(printable(line), file=sys.stderr)
    return 0


def _remarks(rows: Any, fitted: Any, raw: Any, words: dict[str, bool]) -> Iterator[str]:
    """What a reader of the predictions should know: values that training did not see, and the metrics."""
    from jaxnn import experiments, preprocessing
    from jaxnn.cli import report
    from jaxnn.experiments.text import listed

    if rows.dataset is None:
        for name, values in fitted.unknown_categories(rows.rows).items():
            yield f"column {name!r} has values that training did not see, taken as no category: {listed(values)}"
    yield from preprocessing.remarks(fitted, rows.rows, **words)
    truth = rows.target
    if truth is None:
        return
    try:
        measured = experiments.PROBLEMS[fitted.problem].scores(fitted, raw, fitted.targets(truth), None)
    except ValueError as error:  # the predictions stand, whatever the column holds
        yield f"no metrics: {error}"
        return
    told = ", ".join(f"{name} {report.number(name, value)}" for name, value in measured.items())
    yield f"{rows.n_rows:,} rows: {told}"
