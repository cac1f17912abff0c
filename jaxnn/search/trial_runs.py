"""Runs trials side by side, and reports each as soon as all its networks have ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxnn import training
from jaxnn.experiments.many import Job, train_many
from jaxnn.experiments.network import Trained
from jaxnn.search.judge import OUT_OF_TIME, Judge
from jaxnn.search.task import Task
from jaxnn.search.trials import Trial

Report = Callable[[Trial, list[Trained]], Any]


def run_trials(
    task: Task, settings: Mapping[int, Mapping[str, Any]], report: Report, *, judge: Judge | None = None
) -> None:
    """Trains the networks of all trials as few programs.

    Args:
        task: what they have in common.
        settings: the choices of each trial, by its number; none for no work.
        report: called with each trial that ended, and its networks; not with those that a signal or the time ended.
        judge: ends trials early; None to train all to their end.

    Raises:
        ValueError: choices do not exist or do not suit each other, or a network needs more memory than there is.
    """
    if not settings:
        return
    jobs: list[Job] = []
    numbers: list[int] = []  # the trial of each job
    jobs_of: dict[int, range] = {}
    for number, choices in settings.items():
        own = task.jobs(choices)
        jobs_of[number] = range(len(jobs), len(jobs) + len(own))
        jobs += own
        numbers += [number] * len(own)
    trained: dict[int, Trained] = {}
    began = time.monotonic()
    if judge is not None:
        judge.begin(jobs_of)

    def finished(job: int, result: Trained) -> None:
        trained[job] = result
        number = numbers[job]
        if judge is not None:
            judge.note(job, () if diverged(result.fit) else monitored(task, result.fit))
        if all(each in trained for each in jobs_of[number]):
            stop = "finished" if judge is None else judge.ended.get(number, "finished")
            if stop != OUT_OF_TIME:
                own = [trained[each] for each in jobs_of[number]]
                seconds = round(time.monotonic() - began, 3)
                report(as_trial(task, number, settings[number], own, stop, judge, seconds), own)

    train_many(
        jobs,
        metric=task.metric,
        hook=judge,
        finished=finished,
        enough=None if judge is None else judge.over,
        **task.settings,
    )


def diverged(fit: training.Fit) -> bool:
    """Whether a network diverged for good, or has no epoch with a finite score."""
    return fit.reason == "diverged" or not fit.best_epoch


def monitored(task: Task, fit: training.Fit) -> np.ndarray:
    """The scores of a network's epochs."""
    history = fit.history
    return np.asarray(history.validation_loss if task.metric == "loss" else history.metrics[task.metric])


def as_trial(
    task: Task,
    number: int,
    choices: Mapping[str, Any],
    trained: Sequence[Trained],
    stop: str,
    judge: Judge | None,
    seconds: float,
) -> Trial:
    """What is recorded of a trial."""
    fits = [each.fit for each in trained]

    def at_best(name: str) -> float:
        """The mean of a metric over the networks, each at its best epoch."""
        return float(
            np.mean([fit.history.metrics[name][fit.best_epoch - 1] if fit.best_epoch else np.nan for fit in fits])
        )

    return Trial(
        number=number,
        choices=dict(choices),
        scores=tuple(float("nan") if diverged(fit) else float(fit.best_score) for fit in fits),
        epochs=tuple(int(fit.best_epoch) for fit in fits),
        rungs=() if judge is None else tuple(task.sign * score for score in judge.reached[number]),
        metrics={name: at_best(name) for name in fits[0].history.metrics if name != task.metric},
        stop="diverged" if any(map(diverged, fits)) else stop,
        seconds=seconds,
    )
