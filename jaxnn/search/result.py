"""The result of a search: its trials as data, what mattered, and the best one's networks as a tested model."""

import math
from typing import NamedTuple

from jaxnn import metrics, training
from jaxnn.experiments.cross_validation import as_read_by, averaged
from jaxnn.experiments.many import train_many
from jaxnn.experiments.network import Trained
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.experiments.scores import score
from jaxnn.experiments.sources import Source
from jaxnn.search.importance import Importance, importance
from jaxnn.search.record import Record
from jaxnn.search.task import Task
from jaxnn.search.trials import Trial


class Search(NamedTuple):
    """The result of `sweep` or `tune`.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: of each fold, or of the one split.
        metric: the score that trials were compared by.
        trials: all that ended, by number; with a file, those of earlier runs as well.
        best: the best of those that were trained to the end; None if there is none.
        recipes: the whole recipe of each trial.
        model: the mean of the best trial's networks as one model; None if there is none or a signal ended the search.
        scores: the metrics on the test rows: of `model`, and of the networks of the defaults if these were a trial and
            another is best. Empty without test rows or model.
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
        return metrics.sign(self.metric) < 0


def concluded(record: Record, interrupted: str | None) -> Search:
    """The result of a search. Networks that an earlier run trained are trained again, which gives them to rounding.

    Args:
        record: its trials.
        interrupted: the signal that ended it, or None.
    """
    task, best = record.task, record.best
    trials = tuple(record.trials[number] for number in sorted(record.trials))
    recipes = tuple(task.recipe(trial.choices) for trial in trials)
    ranked = [trial.score if trial.stop in ("finished", "halved") else math.nan for trial in trials]
    shown: dict[str, Trial] = {}
    if best is not None and interrupted is None:
        shown["test"] = best
        default = record.trials.get(0)
        if default is not None and default is not best and not default.choices and default.stop == "finished":
            shown["test, defaults"] = default
    means: dict[str, training.Ensemble] = {}
    for name, trial in shown.items():
        trained = record.networks.get(trial.number) or _trained_again(task, trial)
        interrupted = next((each.fit.interrupted for each in trained if each.fit.interrupted), None)
        if interrupted is not None:
            means = {}
            break
        means[name] = averaged(task.source, trained, {"search": task.header, "trial": trial._asdict()})
    return Search(
        source=task.source,
        rows=task.rows,
        metric=task.metric,
        trials=trials,
        best=best,
        recipes=recipes,
        model=means.get("test"),
        scores={name: _scores(task, mean) for name, mean in means.items()} if len(task.rows[0].split.test) else {},
        importance=importance([each._asdict() for each in recipes], ranked, higher_is_better=task.sign < 0),
        interrupted=interrupted,
    )


def _trained_again(task: Task, trial: Trial) -> list[Trained]:
    """The networks of a trial."""
    return train_many(task.jobs(trial.choices), metric=task.metric, **task.settings)


def _scores(task: Task, mean: training.Ensemble) -> dict[str, float]:
    """The metrics of a model on the test rows, which all folds have in common."""
    rows = as_read_by(mean.preprocessing, task.rows[0], task.source)
    return score(rows, mean.outputs(task.source.rows), rows.split.test)
