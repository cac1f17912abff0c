"""`jaxnn demo`: handwritten digits, from the data to a picture, in seconds and without a network connection."""

import argparse
import signal
import sys
from typing import Any

from jaxnn.cli import arguments, recipe

HELP = "train on handwritten digits, here and now"
DESCRIPTION = "Trains a network on 1,797 handwritten digits, tests it, saves it and draws what it has learnt."
EXAMPLE = "example:\n  jaxnn demo --out demo.safetensors --plot demo.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn demo`."""
    parser.add_argument("--out", default="demo.safetensors", metavar="FILE", help="the model (demo.safetensors)")
    parser.add_argument("--plot", default="demo.png", metavar="FILE", help="the picture (demo.png)")
    arguments.add_seed(parser)


def run(options: Any) -> int:
    """Trains, tests, saves, draws and tells; returns the exit status."""
    from jaxnn import plots, training
    from jaxnn.cli import cache, experiment, outputs, report, source
    from jaxnn.cli.text import fact

    without = outputs.missing_extra("plot", "matplotlib")
    if without is not None:
        options.plot = None
    options.data, options.history, options.checkpoint = "digits", None, None
    outputs.check(options)
    cache.enable()
    rows = source.read(options.data)
    parts = experiment.prepare(rows, target=None, problem=None, validation=0.2, test=0.2, seed=options.seed)
    chosen = recipe.defaults(len(parts.split.train), parts.problem)
    report.data(rows, parts, options.seed)
    report.recipe(parts, chosen)
    sys.stdout.flush()
    trained = experiment.train(parts, chosen, seed=options.seed, metrics=("accuracy",))
    report.stop(trained.fit)
    model, scores = experiment.judge(rows, parts, chosen, trained, seed=options.seed)
    training.save(options.out, model)
    interrupted = trained.fit.interrupted
    baselines: dict[str, dict[str, float]] = {}
    if interrupted is None:
        baselines, interrupted = experiment.baselines(parts, seed=options.seed)
    report.scores(scores | baselines)
    if options.plot is not None:
        plots.save(_picture(rows, parts, trained, model, scores | baselines), options.plot)
    if without is not None:
        fact("no picture", without)
    report.written(options, interrupted)
    return 0 if interrupted is None else 128 + getattr(signal, interrupted)


def _picture(rows: Any, parts: Any, trained: Any, model: Any, scores: Any) -> Any:
    """How the network learnt, what its first layer has learnt, and the digits where it is still wrong."""
    import numpy as np

    from jaxnn import plots

    test, history = parts.split.test, trained.fit.history
    images = rows.dataset.x[test]
    tested = {name.removeprefix("test, "): each for name, each in scores.items() if name.startswith("test")}
    return plots.demo(
        loss=history.loss,
        validation_loss=history.validation_loss,
        validation_accuracy=history.metrics["accuracy"],
        test_accuracy={name.replace("test", "this network"): each["accuracy"] for name, each in tested.items()},
        weights=np.asarray(trained.params[0].w),
        images=images.reshape(-1, *rows.dataset.image_shape),
        labels=parts.y[test],
        predictions=model.predict_probabilities(images),
        best_epoch=trained.fit.best_epoch or None,
        title="jaxnn demo: 1,797 handwritten digits",
    )
