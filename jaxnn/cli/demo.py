"""`jaxnn demo`: trains on handwritten digits and draws a picture, in seconds and without a network connection."""

import argparse
from typing import Any

from jaxnn.cli import arguments, train

HELP = "train on handwritten digits that come with jaxnn"
DESCRIPTION = "Trains a network on 1,797 handwritten digits, tests it, saves it and draws a picture of the result."
EXAMPLE = "example:\n  jaxnn demo --out demo.safetensors --plot demo.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn demo`."""
    parser.add_argument(
        "--out", default="demo.safetensors", metavar="FILE", help="save the model here (default: demo.safetensors)"
    )
    parser.add_argument("--plot", default="demo.png", metavar="FILE", help="save the picture here (default: demo.png)")
    arguments.add_seed(parser)


def run(options: Any) -> int:
    """Trains, tests, saves, draws and reports; returns the exit status."""
    from jaxnn.cli import outputs

    without = outputs.missing_extra("plot", "matplotlib")
    if without is not None:
        options.plot = None
    options.data, options.history, options.checkpoint = "digits", None, None
    remark = None if without is None else ("no picture", without)
    outcome = train.carry_out(options, _picture, remark=remark)
    return train.status(outcome)


def _picture(outcome: Any) -> Any:
    """The training curves, the first layer's weights, and the digits that the network gets wrong."""
    import numpy as np

    from jaxnn import plots

    dataset, test, history = outcome.source.dataset, outcome.rows.split.test, outcome.history
    images = dataset.x[test]
    tested = {"this network": outcome.scores["test"]}
    tested |= {name.removeprefix("test, "): each for name, each in outcome.baselines.items()}
    right = {name: f"{100 * each['accuracy']:.1f} %" for name, each in tested.items()}
    rival = max(tested.keys() - {"this network"}, key=lambda name: tested[name]["accuracy"])
    return plots.demo(
        loss=history.loss,
        validation_loss=history.validation_loss,
        validation_accuracy=history.metrics["accuracy"],
        test_accuracy={name: each["accuracy"] for name, each in tested.items()},
        weights=np.asarray(outcome.model.params[0].w),
        images=images.reshape(-1, *dataset.image_shape),
        labels=outcome.rows.y[test],
        predictions=outcome.model.predict_probabilities(images),
        best_epoch=outcome.fit.best_epoch or None,
        title=f"{right['this network']} of {len(test)} test digits right ({rival}: {right[rival]})",
    )
