"""`sweep` tries every combination of a grid; `tune` draws trials from a space for as long as it is given."""

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from jaxnn import checks
from jaxnn.experiments.sources import source
from jaxnn.search import halving
from jaxnn.search import space as spaces
from jaxnn.search.judge import Judge
from jaxnn.search.record import Record
from jaxnn.search.result import Search, concluded
from jaxnn.search.task import task
from jaxnn.search.trial_runs import run_trials
from jaxnn.training.interrupt import listening

FIRST_RUNG = 27  # the first rung is at this share of all epochs: three rungs below the last
FOLDS_BELOW = 10_000  # rows below which `tune` compares trials on folds: one split is too noisy


def sweep(
    rows: Any,
    grid: Mapping[str, Any],
    recipe: Mapping[str, Any] | None = None,
    *,
    folds: Any = None,
    seeds: int = 1,
    validation: float = 0.2,
    test: float = 0.2,
    metric: str = "loss",
    class_weight: str | Mapping[Any, float] | None = None,
    class_weight_on_validation: bool = True,
    seed: int = 0,
    file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Search:
    """Tries every combination of a grid, all trials side by side, and returns them as data.

        found = search.sweep("digits", {"learning_rate": [1e-3, 1e-2], "hidden": [(32,), (64,)]}, folds=5)
        found.best.choices, found.importance

    Args:
        rows: a `Source`, or anything that `experiments.source` accepts without options.
        grid: field of `Recipe` -> the values to try.
        recipe: choices that all trials share; the others are defaults, which depend on the number of rows.
        folds: as for `experiments.folded`; None for one split.
        seeds: networks for each fold, ≥ 1.
        validation: without folds, the fraction of the rows on which trials are compared, in (0, 1).
        test: fraction of the rows that no trial sees, in [0, 1).
        metric: the score: "loss" or a name in `metrics.HIGHER_IS_BETTER`.
        class_weight: as for `experiments.run`.
        class_weight_on_validation: as for `experiments.run`.
        seed: decides folds, initial parameters, order and dropout, ≥ 0.
        file: where each trial is recorded as soon as it has ended, as a line of JSON; see `search.trials`.
        resume: whether to continue that file: what it holds is not trained again.
        progress: whether to print progress on standard error.

    Raises:
        ValueError: a hyperparameter does not exist, a combination does not suit, or as `experiments.run` raises it.
        TypeError, OSError, ImportError: as `experiments.run` raises them.
    """
    for name in recipe or {}:
        if name in grid:
            raise ValueError(f"{name} is in the grid and fixed as well: leave out one of them.")
    work = task(
        rows,
        recipe,
        kind="sweep",
        folds=folds,
        seeds=seeds,
        validation=validation,
        test=test,
        metric=metric,
        class_weight=class_weight,
        class_weight_on_validation=class_weight_on_validation,
        seed=seed,
    )
    choices = dict(enumerate(spaces.grid(**grid)))
    for each in choices.values():
        work.jobs(each)  # raises where choices do not suit, before anything is trained
    header = {"grid": {name: list(values) for name, values in grid.items()}}
    record = Record(work, header, file=file, resume=resume, progress=progress, wanted=len(choices))
    with listening() as interrupt:
        run_trials(work, record.missing(choices), record.add)
        return concluded(record, interrupt.received)


def tune(
    rows: Any,
    recipe: Mapping[str, Any] | None = None,
    *,
    seconds: float,
    space: Mapping[str, Any] | None = None,
    max_trials: int | None = None,
    folds: Any = "auto",
    seeds: int = 1,
    validation: float = 0.2,
    test: float = 0.2,
    metric: str = "loss",
    class_weight: str | Mapping[Any, float] | None = None,
    class_weight_on_validation: bool = True,
    seed: int = 0,
    file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Search:
    """Draws trials at random and ends the worse ones early, for as long as it is given; returns all as data.

        found = search.tune("breast_cancer", seconds=60)
        found.best.choices, found.scores

    Trial 0 is the defaults, and is always trained to its end. Trial n is the same whenever and wherever it is drawn;
    when it is ended, by ASHA's rule, depends on which others came before it, and so on the time and the cores.

    Args:
        rows: as for `sweep`.
        recipe: as for `sweep`; what is given here is not searched.
        seconds: > 0, of this run if it is resumed; a search takes this long, and as long as the defaults need.
        space: field of `Recipe` -> `Uniform`, `LogUniform` or `Choice`; None for `around` the defaults.
        max_trials: the number of trials after which the search ends; None for no limit.
        folds: as for `sweep`; "auto" for 5 folds below `FOLDS_BELOW` rows and one split for more.
        seeds: as for `sweep`.
        validation: as for `sweep`.
        test: as for `sweep`.
        metric: as for `sweep`.
        class_weight: as for `sweep`.
        class_weight_on_validation: as for `sweep`.
        seed: as for `sweep`; it decides the trials, too.
        file: as for `sweep`.
        resume: as for `sweep`.
        progress: as for `sweep`.

    Raises:
        ValueError, TypeError, OSError, ImportError: as for `sweep`.
    """
    checks.positive(seconds=seconds)
    if max_trials is not None:
        checks.whole(1, max_trials=max_trials)
    began = time.monotonic()
    left = lambda: seconds - (time.monotonic() - began)
    if isinstance(folds, str):
        checks.one_of(folds, {"auto": None}, "folds")
        rows = source(rows)
        folds = 5 if rows.n_rows < FOLDS_BELOW else None
    work = task(
        rows,
        recipe,
        kind="tune",
        folds=folds,
        seeds=seeds,
        validation=validation,
        test=test,
        metric=metric,
        class_weight=class_weight,
        class_weight_on_validation=class_weight_on_validation,
        seed=seed,
    )
    defaults = work.recipe({})
    searched = dict(spaces.around(defaults, fixed=tuple(work.fixed)) if space is None else space)
    judge = Judge(
        halving.rungs(max(1, defaults.epochs // FIRST_RUNG), defaults.epochs),
        work.sign,
        spared=[0],
        time_is_up=lambda: left() <= 0,
    )
    header = {"space": {name: repr(each) for name, each in searched.items()}}
    record = Record(work, header, file=file, resume=resume, progress=progress)
    for trial in record.trials.values():
        judge.reached[trial.number] = [work.sign * value for value in trial.rungs]
    with listening() as interrupt:
        for block in _blocks(max_trials):
            if interrupt.received is not None or (block.start > 0 and left() <= judge.waited):
                break  # the next would hardly be compiled by then
            choices = {number: spaces.draw(searched, seed, number) for number in block}
            run_trials(work, record.missing(choices), record.add, judge=judge)
        return concluded(record, interrupt.received)


def _blocks(max_trials: int | None) -> Iterator[range]:
    """The numbers of the trials that run side by side: trial 0, then those that share a structure."""
    yield range(1)
    for first in itertools.count(0, spaces.BLOCK):
        last = first + spaces.BLOCK
        block = range(max(first, 1), last if max_trials is None else min(last, max_trials))
        if not block:
            return
        yield block
