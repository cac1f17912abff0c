"""What `jaxnn sweep` and `jaxnn tune` share: the options of the rows and of their folds, the table and the picture."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jaxnn.cli import arguments, training_options

SHOWN = 10  # trials in the printed table
NOTHING_FOUND = 1  # the exit status: no trial was trained to its end


def add_arguments(parser: argparse.ArgumentParser, *, file: str, folds: str) -> None:
    """The options that both have."""
    training_options.add_data(parser)
    add = parser.add_argument_group("how trials are compared").add_argument
    add("--folds", type=arguments.whole(1), metavar="K", help=f"folds of cross-validation; 1 for one split ({folds})")
    add("--repeats", type=arguments.whole(1), default=1, metavar="R", help="repeat the folds R times in other orders")
    add("--group", metavar="COLUMN", help="rows with the same value stay in one fold; the column is not an input")
    add("--ordered", action="store_true", help="rows are in the order of time: validate on later rows than train")
    add("--seeds", type=arguments.whole(1), default=1, metavar="N", help="networks for each fold (default: 1)")
    add(
        "--metric",
        type=arguments.name_from(("loss", *arguments.METRICS), "metric"),
        default="loss",
        metavar="NAME",
        help=f"score of a trial, and of its epochs (default: loss): {', '.join(arguments.METRICS)}",
    )
    training_options.add_recipe(parser)
    arguments.add_seed(parser)
    add = parser.add_argument_group("output").add_argument
    add("--trials", default=file, metavar="FILE", help=f"record every trial here, a line of JSON (default: {file})")
    add("--resume", action="store_true", help="continue the search in --trials: what it holds is not trained again")
    add("--out", metavar="FILE", help="save the best trial's networks here, as one model")
    add("--plot", metavar="FILE", help="save a picture of what mattered here (.png, .svg or .pdf)")
    add("--quiet", action="store_true", help="print only the best trial's score")


def carry_out(options: Any, search: Callable[..., Any], *, folds: Any, **settings: Any) -> int:
    """Searches, reports and writes the files asked for; returns the exit status.

    Args:
        options: those of `add_arguments`, and `data`.
        search: rows, and the arguments that `search.sweep` and `search.tune` share -> `search.Search`.
        folds: the number of folds, 1 for one split, or "auto".
        **settings: further arguments of `search`.
    """
    from jaxnn import experiments, training
    from jaxnn.cli import cache, outputs
    from jaxnn.experiments import Recipe
    from jaxnn.search.search import FOLDS_BELOW
    from jaxnn.wording import counted

    if folds in (1, None) and (options.repeats > 1 or options.group or options.ordered):
        raise ValueError("--repeats, --group and --ordered say how folds are made: add --folds, such as --folds 5.")
    training_options.check_class_weight(options)
    if options.group is not None and options.data in arguments.DATA_SETS:
        raise ValueError(f"The data set {options.data!r} has no column to group by: leave out --group.")
    for name in ("target", "weight"):
        if options.group is not None and options.group == getattr(options, name):
            raise ValueError(f"--group and --{name} are the same column, {options.group!r}: choose another.")
    outputs.check(options, reads={"DATA": options.data})
    columns = {name: getattr(options, name) for name in training_options.COLUMNS}
    if options.group is not None:
        columns["drop"] = [*columns["drop"], options.group]
    source = experiments.source(options.data, **columns)
    on_folds = source.n_rows < FOLDS_BELOW if folds == "auto" else folds not in (1, None)
    if on_folds and options.validation != options.parser.get_default("validation"):
        raise ValueError(
            "--validation has no effect with folds, each of which is validated on in turn: leave it out, or add"
            " --folds 1."
        )
    if isinstance(folds, int):
        groups = None if options.group is None else _column(source, options.group)
        folds = None if folds == 1 else experiments.Folds(folds, options.repeats, groups, options.ordered)
    cache.enable()
    found = search(
        source,
        recipe={name: getattr(options, name) for name in Recipe._fields if getattr(options, name) is not None},
        folds=folds,
        seeds=options.seeds,
        validation=options.validation,
        test=options.test,
        metric=options.metric,
        class_weight=options.class_weight,
        class_weight_on_validation=not options.no_class_weight_on_validation,
        seed=options.seed,
        file=options.trials,
        resume=options.resume,
        progress=not options.quiet,
        **settings,
    )
    if found.interrupted is not None:
        ended = counted(len(found.trials), "finished trial")
        print(
            f"jaxnn: interrupted by {found.interrupted}; {options.trials} holds {ended}: add --resume to go on.",
            file=sys.stderr,
        )
        return 128 + getattr(signal, found.interrupted)
    if found.best is None:
        print(f"jaxnn: no trial was trained to its end, see {options.trials}: {_remedy(found)}", file=sys.stderr)
        return NOTHING_FOUND
    if options.out is not None:
        training.save(options.out, found.model)
    if options.plot is not None and found.importance:
        from jaxnn import plots

        plots.save(picture(found), options.plot)
    if options.quiet:
        print(f"best {found.metric.replace('_', ' ')} {found.best.score:.4f}")
    else:
        report(found, options)
    return 0


def report(found: Any, options: Any) -> None:
    """Prints the best trials, what mattered, the scores on the test rows, and what was written."""
    from jaxnn.cli import report as reports
    from jaxnn.cli.text import fact, table

    source, rows = found.source, found.rows
    split = rows[0].split
    how = f"{len(rows)} folds" if len(rows) > 1 else f"{len(split.validation):,} rows"
    held_out = f", {len(split.test):,} held out to test" if len(split.test) else ""
    fact("data", f"{source.name}: {source.n_rows:,} rows, trials compared on {how}{held_out} (seed {options.seed})")
    for note in source.notes:
        fact("note", note)
    reports.columns(rows[0].preprocessing)
    ended = {word: sum(trial.stop == word for trial in found.trials) for word in ("finished", "halved", "diverged")}
    words = {"finished": "trained to the end", "halved": "stopped early for a worse score", "diverged": "diverged"}
    told = ", ".join(f"{count} {words[word]}" for word, count in ended.items() if count)
    fact("trials", f"{len(found.trials)}: {told}")
    print()
    varied = sorted({name for trial in found.trials for name in trial.choices}, key=_order)
    sign = -1 if found.higher_is_better else 1
    best = sorted((t for t in found.trials if t.stop == "finished"), key=lambda t: (sign * t.score, t.number))[:SHOWN]
    if all(trial.number for trial in best):  # the defaults, to compare with
        best += [trial for trial in found.trials if trial.number == 0 and not trial.choices]
    further = list(best[0].metrics)
    error = ("±",) if len(best[0].scores) > 1 else ()  # the standard error, of several networks
    table(
        ("trial", *(name.replace("_", " ") for name in (*varied, found.metric)), *error, *further),
        [
            (
                str(trial.number),
                *(_value(trial.choices.get(name)) for name in varied),
                f"{trial.score:.4f}",
                *(f"{trial.error:.4f}" for _ in error),
                *(f"{trial.metrics[name]:.4f}" for name in further),
            )
            for trial in best
        ],
    )
    print()
    if found.importance:
        shares = ", ".join(f"{each.name.replace('_', ' ')} {100 * each.share:.0f} %" for each in found.importance)
        fact("mattered", f"{shares} of the variance of the trials' ranks")
    fact("best", f"trial {found.best.number}: {_choices(found.best.choices)}")
    if found.scores:
        print()
        reports.scores(found.scores)
    print()
    count = len(found.model.models)
    networks = (
        f"the mean of the best trial's {count} networks, as one model" if count > 1 else "the best trial's network"
    )
    fact("wrote", f"{options.trials} (the trials)")
    if options.out is not None:
        fact("wrote", f"{options.out} ({networks})")
        reports.next_command(options.out)
    else:
        fact("not saved", f"add --out model.safetensors to keep {networks}")
    if options.plot is not None:
        fact("wrote", f"{options.plot} (the picture)") if found.importance else fact("no picture", "nothing was varied")


def picture(found: Any) -> Any:
    """Which hyperparameters mattered, and the score against each."""
    from jaxnn import plots

    return plots.search(
        [recipe._asdict() for recipe in found.recipes],
        [trial.score for trial in found.trials],
        {each.name: each.share for each in found.importance},
        name="validation loss" if found.metric == "loss" else found.metric.replace("_", " "),
        higher_is_better=found.higher_is_better,
        numbers=[trial.number for trial in found.trials],
    )


def _column(source: Any, name: str) -> Any:
    """A column of a table that is not an input."""
    from jaxnn import checks
    from jaxnn.data import Table
    from jaxnn.preprocessing.frames import columns_of

    table = source.rows.columns if isinstance(source.rows, Table) else columns_of(source.rows)
    return checks.one_of(name, table, "group column")


def _remedy(found: Any) -> str:
    """What to do if no trial was trained to its end."""
    if found.trials and all(trial.stop == "diverged" for trial in found.trials):
        return "all diverged: lower --learning-rate, and look at the columns of the table."
    return "give more --seconds."


def _order(name: str) -> int:
    """Hyperparameters in the order of `Recipe`."""
    from jaxnn.experiments import Recipe

    return Recipe._fields.index(name)


def _choices(choices: Mapping[str, Any]) -> str:
    """The choices of a trial as options of `jaxnn train`."""
    written = [f"--{name.replace('_', '-')} {_value(choices[name])}" for name in sorted(choices, key=_order)]
    return " ".join(written) or "the defaults"


def _value(value: Any) -> str:
    """A choice as `jaxnn train` takes it; nothing for one that is a default."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
