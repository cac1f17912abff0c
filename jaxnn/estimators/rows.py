"""The rows of `fit` as a network sees them: which of them train, in which precision, how columns and targets are read.

Where n is the number of rows of weight > 0:

    n ≥ 50    as for `jaxnn train`: a fifth of the rows is held out to choose the best epoch, and numbers are float32
    n < 50    a fifth would be fewer than 10 rows, which decide nothing, and batches would be noise: none is held out,
              all are in every step, and numbers are float64, which costs nothing here, unless X is of float32

Below 50 rows a run therefore depends neither on their order nor, up to rounding in float64, on whether a row is
repeated or has the weight 2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from jaxnn import checks, data, experiments
from jaxnn.estimators import objectives, tables
from jaxnn.estimators.names import Choices, given
from jaxnn.estimators.targets import Targets
from jaxnn.preprocessing.transform import Preprocessing
from jaxnn.problems import PROBLEMS, Problem

SMALL_TABLE = 50  # rows


class Given(NamedTuple):
    """Rows of weight > 0, checked.

    Attributes:
        x: as `tables.checked` gives it.
        y: as `targets` checks it.
        weight: (n,) > 0, or None.
    """

    x: Any
    y: np.ndarray
    weight: np.ndarray | None

    @property
    def small(self) -> bool:
        """Whether all rows train in every step."""
        return len(self.y) < SMALL_TABLE


class Before(NamedTuple):
    """What was learnt before, from which training goes on.

    Attributes:
        fitted: how columns are read.
        targets: how targets are read.
        recipe: every choice.
        networks: the parameters of each network.
    """

    fitted: Preprocessing
    targets: Targets
    recipe: experiments.Recipe
    networks: list[Any]

    @property
    def padded(self) -> bool:
        """Whether the networks have inputs that their model has not."""
        return len(self.networks[0][0].w) != len(self.fitted.input_names)


class Task(NamedTuple):
    """What is to be trained, and on which rows.

    Attributes:
        estimator: whose parameters say how.
        choice: these, checked.
        rows: ready for a network.
        targets: how targets are read.
        seed: of the run.
        small: whether all rows train in every step.
        mean_weight: of the training rows, in the caller's own unit.
        before: what training goes on from, or None.
    """

    estimator: Any
    choice: Choices
    rows: experiments.Rows
    targets: Targets
    seed: int
    small: bool
    mean_weight: float
    before: Before | None

    @property
    def unit(self) -> float:
        """How many of scikit-learn's units the loss has."""
        return objectives.unit(self.rows.problem.loss, self.targets)


def task(
    estimator: Any,
    choice: Choices,
    rows: Given,
    part: data.Split,
    *,
    seed: int,
    dtype: str,
    learn_targets: Callable[[np.ndarray, np.ndarray | None], Targets],
    held: Given | None = None,
    before: Before | None = None,
) -> Task:
    """The task of a call of `fit` or `partial_fit`.

    Args:
        estimator: the estimator.
        choice: its parameters, checked.
        rows: the rows.
        part: which of them train.
        seed: of the run.
        dtype: "float32" or "float64", of inputs and numbers.
        learn_targets: y and weights of training rows -> what they say.
        held: the caller's own validation rows.
        before: what training goes on from; then nothing is learnt of columns and targets.
    """
    weight = None if rows.weight is None else rows.weight[part.train]
    if before is None:
        targets = learn_targets(rows.y[part.train], weight)
        y = targets.encoded(rows.y)
        column = _one_column(y, part.train)
        fitted = tables.learnt(rows.x, column, part.train, rows.weight, scale=bool(estimator.scale_inputs))
        fitted = fitted if targets.stored is None else fitted._replace(target=targets.stored)
    else:
        fitted, targets = before.fitted, before.targets
        y = targets.encoded(rows.y)
    mean_weight = 1.0 if weight is None else float(weight.mean())
    pad = not tables.is_table(rows.x) if before is None else before.padded
    problem = problem_of(estimator, targets)
    ready = experiments.Rows(fitted, problem, "", *_arrays(fitted, rows, y, mean_weight, dtype, pad), part)
    if held is not None:
        ready = _with_validation(ready, _arrays(fitted, held, targets.encoded(held.y), mean_weight, dtype, pad))
    return Task(estimator, choice, ready, targets, seed, rows.small, mean_weight, before)


def _arrays(
    fitted: Preprocessing, rows: Given, y: np.ndarray, mean_weight: float, dtype: str, pad: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Inputs, targets and weights in this precision, the weights as multiples of the mean."""
    x = tables.network_inputs(fitted, rows.x, pad=pad).astype(dtype, copy=False)
    weight = None if rows.weight is None else (rows.weight / mean_weight).astype(dtype)
    return x, y if y.dtype.kind == "i" else y.astype(dtype), weight


def _with_validation(rows: experiments.Rows, held: tuple[np.ndarray, np.ndarray, Any]) -> experiments.Rows:
    """The rows, followed by those that choose the best epoch."""
    x, y, weight = held
    n, m = len(rows.x), len(x)
    weights = None
    if rows.weight is not None or weight is not None:
        own = np.ones(n, rows.x.dtype) if rows.weight is None else rows.weight
        weights = np.concatenate([own, np.ones(m, own.dtype) if weight is None else weight])
    part = data.Split(rows.split.train, np.arange(n, n + m), np.arange(0))
    return rows._replace(x=np.concatenate([rows.x, x]), y=np.concatenate([rows.y, y]), weight=weights, split=part)


def _one_column(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The encoded targets as one column that varies in these rows: columns of X are read as beside such a target."""
    if y.ndim == 1:  # a first batch may hold one class only
        return y if y.dtype.kind != "i" or np.ptp(y[rows]) > 0 else np.arange(len(y), dtype=y.dtype) % 2
    varying = [column for column in y.T if np.ptp(column[rows]) > 0]
    return varying[0] if varying else np.arange(len(y), dtype=float)


def problem_of(estimator: Any, targets: Targets) -> Problem:
    """The row of `PROBLEMS` for these targets, with the estimator's loss and the network's number of outputs."""
    problem = PROBLEMS["counts" if targets.counts else "classes" if targets.kind == "classes" else "numbers"]
    loss = objectives.loss_of(estimator.loss, targets.kind)
    if targets.counts:
        loss = objectives.RelativePoisson(targets.scale)
    return problem._replace(loss=loss, n_outputs=lambda fitted: targets.outputs)


def seed_of(random_state: Any) -> int:
    """The seed of a run: a whole number is the seed, as of `jaxnn train`; a RandomState draws one; None, NumPy's own.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        checks.whole(0, random_state=random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def precision(estimator: Any, rows: Given) -> str:
    """The dtype of the parameters while they are trained."""
    if given(estimator.dtype):
        return estimator.dtype
    single = getattr(rows.x, "dtype", None) == np.float32
    return "float64" if rows.small and not single else "float32"


def split(estimator: Any, rows: Given, *, seed: int, stratify: np.ndarray | None) -> data.Split:
    """The rows that train and those that choose the best epoch.

    Raises:
        ValueError: rows are to be held out, and fewer than two would be.
    """
    n, fraction = len(rows.y), estimator.validation_fraction
    if not (bool(estimator.early_stopping) if given(estimator.early_stopping) else not rows.small):
        return all_train(n)
    if min(n * fraction, n * (1 - fraction)) < 2:
        raise ValueError(
            f"validation_fraction={fraction:g} of {n} rows leaves fewer than 2 rows to train on or to stop early by:"
            " choose another fraction, or early_stopping=False."
        )
    return data.split(n, validation=fraction, seed=seed, stratify=stratify)


def all_train(n: int) -> data.Split:
    """The split of n rows that all train."""
    return data.Split(np.arange(n), np.arange(0), np.arange(0))
