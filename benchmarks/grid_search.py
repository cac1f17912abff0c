"""How long does GridSearchCV of scikit-learn take over 30 learning rates on 5 folds, with our estimator and its own?

A fresh process imports scikit-learn, reads the digits (1797 images of 8 × 8), and searches 30 learning rates for a
network 64-100-10 with ReLU and Adam in batches of 32, on 5 folds, for 20 epochs each; then it trains the best once more
on all rows. Both estimators train with scikit-learn's own Adam and penalty (`alpha` 1e-4), on pixels divided by 16,
with no rows held out, by one search that runs fits one after another; scikit-learn computes in float64 and keeps the
last epoch, jaxnn in float32 and keeps the epoch of least training loss. Nothing compiled is kept anywhere, so ours
compiles a program for each number of training rows: three of them.

The seconds are of the whole process, Python's start and imports included; processor time is that of all its threads.
scikit-learn's linear algebra is told to use one thread, with which such small products are quickest. The witness is the
best rate's mean cross-entropy over the folds.

What a process runs: python -m benchmarks.grid_search LIBRARY RATES FOLDS EPOCHS; it prints a line of JSON.
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Contender, Make, Question
from benchmarks.sweeps import answer, measured
from jaxnn.data import bundled

HIDDEN, BATCH_SIZE, ALPHA = (100,), 32, 1e-4
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Grid(NamedTuple):
    """A search."""

    rates: int
    folds: int
    epochs: int
    bytes_moved: None = None

    @property
    def units(self) -> int:
        """One search."""
        return 1

    @property
    def name(self) -> str:
        """The numbers of rates, folds and epochs."""
        return f"{self.rates} learning rates × {self.folds} folds, {self.epochs} epochs each, cold"

    @property
    def trial(self) -> "Grid":
        """A small one, with which each contender shows that it runs."""
        return self._replace(rates=2, folds=2, epochs=1)


def problems(quick: bool) -> Iterable[Grid]:
    return [Grid(2, 2, 2)] if quick else [Grid(30, 5, 20)]


def searched(estimator: Any, rates: int, folds: int) -> float:
    """The cross-entropy of the best rate."""
    import warnings

    from sklearn.model_selection import GridSearchCV

    warnings.simplefilter("ignore")  # scikit-learn's, which say that more epochs would help
    digits = bundled.load("digits")
    grid = {"learning_rate_init": np.geomspace(1e-4, 3e-2, rates).tolist()}
    search = GridSearchCV(estimator, grid, scoring="neg_log_loss", cv=folds)
    return -float(search.fit(digits.x / 16.0, digits.y).best_score_)


def jaxnn_estimator(epochs: int) -> Any:
    from jaxnn.estimators import MLPClassifier

    return MLPClassifier(
        HIDDEN,
        "relu",
        optimiser="sklearn.adam",
        alpha=ALPHA,
        batch_size=BATCH_SIZE,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        early_stopping=False,
        scale_inputs=False,
        random_state=0,
    )


def scikit_learn(epochs: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        HIDDEN, alpha=ALPHA, batch_size=BATCH_SIZE, max_iter=epochs, n_iter_no_change=epochs + 1, random_state=0
    )


LIBRARIES: dict[str, Callable[[int], Any]] = {"jaxnn": jaxnn_estimator, "scikit-learn": scikit_learn}


def process(library: str) -> Make:
    """A call is one fresh process; it gives the score of the best rate."""
    settings = ONE_THREAD if library == "scikit-learn" else None

    def make(problem: Grid) -> Callable[[], float]:
        sizes = (problem.rates, problem.folds, problem.epochs)
        return lambda: answer("benchmarks.grid_search", library, *sizes, settings=settings)

    return make


QUESTION = Question(
    name="grid_search",
    title="scikit-learn's GridSearchCV over learning rates, from the process's start to the best network",
    unit="search",
    witness_name="best cross-entropy",
    problems=problems,
    witness=lambda problem, output: output,
    contenders=(
        Contender("jaxnn MLPClassifier", "float32; a program for each number of rows", process("jaxnn"), "sklearn"),
        Contender("scikit-learn MLPClassifier", "float64; one thread", process("scikit-learn"), "sklearn"),
    ),
    rounds=3,
    measured=measured,
    scale="s",
)


if __name__ == "__main__":
    library, *numbers = sys.argv[1:]
    n_rates, n_folds, n_epochs = map(int, numbers)
    print(json.dumps(searched(LIBRARIES[library](n_epochs), n_rates, n_folds)))
