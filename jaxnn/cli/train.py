"""`jaxnn train`: from a table to a trained, tested and saved network."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jaxnn.cli import arguments, folds, training_options

HELP = "train a network on a table"
DESCRIPTION = """\
Trains a network on a table, keeps the epoch that does best on validation rows, and tests it on other rows.

DATA is a file (CSV, TSV or other delimited text with a header line, .gz of it, .xlsx, Parquet) or a data set:
{}.
The target column decides the problem: text, or a few distinct whole numbers, means classes; other numbers,
even if written like 45% or $120, mean numbers. Dates become the time elapsed and the month, day, weekday
and hour. Of many categories, the rare ones share one input. Columns with a single value or none, columns
that only identify rows, names and free text are left out, and so are rows without a target. Each decision
is printed, and --explain-columns shows them without training.

The defaults of these options depend on the number of training rows; whatever is chosen is printed:

                     below 1,000     1,000 to 9,999   10,000 or more
  --hidden           64,64           64,64            128,128
  --learning-rate    0.003           0.003            0.001
  --weight-decay     1               0.3              0.03
  --batch-size       8 to 32         32               128
  --epochs           300             100              50

Below 1,000 rows, a network for numbers or counts has --hidden 32, and a batch is an eighth of the rows within
those limits. These learning rates and weight decays are for adamw: other optimisers have their own learning
rates and no weight decay. A second-order method, such as levenberg_marquardt, uses all rows in every step; it
has --epochs 200, tanh, no weight decay, and --hidden 16 (newton_cg and lbfgs: as in the table).

Ctrl-C (SIGINT) and SIGTERM stop training and keep the network trained so far. A shell starts background
jobs with SIGINT ignored; SIGTERM (kill PID) still stops them.""".format(", ".join(arguments.DATA_SETS))
EXAMPLE = """\
examples:
  jaxnn train digits --seed 0
  jaxnn train patients.csv --target stroke --explain-columns
  jaxnn train patients.csv --target stroke --drop id --out stroke.safetensors --plot stroke.png
  jaxnn train houses.csv --target price --category zip --missing unknown --decimal comma"""

LEARNT_NOTHING = 1  # the exit status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn train`."""
    parser.add_argument("data", metavar="DATA", help="file or data set to train on")
    training_options.add_data(parser)
    training_options.add_recipe(parser)
    parser.add_argument(
        "--metric",
        type=arguments.name_from(("loss", *arguments.METRICS), "metric"),
        default="loss",
        metavar="NAME",
        help=f"metric that decides which epoch is best (default: loss): {', '.join(arguments.METRICS)}",
    )
    parser.add_argument(
        "--ensemble",
        type=arguments.whole(2, 10_000),
        default=0,
        metavar="N",
        help="train N networks that differ in seed, learning rate and weight decay, where these are not given, and "
        "average the good ones, chosen on the validation rows",
    )
    parser.add_argument(
        "--refit",
        action="store_true",
        help="then train once more from the start on the training and validation rows together, for as many epochs as "
        "were best; the validation score stays that of the first training",
    )
    parser.add_argument(
        "--folds",
        type=arguments.whole(2, 1000),
        default=0,
        metavar="K",
        help="first cross-validate: train on every K - 1 of K parts of the rows, and print the mean and spread of the "
        "scores on the others",
    )
    arguments.add_seed(parser)
    parser.add_argument(
        "--explain-columns",
        action="store_true",
        help="print what is done with each column and how to change it, without training",
    )
    add = parser.add_argument_group("output").add_argument
    add("--out", metavar="FILE", help="save the model here, such as model.safetensors")
    add("--plot", metavar="FILE", help="save a picture of training and test results here (.png, .svg or .pdf)")
    add("--history", metavar="FILE", help="write one line of JSON per epoch here")
    add("--checkpoint", metavar="FOLDER", help="save checkpoints of the run here, from which --resume continues")
    add("--resume", action="store_true", help="continue from the newest checkpoint in --checkpoint, if there is one")
    add("--quiet", action="store_true", help="print only the final score")


def run(options: Any) -> int:
    """Trains, tests, saves and reports; returns the exit status."""
    from jaxnn import experiments
    from jaxnn.cli import cache, outputs, report

    training_options.check_class_weight(options)
    if options.explain_columns:
        return _explain_columns(options)
    folds.check(options)
    recipe = {name: getattr(options, name) for name in experiments.Recipe._fields}
    columns = {name: getattr(options, name) for name in training_options.COLUMNS}
    settings: dict[str, Any] = {
        "recipe": {name: value for name, value in recipe.items() if value is not None},
        "metric": options.metric,
        "class_weight": options.class_weight,
        "class_weight_on_validation": not options.no_class_weight_on_validation,
    }
    source = None
    if options.folds:
        outputs.check(options, reads={"DATA": options.data})
        source = experiments.source(options.data, **columns)
        cache.enable()
        interrupted = folds.cross_validated(source, options.folds, seed=options.seed, quiet=options.quiet, **settings)
        if interrupted is not None:
            print(f"jaxnn: interrupted by {interrupted} in the folds; nothing was saved.", file=sys.stderr)
            return 128 + getattr(signal, interrupted)
    outcome = carry_out(
        options,
        _picture,
        reads={"DATA": options.data},
        columns=columns,
        source=source,
        quiet=options.quiet,
        validation=options.validation,
        test=options.test,
        ensemble=options.ensemble,
        refit=options.refit,
        checkpoint=options.checkpoint,
        resume=options.resume,
        history_file=options.history,
        **settings,
    )
    if outcome.learnt:
        last, scores = list(outcome.scores.items())[-1]
        name, value = next(iter(scores.items()))
        print(f"{last} {name} {value:.2f}" if name == "R²" else f"{last} {name} {report.number(name, value)}")
    return status(outcome)


def _explain_columns(options: Any) -> int:
    """Prints what is done with each column; raises what training would be refused with."""
    from jaxnn import experiments
    from jaxnn.cli.text import fact, printable

    source = experiments.source(options.data, **{name: getattr(options, name) for name in training_options.COLUMNS})
    splitting = {name: getattr(options, name) for name in ("validation", "test", "seed")}
    explanation = experiments.explain_columns(source, **splitting)
    for note in (*source.remarks, *source.notes):
        fact("note", note)
    for line in str(explanation).splitlines():
        print(printable(line))
    if explanation.refusal is not None:
        raise explanation.refusal
    return 0


def carry_out(
    options: Any,
    picture: Callable[[Any], Any],
    *,
    reads: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
    source: Any = None,
    quiet: bool = False,
    remark: tuple[str, str] | None = None,
    **settings: Any,
) -> Any:
    """Runs an experiment, reports its progress, and writes the files asked for.

    Args:
        options: with `data`, `seed`, and the files to write.
        picture: an outcome -> the figure for `options.plot`.
        reads: the input files, which must not be overwritten, by the names of their arguments.
        columns: how to read the columns of `options.data`, as `experiments.source` takes it.
        source: the `experiments.Source` of these, if it has been read.
        quiet: whether to print nothing but problems.
        remark: a fact to print at the end, (name, text).
        **settings: further arguments of `experiments.run`.

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
            report.members(rows, settings.get("ensemble", 0))
            sys.stdout.flush()

    def tested(outcome: Any) -> None:
        if options.out is not None:
            training.save(options.out, outcome.model)

    outputs.check(options, reads=reads)
    source = experiments.source(options.data, **columns or {}) if source is None else source
    cache.enable()
    listener = experiments.Listener(prepared, trained=report.notes if quiet else report.stop, tested=tested)
    outcome = experiments.run(
        source, seed=options.seed, compare=not quiet, progress=not quiet, listener=listener, **settings
    )
    if not outcome.learnt:
        print(f"jaxnn: training did not complete one epoch, so no model was written: {outcome.stop}.", file=sys.stderr)
        return outcome
    if not quiet:
        report.refit(outcome, asked=bool(settings.get("refit")))
        report.scores({**outcome.scores, **outcome.best_member, **outcome.first_training, **outcome.baselines})
        report.classes(outcome.by_class)
        report.gain(outcome)
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
    """The report of the run in one picture: its curves, and its results on the test (or else the validation) rows."""
    from jaxnn import plots

    rows, history = outcome.rows, outcome.history
    *_, tested = rows.scored.values()
    return plots.training_report(
        loss=history.loss,
        validation_loss=history.validation_loss,
        metrics={f"validation_{name}": values for name, values in history.metrics.items()},
        best_epoch=outcome.fit.best_epoch or None,
        title=f"{outcome.source.name}: {rows.preprocessing.target_name}",
        **rows.problem.compared(rows.preprocessing, outcome.outputs[tested], rows.y[tested]),
    )
