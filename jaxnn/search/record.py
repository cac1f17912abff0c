"""The trials of a search as they end: in memory, and in a file if there is one."""

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnn.experiments.network import Trained
from jaxnn.search import trials as files
from jaxnn.search.task import Task
from jaxnn.search.trials import Trial
from jaxnn.training import progress
from jaxnn.wording import counted

PROGRESS_SECONDS = 2.0  # the least time between lines


class Record:
    """All trials that have ended, and the networks of trial 0 and of the best.

    Attributes:
        task: what the trials have in common.
        trials: by number; with a file that is continued, those of earlier runs as well.
        networks: of trial 0 and of the best trial, by number, unless an earlier run trained them.
    """

    def __init__(
        self,
        task: Task,
        header: Mapping[str, Any],
        *,
        file: str | os.PathLike[str] | None,
        resume: bool,
        progress: bool,
        wanted: int | None = None,
    ) -> None:
        """Begins the file, or reads it.

        Args:
            task: what the trials have in common.
            header: what the file says of this search besides `task.header`, in JSON's types.
            file: the file of trials; None for none.
            resume: whether to continue the file.
            progress: whether to print progress on standard error.
            wanted: how many trials there will be, to print; None if that is open.

        Raises:
            ValueError, OSError: as `trials.start` raises them; or there is no file to continue.
        """
        if resume and file is None:
            raise ValueError("resume=True needs the file of the search to continue: pass file.")
        self.task, self.file, self.progress, self.wanted = task, file, progress, wanted
        earlier = () if file is None else files.start(file, {**task.header, **header}, resume=resume)
        self.trials = {trial.number: trial for trial in earlier}
        self.networks: dict[int, list[Trained]] = {}
        self.shown = time.monotonic()

    @property
    def best(self) -> Trial | None:
        """The best of the trials that were trained to the end, of equal ones the first; None if there is none."""
        whole = [each for each in self.trials.values() if each.stop == "finished" and np.isfinite(each.score)]
        return min(whole, key=lambda trial: (self.task.sign * trial.score, trial.number), default=None)

    def missing(self, choices: Mapping[int, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        """Those of these trials that have not ended yet."""
        return {number: each for number, each in choices.items() if number not in self.trials}

    def add(self, trial: Trial, trained: list[Trained]) -> None:
        """Records a trial that has ended, and its networks."""
        if self.file is not None:
            files.append(self.file, trial)
        self.trials[trial.number] = trial
        self.networks[trial.number] = trained
        best = self.best
        kept = {0} if best is None else {0, best.number}
        self.networks = {number: each for number, each in self.networks.items() if number in kept}
        if self.progress and time.monotonic() - self.shown >= PROGRESS_SECONDS:
            self.shown = time.monotonic()
            ended = (
                counted(len(self.trials), "trial")
                if self.wanted is None
                else f"{len(self.trials)} of {self.wanted} trials"
            )
            found = "" if best is None else f", best {self.task.metric.replace('_', ' ')} {best.score:.4g}"
            progress.line(f"{ended}{found}")
