"""Simple models to compare a network with: a linear one, and the best constant."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn.experiments.network import train
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.experiments.scores import score

# Full batches from zero: the loss is convex, and a program without batches compiles in half the time.
LOGISTIC_REGRESSION = Recipe(
    hidden=(),
    activation=("identity",),
    optimiser="adam",
    learning_rate=0.05,
    schedule="constant",
    epochs=200,
    batch_size=2**31 - 1,
    dropout=0.0,
    input_dropout=0.0,
    weight_decay=1e-4,
    patience=10,
)
PENALTIES = tuple(10.0**k for k in range(-3, 5))  # candidates of ridge regression; the validation rows choose


class Answers(NamedTuple):
    """What a simple model predicts for all rows.

    Attributes:
        outputs: like a network's raw outputs, (n, n_out).
        interrupted: the signal that ended its training, or None.
    """

    outputs: np.ndarray
    interrupted: str | None = None


def baselines(
    rows: Rows, *, seed: int, metric: str = "loss", **settings: Any
) -> tuple[dict[str, dict[str, float]], str | None]:
    """Returns the simple models' metrics on the test (or else validation) rows, and the signal that ended one, if any.

    Args:
        rows: the rows.
        seed: decides the order of the rows.
        metric: what is to be among the metrics, as for `score`.
        **settings: further arguments of `training.fit`: the weights of classes.
    """
    answers = {name: MODELS[name](rows, seed=seed, **settings) for name in rows.problem.baselines}
    last, scored = list(rows.scored.items())[-1]
    found = {f"{last}, {name}": score(rows, each.outputs, scored, metric) for name, each in answers.items()}
    return found, next((each.interrupted for each in answers.values() if each.interrupted), None)


def logistic_regression(rows: Rows, *, seed: int, **settings: Any) -> Answers:
    """Multinomial logistic regression, trained by `training.fit` with the same weights of classes as the network."""
    trained = train(rows, LOGISTIC_REGRESSION, seed=seed, progress=False, **settings)
    (layer,) = trained.model.params
    return Answers(rows.x @ np.asarray(layer.w) + np.asarray(layer.b), trained.fit.interrupted)


def poisson_regression(rows: Rows, *, seed: int, **settings: Any) -> Answers:
    """Log-linear Poisson regression: the same linear network, whose output is the logarithm of a rate."""
    return logistic_regression(rows, seed=seed, **settings)


def most_frequent_class(rows: Rows, **_: Any) -> Answers:
    """The training rows' class frequencies, as logarithms."""
    codes, weight = _training_targets(rows)
    counts = np.bincount(codes, weight, minlength=len(rows.preprocessing.class_names))
    with np.errstate(divide="ignore"):
        return _constant(rows, np.log(np.maximum(counts / counts.sum(), np.finfo(np.float64).tiny)))


def ridge_regression(rows: Rows, **_: Any) -> Answers:
    """ŷ = x (X̃ᵀ W X̃ + λI)⁻¹ X̃ᵀ W ỹ with X̃, ỹ centred on the training rows' means; the validation rows choose λ."""
    x, y, weight = (np.asarray(each, np.float64) for each in (rows.x[rows.split.train], *_training_targets(rows)))
    x_mean, y_mean = (np.average(array, axis=0, weights=weight) for array in (x, y))
    weighted = (x - x_mean) * weight[:, None]
    gram, moment = weighted.T @ (x - x_mean), weighted.T @ (y - y_mean)
    candidates = [
        (rows.x - x_mean) @ np.linalg.solve(gram + penalty * np.eye(len(gram)), moment) + y_mean
        for penalty in PENALTIES
    ]
    return Answers(min(candidates, key=lambda outputs: score(rows, outputs, rows.choosing)["RMSE"]))


def the_mean(rows: Rows, **_: Any) -> Answers:
    """The mean of the training rows."""
    y, weight = _training_targets(rows)
    return _constant(rows, np.average(y, axis=0, weights=weight))


def the_mean_count(rows: Rows, **_: Any) -> Answers:
    """The logarithm of the mean of the training rows."""
    return _constant(rows, np.log(np.maximum(the_mean(rows).outputs[0], np.finfo(np.float64).tiny)))


def _training_targets(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The targets of the training rows, and how much each counts."""
    chosen = rows.split.train
    return rows.y[chosen], np.ones(len(chosen)) if rows.weight is None else rows.weight[chosen]


def _constant(rows: Rows, output: np.ndarray) -> Answers:
    """The same output (n_out,) for every row."""
    return Answers(np.broadcast_to(output, (len(rows.x), len(output))))


# By the names used in `problems.PROBLEMS`.
MODELS: Mapping[str, Callable[..., Answers]] = {
    "logistic regression": logistic_regression,
    "most frequent class": most_frequent_class,
    "ridge regression": ridge_regression,
    "the mean": the_mean,
    "Poisson regression": poisson_regression,
    "the mean count": the_mean_count,
}
