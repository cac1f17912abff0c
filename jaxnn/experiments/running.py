"""The one complete pipeline: split, read columns, train, keep the best epoch, judge it, compare with simple models."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn import training
from jaxnn.experiments.baselines import baselines
from jaxnn.experiments.network import train
from jaxnn.experiments.recipe import Recipe, check_memory, complete, weights_of_classes
from jaxnn.experiments.rows import Rows, prepare
from jaxnn.experiments.scores import scores
from jaxnn.experiments.sources import Source, source
from jaxnn.version import __version__

Scores = dict[str, dict[str, float]]  # part or model -> metric -> value


class Outcome(NamedTuple):
    """What a run leaves behind.

    Attributes:
        source: the rows as they came, and what was said of their columns.
        rows: the rows as the network saw them: preprocessing, inputs, targets, weights, and the split.
        recipe: every choice, defaults filled in.
        seed: of the split and of the training.
        fit: the training: history, all parameters, why it ended.
        model: the network of the best epoch with all that is needed to use it, as `training.save` takes it.
        outputs: the model's raw outputs for all rows, (n, n_out); none if nothing was learnt.
        scores: the metrics of each part that was held out (of the training rows if none was), measured on the raw rows
            through `model`; empty if nothing was learnt.
        baselines: the metrics of simple models on the last of these parts; empty if they were not wanted.
        interrupted: the signal that ended the run, "SIGINT" or "SIGTERM"; or None.
    """

    source: Source
    rows: Rows
    recipe: Recipe
    seed: int
    fit: training.Fit
    model: training.Model
    outputs: np.ndarray
    scores: Scores
    baselines: Scores
    interrupted: str | None

    @property
    def learnt(self) -> bool:
        """Whether anything was: False if the training diverged before one epoch was done."""
        return bool(len(self.fit.history.loss)) or self.fit.interrupted is not None

    @property
    def history(self) -> training.History:
        """What was measured in each epoch."""
        return self.fit.history

    @property
    def stop(self) -> str:
        """Why the training ended, in words."""
        return self.fit.stop

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about columns that could have been decided otherwise, and what happened in training."""
        return (*self.rows.preprocessing.notes, *self.fit.notes)

    @property
    def about(self) -> dict[str, Any]:
        """How the network was trained and how good it is, in JSON's types: what the model's file carries along."""
        choices = self.recipe._asdict()
        return {
            "jaxnn": __version__,
            "data": self.source.name,
            "rows": {name: len(part) for name, part in self.rows.split._asdict().items()},
            "seed": self.seed,
            **{name: value for name, value in choices.items() if name not in ("hidden", "activation")},
            "epochs": {
                "at_most": self.recipe.epochs,
                "done": len(self.fit.history.loss),
                "best": self.fit.best_epoch,
            },
            "stop": self.fit.stop,
            "metrics": self.scores,
        }


def _unheard(*_: Any) -> None:
    """Nobody listens."""


class Listener(NamedTuple):
    """Functions that are called while a run goes on; what they return is of no account, save `epoch`'s.

    Attributes:
        prepared: called with the `Rows` and the whole `Recipe` before the training.
        epoch: called with a `training.Epoch` after each epoch; something true ends the training. None is fastest.
        trained: called with the `training.Fit`, unless nothing was learnt.
        judged: called with the `Outcome` before simple models are trained: a signal that comes then loses them alone.
    """

    prepared: Callable[[Rows, Recipe], Any] = _unheard
    epoch: Callable[[training.Epoch], Any] | None = None
    trained: Callable[[training.Fit], Any] = _unheard
    judged: Callable[[Outcome], Any] = _unheard


def run(
    rows: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    metric: str = "loss",
    class_weight: str | Mapping[Any, float] | None = None,
    class_weight_on_validation: bool = True,
    seed: int = 0,
    compare: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    history_file: str | os.PathLike[str] | None = None,
    progress: bool = True,
    listener: Listener | None = None,
) -> Outcome:
    """Trains a network on a table, keeps the best epoch, tests it on other rows, and compares it with simple models.

    `jaxnn train` and `jaxnn demo` are this function. The same rows, choices and seed give the same numbers.

        outcome = experiments.run(experiments.source(frame, target="stroke"), {"hidden": (32,)}, seed=1)
        outcome.scores["test"]["accuracy"], outcome.baselines
        training.save("stroke.safetensors", outcome.model)

    Args:
        rows: a `Source`, or what `source` takes without a word about columns: the name of a data set, or arrays.
        recipe: choices by their names in `Recipe`; what is left out is chosen by the number of rows. A `Recipe` makes
            all choices.
        validation: fraction of the rows that choose the best epoch, in [0, 1).
        test: fraction of the rows that judge the trained network, in [0, 1).
        metric: what decides which epoch was the best: "loss" or a name in `metrics.HIGHER_IS_BETTER`.
        class_weight: class -> weight, or "balanced".
        class_weight_on_validation: whether they weigh the validation loss as well.
        seed: of all random numbers, ≥ 0.
        compare: whether to train and judge simple models too.
        checkpoint: as all that follow, see `training.fit`: a folder in which the run is saved every now and then.
        resume: go on from the newest checkpoint there.
        history_file: one line of JSON per epoch is written there.
        progress: whether to report the epochs on standard error.
        listener: is told as the run goes on.

    Raises:
        ValueError: the rows, what was said of them, or a choice is at fault; the message is what the command line
            prints, and names options as they are called there.
        TypeError: an argument is of the wrong kind.
        OSError: a file cannot be read or written.
        ImportError: a library that the data need is not installed.
    """
    listener = Listener() if listener is None else listener
    found = source(rows)
    ready = prepare(found, validation=validation, test=test, seed=seed)
    weights: dict[str, Any] = {
        "class_weight": weights_of_classes(ready, class_weight),
        "class_weight_on_validation": class_weight_on_validation,
    }
    whole = complete({} if recipe is None else recipe, rows=len(ready.split.train), problem=ready.problem)
    listener.prepared(ready, whole)
    check_memory(whole, ready)
    fit, model = train(
        ready,
        whole,
        seed=seed,
        metric=metric,
        hooks=() if listener.epoch is None else (listener.epoch,),
        checkpoint=checkpoint,
        resume=resume,
        history_file=history_file,
        progress=progress,
        **weights,
    )
    outputs = np.empty((0, model.config["sizes"][-1]), np.float32)
    outcome = Outcome(found, ready, whole, seed, fit, model, outputs, {}, {}, fit.interrupted)
    if not outcome.learnt:
        return outcome
    listener.trained(fit)
    # From the raw rows through the model that is saved, not from the arrays it was trained on.
    outputs = model.outputs(found.rows)
    outcome = outcome._replace(outputs=outputs, scores=scores(ready, outputs))
    outcome = outcome._replace(model=model._replace(config={**model.config, "about": outcome.about}))
    listener.judged(outcome)
    if compare and outcome.interrupted is None:
        compared, interrupted = baselines(ready, seed=seed, **weights)
        outcome = outcome._replace(baselines=compared, interrupted=interrupted)
    return outcome
