"""Which trials to end early: ASHA's rule, applied to the mean score of a trial's networks at each rung of epochs."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxnn.search.halving import FACTOR, promoted

OUT_OF_TIME = "out of time"  # why a trial was ended that leaves no record


class Judge:
    """Judges trials while they are trained: the hook of `experiments.train_many`.

    A network's score at a rung is its best until then; one that has ended by its own patience keeps its best.

    Attributes:
        rungs: epochs, increasing; at the last one a trial is done, and not judged. () to end no trial by its score.
        sign: -1 if a higher score is better, else 1.
        spared: the numbers of trials that are never ended.
        reached: the scores of each trial at the rungs that it has reached, by its number; lower is better.
        ended: the numbers of trials that were ended and why: "halved" as in `trials.STOPS`, or `OUT_OF_TIME`.
        waited: seconds from the latest beginning to the first scores: what compiling takes, mostly.
    """

    def __init__(
        self, rungs: Sequence[int], sign: float, *, spared: Iterable[int], time_is_up: Callable[[], bool]
    ) -> None:
        self.rungs, self.sign, self.spared, self.time_is_up = tuple(rungs), sign, frozenset(spared), time_is_up
        self.reached: dict[int, list[float]] = {}
        self.ended: dict[int, str] = {}
        self.jobs: dict[int, Sequence[int]] = {}  # of each trial at work
        self.best: dict[int, np.ndarray] = {}  # of each of these jobs, its best score up to each epoch
        self.began, self.waited = time.monotonic(), 0.0

    def begin(self, trials: Mapping[int, Sequence[int]]) -> None:
        """Begins to judge these trials: by number, the numbers of their networks."""
        self.jobs, self.best, self.began = dict(trials), {}, time.monotonic()
        self.reached |= {number: [] for number in trials}

    def over(self) -> bool:
        """Whether the time is up, and no trial at work is spared."""
        return not self.spared & self.jobs.keys() and self.time_is_up()

    def note(self, job: int, scores: Any) -> None:
        """Keeps the scores so far of a network, (epochs,); of one that diverged there are none."""
        self.best[job] = (
            np.fmin.accumulate(self.sign * np.asarray(scores, float)) if len(scores) else np.full(1, np.nan)
        )

    def __call__(self, scores: Mapping[int, np.ndarray]) -> list[int]:
        """The networks to end now, of those that are running."""
        if not self.best:
            self.waited = time.monotonic() - self.began
        for job, own in scores.items():
            self.note(job, own)
        rungs = [arrived for number in self.jobs for arrived in self._arrived(number, scores)]
        for number, rung in rungs:  # after all have arrived, so that those of one call are judged alike
            others = [own[rung] for other, own in self.reached.items() if other != number and len(own) > rung]
            if number not in self.spared and not promoted(self.reached[number][rung], others, FACTOR):
                self.ended.setdefault(number, "halved")
        if self.time_is_up():
            late = [number for number in self.jobs if number not in self.spared | self.ended.keys()]
            self.ended |= {number: OUT_OF_TIME for number in late if not self._done(number, scores)}
        return [job for number in self.jobs if number in self.ended for job in self.jobs[number] if job in scores]

    def _arrived(self, number: int, scores: Mapping[int, np.ndarray]) -> list[tuple[int, int]]:
        """Records the rungs at which a trial has newly arrived, those at which it is judged."""
        running = [len(scores[job]) for job in self.jobs[number] if job in scores]
        begun = all(job in self.best for job in self.jobs[number])
        own, found = self.reached[number], []
        while begun and running and len(own) < len(self.rungs) - 1 and min(running) >= self.rungs[len(own)]:
            epochs = self.rungs[len(own)]
            found.append((number, len(own)))
            own.append(float(np.mean([self.best[job][:epochs][-1] for job in self.jobs[number]])))
        return found

    def _done(self, number: int, scores: Mapping[int, np.ndarray]) -> bool:
        """Whether all networks of a trial have ended: they have scores, and none is running."""
        return all(job in self.best and job not in scores for job in self.jobs[number])
