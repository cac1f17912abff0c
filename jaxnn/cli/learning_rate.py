"""`jaxnn learning-rate`: a range test on a table, and the learning rate that it suggests."""

import argparse
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from jaxnn.cli import arguments, training_options

HELP = "suggest a learning rate for a table"
DESCRIPTION = """\
Trains for a few steps while the learning rate rises from far too low to far too high (Smith's range
test), and suggests the rate at which the loss had completed four fifths of its fall.

DATA, its columns, the network and all defaults are those of `jaxnn train`, so the suggestion is for the
network that it would train. The command that uses it is printed at the end."""
EXAMPLE = """\
examples:
  jaxnn learning-rate digits --plot rates.png
  jaxnn learning-rate patients.csv --target stroke --drop id --optimiser momentum"""

NO_SUGGESTION = 1  # the exit status
# Options of `jaxnn train` that a range test does not have: it sets the rate itself, in a run of its own length.
NOT_OF_DATA = ("--class-weight", "--no-class-weight-on-validation")
NOT_OF_RECIPE = ("--learning-rate", "--schedule", "--epochs", "--patience")
CHOICES = ("hidden", "activation", "optimiser", "batch_size", "dropout", "input_dropout", "weight_decay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn learning-rate`."""
    parser.add_argument("data", metavar="DATA", help="file or data set to train on")
    add = parser.add_argument_group("the test").add_argument
    add("--low", type=arguments.positive, default=1e-6, metavar="RATE", help="first rate (default: 1e-6)")
    add("--high", type=arguments.positive, default=10.0, metavar="RATE", help="last rate (default: 10)")
    add("--steps", type=arguments.whole(50), default=200, metavar="N", help="number of steps (default: 200)")
    training_options.add_data(parser, without=NOT_OF_DATA)
    training_options.add_recipe(parser, without=NOT_OF_RECIPE)
    arguments.add_seed(parser)
    add = parser.add_argument_group("output").add_argument
    add("--plot", metavar="FILE", help="save a picture of the test here (.png, .svg or .pdf)")


def run(options: Any) -> int:
    """Tests, reports and draws; returns the exit status."""
    from jaxnn import experiments, plots
    from jaxnn.cli import cache, outputs, report
    from jaxnn.cli.text import fact

    outputs.check(options, reads={"DATA": options.data})
    source = experiments.source(options.data, **{name: getattr(options, name) for name in training_options.COLUMNS})
    cache.enable()
    found = experiments.learning_rates(
        source,
        {name: getattr(options, name) for name in CHOICES if getattr(options, name) is not None},
        validation=options.validation,
        test=options.test,
        seed=options.seed,
        low=options.low,
        high=options.high,
        steps=options.steps,
    )
    tested, recipe = found.test, found.recipe
    report.data(source, found.rows, options.seed)
    fact(
        "test",
        f"{recipe.optimiser}, weight decay {recipe.weight_decay:g}, {recipe.batch_size} rows per step, up to"
        f" {options.steps} steps from {options.low:g} to {options.high:g}",
    )
    fact("stopped", tested.stop)
    if options.plot is not None and len(tested.loss):
        title = f"{source.name}, {recipe.optimiser}"
        plots.save(plots.learning_rates(tested, default=recipe.learning_rate, title=title), options.plot)
        fact("wrote", f"{options.plot} (the picture)")
    if not tested.suggestion > 0:
        print(f"jaxnn: no learning rate can be suggested: {tested.stop}.", file=sys.stderr)
        return NO_SUGGESTION
    fact("lowest loss", f"at a rate of {tested.lowest:.2g}")
    fact("default", f"{recipe.learning_rate:g}")
    fact("suggestion", f"{tested.suggestion:.2g}")
    fact("next", shlex.join(_next(options, f"{tested.suggestion:.2g}")))
    return 0


def _next(options: Any, rate: str) -> Iterator[str]:
    """The words of the command that trains the tested network at this rate."""
    yield from ("jaxnn", "train", options.data)
    for name in (*training_options.COLUMNS, "validation", "test", *CHOICES, "seed"):
        value = getattr(options, name)
        if value != options.parser.get_default(name):
            yield f"--{name.replace('_', '-')}"
            if name in ("hidden", "activation"):
                yield ",".join(map(str, value)) or "none"
            else:
                yield from map(str, value) if isinstance(value, list) else (str(value),)
    yield from ("--learning-rate", rate)
