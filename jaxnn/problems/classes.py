"""Classes: k outputs o for k classes; softmax(o) are their probabilities, and the largest is the prediction."""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from jaxnn import losses, metrics
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems.problem import Part, Problem
from jaxnn.wording import listed

MOST_AREAS = 100  # classes for which areas under the ROC curve are computed: each sorts all rows


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


def _improbability(fitted: Preprocessing, outputs: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """One minus the probability of the true class; 0 if that is what is predicted."""
    del fitted
    return np.where(outputs.argmax(axis=1) == codes, 0.0, 1 - softmax(outputs)[np.arange(len(codes)), codes])


def _probable_classes(fitted: Preprocessing, outputs: np.ndarray, q: float) -> dict[str, Any]:
    """The classes that are no more improbable than q, and the most probable one, in order of their probability.

    The order is that of the outputs, since probabilities may round to ties, of which the prediction is but one.
    """
    order = np.argsort(-outputs, axis=1, kind="stable")
    within = 1 - np.take_along_axis(softmax(outputs), order, axis=1) <= q
    within[:, 0] = True
    labels = fitted.labels(order.reshape(-1)).reshape(order.shape)
    return {"classes": [labels[row, kept].tolist() for row, kept in enumerate(within)]}


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
    nonconformity=_improbability,
    region=_probable_classes,
    compared=_classes_compared,
)
