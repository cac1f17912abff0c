"""`jaxnn importance`: how much worse a saved model predicts if one column of a table is shuffled, for each column."""

import argparse
from typing import Any

from jaxnn.cli import arguments

HELP = "measure how important each column is to a saved model"
DESCRIPTION = """\
Shuffles the values of one column among the rows, predicts, and prints by how much the score gets worse, the
most important column first. The mean over some shuffles has its standard error beside it. Give rows that the
model was not trained on. If two columns say the same, shuffling one changes little: the other remains."""
EXAMPLE = """\
examples:
  jaxnn importance stroke.safetensors new_patients.csv --plot importance.png
  jaxnn importance houses.safetensors new_houses.csv --metric r2 --repeats 30"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn importance`."""
    parser.add_argument("model", metavar="MODEL", help="file written by `jaxnn train --out`: a model or an ensemble")
    parser.add_argument("table", metavar="TABLE", help="file or data set with the target column")
    parser.add_argument(
        "--metric",
        type=arguments.name_from(arguments.METRICS, "metric"),
        metavar="NAME",
        help=f"score to compare (default: log_loss for classes, rmse for numbers): {', '.join(arguments.METRICS)}",
    )
    parser.add_argument(
        "--repeats",
        type=arguments.whole(2, 10_000),
        default=10,
        metavar="N",
        help="shuffles of each column (default: 10)",
    )
    arguments.add_seed(parser)
    parser.add_argument("--plot", metavar="FILE", help="save a picture here (.png, .svg or .pdf)")


def run(options: Any) -> int:
    """Shuffles, scores and prints; returns the exit status."""
    from jaxnn import experiments, metrics, plots, training
    from jaxnn.cli import cache, outputs, report, trained_rows
    from jaxnn.cli.text import fact, table
    from jaxnn.problems import PRINTED
    from jaxnn.wording import counted

    outputs.check(options, reads={"MODEL": options.model, "TABLE": options.table})
    model = training.load(options.model)
    cache.enable()
    found = experiments.permutation_importance(
        model, options.table, repeats=options.repeats, metric=options.metric, seed=options.seed
    )
    name = PRINTED[found.metric]
    fact("data", f"{options.table}: {found.n_rows:,} rows, {name} {report.number(name, found.score)}")
    if found.left_out:
        fact("note", f"{counted(found.left_out, 'row')} without a target left out")
    for sentence in trained_rows.warning(model, options.table, found.n_rows):
        fact("warning", sentence)
    print()
    change = "falls by" if metrics.HIGHER_IS_BETTER[found.metric] else "rises by"
    rows = zip(found.columns, found.worse.tolist(), found.error.tolist(), strict=True)
    table(
        ("column", f"{name} {change}", "±"),
        [(column, report.number(name, worse), report.number(name, error)) for column, worse, error in rows],
    )
    if options.plot is not None:
        plots.save(plots.importance(found.columns, found.worse, found.error, name=name), options.plot)
        print()
        fact("wrote", f"{options.plot} (the picture)")
    return 0
