"""`jaxnn show`: prints what a model file contains, without running the model."""

import argparse
from typing import Any

HELP = "print what a saved model contains"
DESCRIPTION = "Prints a saved model: its network, its preprocessing, how it was trained and how well it did."
EXAMPLE = "example:\n  jaxnn show digits.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn show`."""
    parser.add_argument(
        "model", metavar="MODEL", help="file written by `jaxnn train --out` or by training.save: a model or an ensemble"
    )


def run(options: Any) -> int:
    """Reads and prints; returns the exit status."""
    from jaxnn import training
    from jaxnn.cli import report
    from jaxnn.cli.text import fact

    model = training.load(options.model)
    fact("model", options.model)
    if model.preprocessing is not None:
        report.target(model.preprocessing)
        report.inputs(model.preprocessing)
        report.columns(model.preprocessing)
        print()
        report.each_column(model.preprocessing)
    print()
    config = model.config
    if isinstance(model, training.Ensemble):
        report.ensemble(model)
        print()
        report.about(config["about"])
        return 0
    names = config["activation"]
    activation = names if isinstance(names, list) else [names] * (len(config["sizes"]) - 2)
    report.network(config["sizes"], activation, config["problem"], bias=config["bias"])
    print()
    report.about(config["about"])
    return 0
