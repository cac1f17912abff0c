"""`jaxnn tune`: random search for good hyperparameters, for as long as it is given."""

import argparse
from typing import Any

from jaxnn.cli import arguments, searches

HELP = "search for good hyperparameters"
DESCRIPTION = """\
Draws trials at random from a space around the defaults, ends the worse ones early, and prints the best.
It takes the time it is given, and as long as the defaults need to be trained, which are trial 0.

                     searched
  --learning-rate    a tenth to ten times the default
  --weight-decay     a thirtieth to ten times the default
  --dropout          0 to 0.5
  --hidden           half, once and twice the default widths, in one to three layers
  --activation       relu, silu, tanh
  --batch-size       half, once and twice the default

What is given as an option is not searched. Below 10,000 rows, trials are compared on 5 folds, and the
best trial's 5 networks are averaged. After a 27th, a ninth and a third of all epochs, a trial goes on
only if it is in the best third of those that came as far (successive halving).

Each trial is recorded as soon as it has ended; a search that was stopped goes on with --resume."""
EXAMPLE = """\
examples:
  jaxnn tune digits --seconds 60 --plot tune.png
  jaxnn tune patients.csv --target stroke --seconds 300 --metric roc_auc --out stroke.safetensors"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn tune`."""
    parser.add_argument("data", metavar="DATA", help="file or data set to train on")
    add = parser.add_argument_group("the search").add_argument
    add("--seconds", type=arguments.positive, required=True, metavar="S", help="how long to search")
    add("--at-most", type=arguments.whole(1), metavar="N", help="end after N trials, if that is sooner")
    searches.add_arguments(parser, file="tune.jsonl", folds="default: 5 below 10,000 rows, otherwise 1")


def run(options: Any) -> int:
    """Searches, reports and writes; returns the exit status."""
    from jaxnn import search

    given_how = options.repeats > 1 or options.group is not None or options.ordered
    folds = options.folds or (5 if given_how else "auto")
    return searches.carry_out(options, search.tune, folds=folds, seconds=options.seconds, max_trials=options.at_most)
