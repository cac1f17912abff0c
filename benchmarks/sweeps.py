"""How long does a sweep of 200 settings on 5 folds take, from the start of the process to the best model?

A fresh process imports one library, reads breast_cancer (569 rows, 30 columns), trains a network 30-32-2 with Adam in
batches of 32 at every setting (20 learning rates × 10 strengths of the L2 penalty) on every fold, scores each on the
fold's held-out rows, and has the best setting's model. Nothing compiled is kept anywhere. Everything that a person
waits for is counted: Python's start, imports, compilation. All cores are used: by threads here, by a pool of processes
there.

jaxnn scores every network after every epoch and keeps the best epoch, scikit-learn scores the last; jaxnn's best model
is the mean of the setting's five networks, scikit-learn trains one more on all rows. The witness is the best setting's
mean cross-entropy over the folds.

What a process runs: python -m benchmarks.sweeps LIBRARY RATES DECAYS FOLDS EPOCHS; it prints a line of JSON.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Contender, Make, Question, rounded
from benchmarks.start import ROOT, surroundings

HIDDEN, BATCH_SIZE = (32,), 32


class Sweep(NamedTuple):
    """A sweep."""

    rates: int
    decays: int
    folds: int
    epochs: int
    bytes_moved: None = None

    @property
    def units(self) -> int:
        """One sweep."""
        return 1

    @property
    def name(self) -> str:
        """The numbers of settings, folds and epochs."""
        return f"{self.rates * self.decays} settings × {self.folds} folds, {self.epochs} epochs each, cold"

    @property
    def trial(self) -> "Sweep":
        """A small one, with which each contender shows that it runs."""
        return self._replace(rates=2, decays=1, folds=2, epochs=1)


def problems(quick: bool) -> Iterable[Sweep]:
    return [Sweep(2, 2, 2, 2)] if quick else [Sweep(20, 10, 5, 20), Sweep(20, 10, 5, 50)]


def values(rates: int, decays: int) -> tuple[list[float], list[float]]:
    """The learning rates and the strengths of the penalty."""
    return np.geomspace(3e-4, 3e-2, rates).tolist(), np.geomspace(1e-5, 1e-1, decays).tolist()


def jaxnn_sweep(rates: list[float], decays: list[float], folds: int, epochs: int) -> float:
    from jaxnn import search

    found = search.sweep(
        "breast_cancer",
        {"learning_rate": rates, "weight_decay": decays},
        {"hidden": HIDDEN, "optimiser": "adam", "batch_size": BATCH_SIZE, "epochs": epochs, "patience": 0},
        folds=folds,
        test=0.0,
        progress=False,
    )
    assert found.model is not None
    assert found.best is not None
    return found.best.score


def scikit_learn(rates: list[float], decays: list[float], folds: int, epochs: int) -> float:
    import os
    import warnings

    os.environ["PYTHONWARNINGS"] = "ignore"  # of the pool's processes, which say that more epochs would help
    warnings.simplefilter("ignore")
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier(HIDDEN, batch_size=BATCH_SIZE, max_iter=epochs, n_iter_no_change=epochs + 1, random_state=0)
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), network),
        {"mlpclassifier__learning_rate_init": rates, "mlpclassifier__alpha": decays},
        n_iter=len(rates) * len(decays),  # all of them, in random order
        scoring="neg_log_loss",
        cv=folds,
        n_jobs=-1,
        random_state=0,
    )
    search.fit(*load_breast_cancer(return_X_y=True))
    return -float(search.best_score_)


LIBRARIES: dict[str, Callable[..., float]] = {"jaxnn": jaxnn_sweep, "scikit-learn": scikit_learn}


def answer(module: str, library: str, *numbers: int, settings: Mapping[str, str] | None = None) -> float:
    """What a fresh process of a module of benchmarks prints for a library, without any cache of compiled programs.

    Raises:
        OSError: the process failed; the message has its last line.
    """
    ended = subprocess.run(
        [sys.executable, "-m", module, library, *map(str, numbers)],
        env=surroundings("cold", Path()) | dict(settings or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no word"])[-1]
        raise OSError(f"the process of {library} ended with status {ended.returncode}: {last}")
    return float(json.loads(ended.stdout.splitlines()[-1]))


def process(library: str) -> Make:
    """A call is one fresh process; it gives the score of the best setting."""

    def make(problem: Sweep) -> Callable[[], float]:
        sizes = (problem.rates, problem.decays, problem.folds, problem.epochs)
        return lambda: answer("benchmarks.sweeps", library, *sizes)

    return make


def children_seconds() -> float:
    """Processor time of all ended processes that this one started, and of those that they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(
    question: Question, contenders: list[Contender], rounds: int, quick: bool, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Processes take turns; each is timed from outside."""
    answers = []
    for problem in question.problems(quick):
        calls: dict[str, Any] = {c.name: c.make(problem) for c in contenders if callable(c.make)}
        for name in calls:
            say(f"{question.name}: {name} warms up")
            next(c for c in contenders if c.name == name).make(problem.trial)()  # type: ignore[operator]
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        processor: dict[str, list[float]] = {name: [] for name in calls}
        scores: dict[str, float] = {}
        for number in range(rounds):
            say(f"{question.name}: round {number + 1} of {rounds}")
            for name in [*calls][:: 1 - 2 * (number % 2)]:
                began, used = time.perf_counter(), children_seconds()
                scores[name] = calls[name]()
                seconds[name].append(rounded(time.perf_counter() - began))
                processor[name].append(rounded(children_seconds() - used))
        answers.append(
            {
                "name": problem.name,
                "units": problem.units,
                "bytes_moved": None,
                "contenders": [
                    {
                        "name": each.name,
                        "settings": each.settings,
                        "variant": None,
                        "witness": scores[each.name],
                        "temporary_bytes": None,
                        "seconds": seconds[each.name],
                        "processor_seconds": processor[each.name],
                    }
                    for each in contenders
                ],
            }
        )
    return answers


QUESTION = Question(
    name="sweeps",
    title="A sweep on folds, from the process's start to the best model",
    unit="sweep",
    witness_name="best cross-entropy",
    problems=problems,
    witness=lambda problem, output: output,
    contenders=(
        Contender("jaxnn search.sweep", "all settings and folds as one program", process("jaxnn")),
        Contender("scikit-learn", "RandomizedSearchCV of MLPClassifier, n_jobs=-1", process("scikit-learn"), "sklearn"),
    ),
    rounds=2,
    measured=measured,
    scale="s",
)


if __name__ == "__main__":
    library, *numbers = sys.argv[1:]
    n_rates, n_decays, n_folds, n_epochs = map(int, numbers)
    print(json.dumps(LIBRARIES[library](*values(n_rates, n_decays), n_folds, n_epochs)))
