"""The kinds of problems: one row of a table for each, so no other code needs to ask which kind it has.

    classes     k outputs o for k classes; softmax(o) are their probabilities, and the largest is the prediction
    numbers     one output: the standardised target

To add a kind, such as counts, add a row here. `preprocessing` decides the kind from the target and stores it in the
model. Saved models (`training.Model`), `experiments` and the command line all look it up here.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jaxnn import losses, metrics
from jaxnn.preprocessing import Preprocessing
from jaxnn.wording import listed

# Metrics as they are printed, in `Problem.scores` too.
PRINTED: Mapping[str, str] = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "macro_f1": "macro F1",
    "brier": "Brier score",
    "top_k_accuracy": "top-2 accuracy",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
}
MOST_AREAS = 100  # classes for which areas under the ROC curve are computed: each sorts all rows

Part: TypeAlias = tuple[float, Preprocessing | None, np.ndarray]  # of an ensemble: share, preprocessing, raw outputs


class Problem(NamedTuple):
    """A kind of problem.

    Attributes:
        name: as in `Preprocessing.problem` and in a saved model's configuration.
        target_kind: the field of `sources.Columns` in which naming the target column selects this kind, or None.
        loss: of raw outputs and targets, one value for each example.
        loss_name: the name of the loss as printed.
        output_activation: the name of the activation that turns raw outputs into predictions.
        metrics: the names in `metrics.HIGHER_IS_BETTER` that apply; the first is recorded in every training.
        selection: the name in `metrics.HIGHER_IS_BETTER` by which members of an ensemble are selected, which is one
            that changes with every member.
        gain: the same score by its name in `scores`; lower is better.
        baselines: the simple models to compare with, by their names in `baselines.MODELS`; the last is
            the best constant.
        stratified: whether rows are split class by class; if so, classes can have weights.
        least_rows: the least number of validation or test rows for which the metrics are defined.
        hidden_of_few_rows: the default hidden layers for few rows.
        n_outputs: preprocessing -> number of outputs.
        least_outputs: the least number of outputs of any network for this kind.
        outputs_needed: in words, which outputs a network for this kind needs.
        described: preprocessing -> a description of the target.
        as_targets: what `Preprocessing.targets` gives (n,), dtype -> targets as the loss takes them.
        predictions: preprocessing or None, raw outputs (n, n_out) -> what a saved model predicts: labels or numbers in
            the target's own units, (n,). Without preprocessing, class codes (n,), or the outputs as they are.
        answers: preprocessing, raw outputs (n, n_out) -> predictions as text, n of them.
        averaged: preprocessing or None, raw outputs (n, n_out) -> what the mean of an ensemble is taken of, float64
            (n, n_out): probabilities, or numbers in the target's own units. Without preprocessing, numbers as they are.
        mixture: preprocessing or None of an ensemble, and of each member its share (> 0, with sum 1), its preprocessing
            or None and its raw outputs (n, n_out) -> the raw outputs, float64 (n, n_out), that mean the weighted mean
            of what is averaged.
        probabilities: raw outputs -> probabilities (n, n_out), float64; None where there are none.
        scores: preprocessing, raw outputs, targets, weights or None, and the name of a metric that is to be among them,
            or "loss" -> metrics by their printed names. Metrics of numbers are in the target's own units. Diverged
            outputs have metrics of inf and nan, which are reported as such; a metric that the rows do not define, such
            as the area under the curve of a single class, is not there.
        by_class: preprocessing, raw outputs, targets, weights or None -> for each class by name its recall, its
            precision (nan if it is never predicted) and its number of rows, or sum of weights; None without classes.
        compared: preprocessing, raw outputs, targets -> predictions and targets as `plots.training_report` takes them.
    """

    name: str
    target_kind: str | None
    loss: Callable[..., Any]
    loss_name: str
    output_activation: str
    metrics: tuple[str, ...]
    selection: str
    gain: str
    baselines: tuple[str, ...]
    stratified: bool
    least_rows: int
    hidden_of_few_rows: tuple[int, ...]
    n_outputs: Callable[[Preprocessing], int]
    least_outputs: int
    outputs_needed: str
    described: Callable[[Preprocessing], str]
    as_targets: Callable[[np.ndarray, Any], np.ndarray]
    predictions: Callable[[Preprocessing | None, np.ndarray], np.ndarray]
    answers: Callable[[Preprocessing, np.ndarray], list[str]]
    averaged: Callable[[Preprocessing | None, np.ndarray], np.ndarray]
    mixture: Callable[[Preprocessing | None, Iterable[Part]], np.ndarray]
    probabilities: Callable[[np.ndarray], np.ndarray] | None
    scores: Callable[..., dict[str, float]]
    by_class: Callable[[Preprocessing, Any, np.ndarray, np.ndarray | None], dict[str, dict[str, float]]] | None
    compared: Callable[[Preprocessing, np.ndarray, np.ndarray], dict[str, Any]]


# Classes -----------------------------------------------------------------------------------------------------------


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities (n, n_classes), float64, from raw outputs."""
    outputs = np.asarray(outputs, np.float64)
    relative = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return relative / relative.sum(axis=1, keepdims=True)


def log_softmax(outputs: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities (n, n_classes), float64, from raw outputs; finite even where softmax is 0."""
    outputs = np.asarray(outputs, np.float64)
    relative = outputs - outputs.max(axis=1, keepdims=True)
    return relative - np.log(np.exp(relative).sum(axis=1, keepdims=True))


def _mixture_of_classes(fitted: Preprocessing | None, members: Iterable[Part]) -> np.ndarray:
    """Outputs log Σ w softmax(o), as a sum of logarithms, in which no probability becomes 0."""
    del fitted
    return reduce(np.logaddexp, (np.log(share) + log_softmax(outputs) for share, _, outputs in members))


def _predicted_classes(fitted: Preprocessing | None, outputs: np.ndarray) -> np.ndarray:
    codes = outputs.argmax(axis=1)
    return codes if fitted is None else fitted.labels(codes)


def _classes_described(fitted: Preprocessing) -> str:
    classes = fitted.class_names
    return f"{fitted.target_name} is one of {len(classes)}: {listed(classes, 12)}"


def _scores_of_classes(
    fitted: Preprocessing, outputs: Any, codes: np.ndarray, weight: np.ndarray | None, metric: str = "loss"
) -> dict[str, float]:
    del fitted
    outputs = np.asarray(outputs, np.float64)
    predicted, n_classes = outputs.argmax(axis=1), outputs.shape[1]
    with np.errstate(all="ignore"):
        probabilities = softmax(outputs)
        scores = {
            "accuracy": metrics.accuracy(codes, predicted, weight=weight),
            "log loss": metrics.log_loss(codes, probabilities, weight=weight),
            "ROC AUC": _area_of_classes(outputs, codes, weight),
            "macro F1": metrics.macro_f1(codes, predicted, n_classes=n_classes, weight=weight),
        }
        if metric == "brier":
            scores["Brier score"] = metrics.brier(codes, probabilities, weight=weight)
        if metric == "top_k_accuracy":
            scores["top-2 accuracy"] = metrics.top_k_accuracy(codes, outputs, weight=weight)
    return {name: value for name, value in scores.items() if value is not None}


def _area_of_classes(outputs: np.ndarray, codes: np.ndarray, weight: np.ndarray | None) -> float | None:
    """The mean area under the ROC curve of each class against the others, of those classes that have rows.

    None where all rows are of one class, or there are more than `MOST_AREAS` classes. Two classes are ranked by the
    difference of their outputs, since probabilities of the confident ones round to ties.
    """
    present = np.flatnonzero(np.bincount(codes, weight, minlength=outputs.shape[1]))
    if len(present) < 2 or outputs.shape[1] > MOST_AREAS:
        return None
    if outputs.shape[1] == 2:
        return metrics.roc_auc(codes, outputs[:, 1] - outputs[:, 0], weight=weight)
    ranks = log_softmax(outputs)
    return float(np.mean([metrics.roc_auc(codes == j, ranks[:, j], weight=weight) for j in present.tolist()]))


def _scores_by_class(
    fitted: Preprocessing, outputs: Any, codes: np.ndarray, weight: np.ndarray | None
) -> dict[str, dict[str, float]]:
    names = fitted.class_names
    predicted = np.asarray(outputs).argmax(axis=1)
    matrix = metrics.confusion_matrix(codes, predicted, n_classes=len(names), weight=weight)
    rows, predictions, met = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    with np.errstate(invalid="ignore"):
        recall, precision = met / rows, met / predictions
    return {
        name: {"recall": float(recall[j]), "precision": float(precision[j]), "rows": float(rows[j])}
        for j, name in enumerate(names)
    }


def _classes_compared(fitted: Preprocessing, outputs: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
    names = fitted.class_names
    matrix = metrics.confusion_matrix(codes, outputs.argmax(axis=1), n_classes=len(names))
    return {"matrix": matrix, "class_names": names}


CLASSES = Problem(
    name="classes",
    target_kind="category",
    loss=losses.softmax_cross_entropy,
    loss_name="softmax cross-entropy",
    output_activation="softmax",
    metrics=("accuracy", "brier", "log_loss", "macro_f1", "roc_auc", "top_k_accuracy"),
    selection="log_loss",
    gain="log loss",
    baselines=("logistic regression", "most frequent class"),
    stratified=True,
    least_rows=1,
    hidden_of_few_rows=(64, 64),
    n_outputs=lambda fitted: len(fitted.class_names),
    least_outputs=2,
    outputs_needed="one output for each class, so two for yes or no",
    described=_classes_described,
    as_targets=lambda codes, dtype: codes,
    predictions=_predicted_classes,
    answers=lambda fitted, outputs: [fitted.class_names[code] for code in outputs.argmax(axis=1).tolist()],
    averaged=lambda fitted, outputs: softmax(outputs),
    mixture=_mixture_of_classes,
    probabilities=softmax,
    scores=_scores_of_classes,
    by_class=_scores_by_class,
    compared=_classes_compared,
)


# Numbers -----------------------------------------------------------------------------------------------------------


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
        predictions, truth = fitted.numbers(np.asarray(outputs, np.float64)), fitted.numbers(targets)
        return {
            "R²": metrics.r2(truth, predictions, weight=weight),
            "RMSE": metrics.rmse(truth, predictions, weight=weight),
            "MAE": metrics.mae(truth, predictions, weight=weight),
        }


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
    compared=_numbers_compared,
)

PROBLEMS: Mapping[str, Problem] = {problem.name: problem for problem in (CLASSES, NUMBERS)}
