"""What there is to know about a kind of problem: the columns of the table `PROBLEMS`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jaxnn.preprocessing import Preprocessing

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
    "poisson_deviance": "Poisson deviance",
}

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
        nonconformity: preprocessing, raw outputs, targets -> how badly each target agrees with what is predicted, (n,),
            ≥ 0.
        region: preprocessing, raw outputs, q -> by name, what is of nonconformity at most q: columns of n values.
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
    nonconformity: Callable[[Preprocessing, np.ndarray, np.ndarray], np.ndarray]
    region: Callable[[Preprocessing, np.ndarray, float], dict[str, Any]]
    compared: Callable[[Preprocessing, np.ndarray, np.ndarray], dict[str, Any]]
