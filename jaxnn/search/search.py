"""`sweep` tries every combination of a grid; `tune` draws trials from a space for as long as it is given."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, metrics, training
from jaxnn.experiments.cross_validation import as_read_by, averaged
from jaxnn.experiments.many import train_many
from jaxnn.experiments.network import Trained
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.experiments.scores import score
from jaxnn.experiments.sources import Source
from jaxnn.search import halving
from jaxnn.search import space as spaces
from jaxnn.search import trials as records
from jaxnn.search.importance import Importance, importance
from jaxnn.search.judge import Judge
from jaxnn.search.task import Task, task
from jaxnn.search.trial_runs import run_trials
from jaxnn.search.trials import Trial

PROGRESS_SECONDS = 2.0  # the least time between lines
FIRST_RUNG = 27  # the first rung is at this share of all epochs: three rungs below the last
FOLDS_BELOW = 10_000  # rows below which `tune` compares trials on folds: one split is too noisy


class Search(NamedTuple):
    """The result of `sweep` or `tune`.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: of each fold, or of the one split.
        metric: the score that trials were compared by.
        trials: all that ended, by number; with a file, those of earlier runs as well.
        best: the best of those that were trained to the end; None if there is none.
        recipes: the whole recipe of each trial.
        model: the mean of the best trial's networks as one model.
        scores: the metrics on the test rows: of `model`, and of the networks of the defaults if these were a trial and
            another is best. Empty without test rows.
        importance: the share of the scores' variance that each hyperparameter explains.
        interrupted: the signal that ended the search, "SIGINT" or "SIGTERM"; or None.
    """

    source: Source
    rows: tuple[Rows, ...]
    metric: str
    trials: tuple[Trial, ...]
    best: Trial | None
    recipes: tuple[Recipe, ...]
    model: training.Ensemble | None
    scores: dict[str, dict[str, float]]
    importance: tuple[Importance, ...]
    interrupted: str | None

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is better."""
        return metrics.HIGHER_IS_BETTER.get(self.metric, False)


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
    book = Book(work, {"grid": {name: list(values) for name, values in grid.items()}}, file, resume, progress)
    todo = {number: each for number, each in choices.items() if number not in book.trials}
    book.wanted = len(choices)
    interrupted = run_trials(work, todo, book.report) if todo else None
    return book.result(interrupted)


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
    if isinstance(folds, str):
        from jaxnn.experiments.sources import source

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
    time_is_up = lambda: time.monotonic() - began >= seconds
    epochs = defaults.epochs
    judge = Judge(halving.rungs(max(1, epochs // FIRST_RUNG), epochs), work.sign, spared=[0], time_is_up=time_is_up)
    book = Book(work, {"space": {name: repr(each) for name, each in searched.items()}}, file, resume, progress)
    for trial in book.trials.values():
        judge.reached[trial.number] = [work.sign * value for value in trial.rungs]
    interrupted, first = None, 0
    while interrupted is None and (first == 0 or not time_is_up()):
        block = range(first, first + spaces.BLOCK if max_trials is None else min(max_trials, first + spaces.BLOCK))
        if not block:
            break
        todo = {number: spaces.draw(searched, seed, number) for number in block if number not in book.trials}
        if todo:
            interrupted = run_trials(work, todo, book.report, judge=judge)
        first += spaces.BLOCK
    return book.result(interrupted)


class Book:
    """The trials of a search: in memory, in a file if there is one, and the networks of the best and of trial 0."""

    def __init__(self, work: Task, header: Mapping[str, Any], file: Any, resume: bool, progress: bool) -> None:
        self.task, self.file, self.progress = work, file, progress
        earlier = () if file is None else records.start(file, {**work.header, **header}, resume=resume)
        self.trials = {trial.number: trial for trial in earlier}
        self.kept: dict[int, list[Trained]] = {}
        self.wanted: int | None = None
        self.shown = time.monotonic()

    @property
    def best(self) -> Trial | None:
        """The best trial of those trained to the end; of equal ones the first."""
        whole = [each for each in self.trials.values() if each.stop == "finished" and np.isfinite(each.score)]
        return min(whole, key=lambda trial: (self.task.sign * trial.score, trial.number), default=None)

    def report(self, trial: Trial, trained: list[Trained]) -> None:
        """Records a trial that has ended."""
        if self.file is not None:
            records.append(self.file, trial)
        self.trials[trial.number] = trial
        best = self.best
        wanted = {0} if best is None else {0, best.number}
        self.kept = {number: each for number, each in {**self.kept, trial.number: trained}.items() if number in wanted}
        if self.progress and time.monotonic() - self.shown >= PROGRESS_SECONDS:
            self.shown = time.monotonic()
            of = "" if self.wanted is None else f" of {self.wanted}"
            found = "" if best is None else f", best {self.task.metric.replace('_', ' ')} {best.score:.4g}"
            print(f"{len(self.trials)}{of} trials{found}", file=sys.stderr, flush=True)

    def networks(self, trial: Trial) -> list[Trained]:
        """The networks of a trial: kept, or trained again if an earlier run had them."""
        return self.kept.get(trial.number) or train_many(
            self.task.jobs(trial.choices), metric=self.task.metric, **self.task.settings
        )

    def result(self, interrupted: str | None) -> Search:
        """The result of the search."""
        work, best = self.task, self.best
        trials = tuple(self.trials[number] for number in sorted(self.trials))
        model, scores = None, {}
        if best is not None and interrupted is None:
            test = work.rows[0].split.test
            shown = {"test": best}
            default = self.trials.get(0)
            if default is not None and not default.choices and default.stop == "finished" and default is not best:
                shown["test, defaults"] = default
            for name, trial in shown.items():
                mean = averaged(work.source, self.networks(trial), {"search": work.header, "trial": trial._asdict()})
                model = mean if model is None else model
                if len(test):
                    rows = as_read_by(mean.preprocessing, work.rows[0], work.source)
                    scores[name] = score(rows, mean.outputs(work.source.rows), test)
        recipes = tuple(work.recipe(trial.choices) for trial in trials)
        judged = [trial.score if trial.stop in ("finished", "halved") else float("nan") for trial in trials]
        return Search(
            source=work.source,
            rows=work.rows,
            metric=work.metric,
            trials=trials,
            best=best,
            recipes=recipes,
            model=model,
            scores=scores,
            importance=importance([each._asdict() for each in recipes], judged, higher_is_better=work.higher_is_better),
            interrupted=interrupted,
        )
