"""The one complete pipeline: split, read columns, train, keep the best epoch, score it, compare with simple models."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, training
from jaxnn.experiments import refitting
from jaxnn.experiments.baselines import baselines
from jaxnn.experiments.network import train
from jaxnn.experiments.outcome import Outcome
from jaxnn.experiments.packs import Pack, train_pack
from jaxnn.experiments.pitfalls import pitfalls
from jaxnn.experiments.recipe import Recipe, check_memory, complete, weights_of_classes
from jaxnn.experiments.rows import Rows, split_and_preprocess
from jaxnn.experiments.scores import scores
from jaxnn.experiments.sources import source
from jaxnn.training.interrupt import listening


def _ignore(*_: Any) -> None:
    """Does nothing: the default callback."""


class Listener(NamedTuple):
    """Callbacks for the stages of a run. Their return values are ignored, except for that of `epoch`.

    Attributes:
        prepared: called with the `Rows` and the whole `Recipe` before the training.
        epoch: called with a `training.Epoch` after each epoch; training stops if it returns something true. None is
            fastest.
        trained: called with the `training.Fit`, unless training did not complete one epoch.
        tested: called with the scored `Outcome` before simple models are trained, so whatever it saves survives a
            signal that arrives while they train.
    """

    prepared: Callable[[Rows, Recipe], Any] = _ignore
    epoch: Callable[[training.Epoch], Any] | None = None
    trained: Callable[[training.Fit], Any] = _ignore
    tested: Callable[[Outcome], Any] = _ignore


def run(
    rows: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    metric: str = "loss",
    class_weight: str | Mapping[Any, float] | None = None,
    class_weight_on_validation: bool = True,
    ensemble: int = 0,
    refit: bool = False,
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
        rows: a `Source`, or anything that `source` accepts without options: the name of a data set, or arrays.
        recipe: a mapping from fields of `Recipe` to values, where the defaults of other fields depend on the number of
            rows; or a whole `Recipe`.
        validation: fraction of the rows held out to choose the best epoch, in [0, 1).
        test: fraction of the rows held out to test the trained network, in [0, 1).
        metric: what decides which epoch is best: "loss" or a name in `metrics.HIGHER_IS_BETTER`.
        class_weight: class -> weight, or "balanced".
        class_weight_on_validation: whether class weights apply to the validation loss too.
        ensemble: how many networks to train as a pack, of which the good ones are averaged, see `packs`; 0 for a single
            network.
        refit: whether to train once more from the start on the training and validation rows together, for as many
            epochs as were best. The validation score stays that of the first training; checkpoints hold that alone.
        seed: the seed for all random numbers, ≥ 0.
        compare: whether to train and score simple models too.
        checkpoint: a folder in which the run is saved at intervals; for this and the arguments below, see
            `training.fit`.
        resume: whether to continue from the newest checkpoint in that folder.
        history_file: a file to which one line of JSON is written per epoch.
        progress: whether to print progress on standard error.
        listener: callbacks for the stages of the run.

    Raises:
        ValueError: the rows, how to read them, or a choice is invalid. The message is the one that the command line
            prints, so it names the options of `jaxnn train`.
        TypeError: an argument has the wrong type.
        OSError: a file cannot be read or written.
        ImportError: a library that the data need is not installed.
    """
    listener = Listener() if listener is None else listener
    checks.whole(0, ensemble=ensemble)
    if ensemble and (history_file is not None or listener.epoch is not None):
        raise ValueError("--history follows the epochs of one network: leave it out, or leave out --ensemble.")
    found = source(rows)
    ready = split_and_preprocess(found, validation=validation, test=test, seed=seed)
    weights: dict[str, Any] = {
        "class_weight": weights_of_classes(ready, class_weight),
        "class_weight_on_validation": class_weight_on_validation,
    }
    if refit:
        refitting.check(ready, ensemble)
    ready = ready._replace(notes=pitfalls(ready, weighted=class_weight is not None))
    whole = complete({} if recipe is None else recipe, rows=len(ready.split.train), problem=ready.problem)
    listener.prepared(ready, whole)
    check_memory(whole, ready)
    common: dict[str, Any] = {
        "seed": seed,
        "metric": metric,
        "checkpoint": checkpoint,
        "resume": resume,
        "progress": progress,
        **weights,
    }
    pack: Pack | None = None
    model: training.Model | training.Ensemble
    if ensemble:
        fixed = () if recipe is None else whole._fields if isinstance(recipe, Recipe) else tuple(recipe)
        pack = train_pack(ready, whole, ensemble, fixed=fixed, **common)
        fit, model = pack.trained[pack.best].fit, pack.model
    else:
        hooks = () if listener.epoch is None else (listener.epoch,)
        fit, model = train(ready, whole, hooks=hooks, history_file=history_file, **common)
    outputs = np.empty((0, ready.problem.n_outputs(ready.preprocessing)), np.float32)
    interrupted = fit.interrupted if pack is None else pack.interrupted
    outcome = Outcome(found, ready, whole, seed, fit, model, outputs, {}, {}, interrupted, pack)
    if not outcome.learnt:
        return outcome
    with listening() as signals:  # what was learnt is not lost to a signal before it is saved
        listener.trained(fit)
        # Computed by the model that is saved, from the raw rows, not from the arrays it was trained on.
        outputs = model.outputs(found.rows)
        outcome = outcome._replace(outputs=outputs, scores=scores(ready, outputs, metric))
        if pack is not None:
            alone = scores(ready, pack.trained[pack.best].model.outputs(found.rows), metric)
            outcome = outcome._replace(best_member={f"{part}, best member": each for part, each in alone.items()})
        if refit and outcome.interrupted is None and signals.received is None and fit.best_epoch:
            outcome = _refitted(outcome, metric, progress=progress, **weights)
        outcome = outcome._replace(model=_with_notes(outcome.model, outcome.about))
        listener.tested(outcome)
    outcome = outcome._replace(interrupted=outcome.interrupted or signals.received)
    if compare and outcome.interrupted is None:
        compared, interrupted = baselines(ready, seed=seed, metric=metric, **weights)
        outcome = outcome._replace(baselines=compared, interrupted=interrupted)
    return outcome


def _refitted(outcome: Outcome, metric: str, **settings: Any) -> Outcome:
    """The outcome with the model trained once more on the validation rows too, if that came to its end.

    Validation rows say nothing of a model that was trained on them, so their scores stay those of the first training.
    """
    epochs = int(outcome.fit.best_epoch)
    again = refitting.refitted(outcome.rows, outcome.recipe, epochs, seed=outcome.seed, metric=metric, **settings)
    if not refitting.came_to_its_end(again, epochs):
        return outcome._replace(interrupted=again.fit.interrupted)
    outputs = again.model.outputs(outcome.source.rows)
    now, before = scores(outcome.rows, outputs, metric), outcome.scores
    first = {"test, first training": before["test"]} if "test" in before else {}
    return outcome._replace(
        model=again.model,
        outputs=outputs,
        scores={part: before[part] if part == "validation" else now[part] for part in before},
        refit=again.fit,
        first_training=first,
    )


def _with_notes(model: training.Model | training.Ensemble, about: dict[str, Any]) -> training.Model | training.Ensemble:
    """The model with notes on how it was trained."""
    if isinstance(model, training.Ensemble):
        return model._replace(about=about)
    return model._replace(config={**model.config, "about": about})
