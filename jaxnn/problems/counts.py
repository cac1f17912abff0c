"""Counts, and other amounts ≥ 0 whose spread grows with their size: Poisson regression with a logarithmic link.

    ŷ = m eᵒ,    ℓ(o; y) = eᵒ - (y / m) o

with m the mean of the training targets, so an output of 0 predicts the mean. ℓ is the negative logarithm of the Poisson
likelihood of y for the rate ŷ, divided by m and without what does not depend on o. ŷ is the expected count, also where
y is no Poisson variable but has a mean that depends on the inputs in this way.

McCullagh and Nelder, Generalized linear models (1989), chapters 6 and 9.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from jaxnn import losses, metrics
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems.numbers import NUMBERS, errors
from jaxnn.problems.problem import Part

FINITE = (np.finfo(np.float64).tiny, np.finfo(np.float64).max)  # what a metric takes as an expected count


def _expected(fitted: Preprocessing | None, outputs: np.ndarray) -> np.ndarray:
    """Expected counts (n, n_out), or as multiples of the mean without preprocessing."""
    with np.errstate(over="ignore"):
        return np.exp(np.asarray(outputs, np.float64)) if fitted is None else fitted.numbers(outputs)[:, None]


def _predicted(fitted: Preprocessing | None, outputs: np.ndarray) -> np.ndarray:
    expected = _expected(fitted, outputs)
    return expected if fitted is None else expected[:, 0]


def _mixture(fitted: Preprocessing | None, members: Iterable[Part]) -> np.ndarray:
    """The logarithm of Σ w ŷ, relative to the ensemble's own mean: those of the members may differ."""

    def relative(own: Preprocessing | None) -> float:
        return 0.0 if own is None or fitted is None else np.log(own.target.scale) - np.log(fitted.target.scale)

    return reduce(
        np.logaddexp,
        (np.log(share) + relative(own) + np.asarray(outputs, np.float64) for share, own, outputs in members),
    )


def _counts(fitted: Preprocessing, targets: np.ndarray) -> np.ndarray:
    """The counts (n,) that targets of the loss stand for."""
    return np.asarray(targets, np.float64).reshape(-1) * fitted.target.scale


def _rates(fitted: Preprocessing, outputs: np.ndarray) -> np.ndarray:
    """Expected counts (n,), neither 0 nor infinite."""
    return np.clip(fitted.numbers(outputs), *FINITE)


def _described(fitted: Preprocessing) -> str:
    return f"{fitted.target_name}, {fitted.target.scale:.4g} on average in the training rows"


def _scores(
    fitted: Preprocessing, outputs: Any, targets: np.ndarray, weight: np.ndarray | None, metric: str = "loss"
) -> dict[str, float]:
    del metric  # all of them are there
    with np.errstate(all="ignore"):
        truth, rates = _counts(fitted, targets), _rates(fitted, outputs)
        deviance = metrics.poisson_deviance(truth, rates, weight=weight)
        return {"Poisson deviance": deviance, **errors(truth, rates, weight)}


def _distance(fitted: Preprocessing, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The absolute error in units of the standard deviation of a Poisson variable of that rate."""
    rates = _rates(fitted, outputs)
    return np.abs(_counts(fitted, targets) - rates) / np.sqrt(rates)


def _range(fitted: Preprocessing, outputs: np.ndarray, q: float) -> dict[str, Any]:
    """The amounts ≥ 0 that are no farther than q such units from the expected count."""
    rates = _rates(fitted, outputs)
    reach = q * np.sqrt(rates)
    return {"lower": np.maximum(rates - reach, 0.0), "upper": rates + reach}


def _compared(fitted: Preprocessing, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    return {"targets": _counts(fitted, targets), "predictions": _predicted(fitted, outputs), "name": fitted.target_name}


# What is not said here is as for numbers.
COUNTS = NUMBERS._replace(
    name="counts",
    target_kind=None,
    loss=losses.poisson,
    loss_name="Poisson loss",
    output_activation="exp",
    metrics=("poisson_deviance",),
    selection="poisson_deviance",
    gain="Poisson deviance",
    baselines=("Poisson regression", "the mean count"),
    outputs_needed="one output, the logarithm of the expected count",
    described=_described,
    predictions=_predicted,
    averaged=_expected,
    mixture=_mixture,
    scores=_scores,
    nonconformity=_distance,
    region=_range,
    compared=_compared,
)
