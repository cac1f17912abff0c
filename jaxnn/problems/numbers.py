"""Numbers: one output, the standardised target."""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from jaxnn import losses, metrics
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems.problem import Part, Problem


def _predicted_numbers(fitted: Preprocessing | None, outputs: np.ndarray) -> np.ndarray:
    return outputs if fitted is None else fitted.numbers(outputs)


def _in_own_units(fitted: Preprocessing | None, outputs: np.ndarray) -> np.ndarray:
    """Numbers (n, n_out) in the target's own units, or as they are without preprocessing."""
    return np.asarray(outputs, np.float64) if fitted is None else fitted.numbers(outputs)[:, None]


def _mixture_of_numbers(fitted: Preprocessing | None, members: Iterable[Part]) -> np.ndarray:
    """Σ w y, standardised by the ensemble's own mean and scale: those of the members may differ."""
    with np.errstate(over="ignore"):
        mean = reduce(np.add, (share * _in_own_units(own, outputs) for share, own, outputs in members))
        return mean if fitted is None else (mean - fitted.target.mean) / fitted.target.scale


def _number_described(fitted: Preprocessing) -> str:
    mean, scale = fitted.target.mean, fitted.target.scale
    return f"{fitted.target_name}, {mean:.4g} ± {scale:.4g} in the training rows"


def _scores_of_numbers(
    fitted: Preprocessing, outputs: Any, targets: np.ndarray, weight: np.ndarray | None, metric: str = "loss"
) -> dict[str, float]:
    del metric  # all of them are there
    with np.errstate(all="ignore"):
        return errors(fitted.numbers(targets), fitted.numbers(np.asarray(outputs, np.float64)), weight)


def errors(truth: np.ndarray, predictions: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
    """R², RMSE and MAE of predictions (n,) in the target's own units."""
    return {
        "R²": metrics.r2(truth, predictions, weight=weight),
        "RMSE": metrics.rmse(truth, predictions, weight=weight),
        "MAE": metrics.mae(truth, predictions, weight=weight),
    }


def _distance(fitted: Preprocessing, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The absolute error, in the target's own units."""
    return np.abs(fitted.numbers(targets) - fitted.numbers(outputs))


def _range(fitted: Preprocessing, outputs: np.ndarray, q: float) -> dict[str, Any]:
    """The numbers that are no farther than q from the prediction."""
    predicted = fitted.numbers(outputs)
    return {"lower": predicted - q, "upper": predicted + q}


def _numbers_compared(fitted: Preprocessing, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    return {
        "targets": fitted.numbers(targets),
        "predictions": fitted.numbers(outputs),
        "name": fitted.target_name,
    }


NUMBERS = Problem(
    name="numbers",
    target_kind="number",
    loss=losses.squared_error,
    loss_name="squared error",
    output_activation="identity",
    metrics=("r2", "mae", "rmse"),
    selection="rmse",
    gain="RMSE",
    baselines=("ridge regression", "the mean"),
    stratified=False,
    least_rows=2,  # R² needs two
    hidden_of_few_rows=(32,),
    n_outputs=lambda fitted: 1,
    least_outputs=1,
    outputs_needed="one output, the number",
    described=_number_described,
    as_targets=lambda numbers, dtype: numbers.astype(dtype)[:, None],
    predictions=_predicted_numbers,
    answers=lambda fitted, outputs: [repr(value) for value in fitted.numbers(outputs).tolist()],
    averaged=_in_own_units,
    mixture=_mixture_of_numbers,
    probabilities=None,
    scores=_scores_of_numbers,
    by_class=None,
    nonconformity=_distance,
    region=_range,
    compared=_numbers_compared,
)
