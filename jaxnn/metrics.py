"""Metrics: how good predictions are, in the numbers that people report.

With weights wᵢ (1 by default) and Σ over the rows:

    accuracy          Σ w [ŷ = y] / Σ w
    top_k_accuracy    the same, with [y among the k highest scores]
    log_loss          -Σ w log p_y / Σ w
    brier             Σ w Σⱼ (pⱼ - [y = j])² / Σ w, halved for two classes
    roc_auc           P(score of a positive > score of a negative) + ½ P(equal); the mean over classes if several
    macro_f1          the mean over the classes of 2 Cⱼⱼ / (Σᵢ Cᵢⱼ + Σᵢ Cⱼᵢ), C being the confusion matrix
    confusion_matrix  Cᵢⱼ = Σ w [y = i] [ŷ = j]
    rmse, mae         √(Σ w (y - ŷ)² / Σ w),  Σ w |y - ŷ| / Σ w
    r2                1 - Σ w (y - ŷ)² / Σ w (y - ȳ)²; for a constant y, 1 if predicted exactly, else 0
    poisson_deviance  2 Σ w (y log(y / ŷ) - y + ŷ) / Σ w, of counts y ≥ 0 and expected counts ŷ > 0

With several outputs, `rmse`, `mae`, `r2` and `poisson_deviance` are the mean over the outputs. The numbers and the
order of the arguments are those of scikit-learn: targets first, then predictions (losses take outputs first). Class
targets are codes 0, 1, 2, ….

Metrics of NumPy arrays are computed in float64 and returned as Python floats. Metrics of JAX arrays are computed by
jax.numpy in the arrays' dtype (float32 or wider) and work inside jit, where values, such as a NaN, cannot be checked.
Shapes must agree exactly: nothing broadcasts.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, tree

HIGHER_IS_BETTER: dict[str, bool] = {
    "accuracy": True,
    "top_k_accuracy": True,
    "log_loss": False,
    "brier": False,
    "roc_auc": True,
    "macro_f1": True,
    "rmse": False,
    "mae": False,
    "r2": True,
    "poisson_deviance": False,
}


def sign(name: str) -> float:
    """What a score is multiplied by so that lower is better: -1 for metrics of which higher values are, else 1."""
    return -1.0 if HIGHER_IS_BETTER.get(name, False) else 1.0


def accuracy(targets: Any, predictions: Any, *, weight: Any = None) -> Any:
    """The fraction of labels that are correct.

    Args:
        targets: labels (n,) of any kind.
        predictions: labels (n,).
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: lengths differ, or a weight is negative.
    """
    rows = _rows(targets, predictions, weight, labels=True)
    return _result(rows, _mean(rows, rows.targets == rows.predictions))


def top_k_accuracy(targets: Any, scores: Any, *, k: int = 2, weight: Any = None) -> Any:
    """The fraction of rows whose class is among the k with the highest scores; among equal scores the later class wins.

    Args:
        targets: class codes (n,).
        scores: (n, n_classes), any order-preserving measure.
        k: 1 ≤ k < n_classes.
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: shapes do not fit, a code or k is out of range, a score is NaN.
    """
    rows = _class_rows(targets, scores, weight)
    n_classes = rows.predictions.shape[-1] if rows.predictions.ndim == 2 else 1
    checks.whole(1, k=k)
    if k >= n_classes:
        raise ValueError(f"k must be below the number of columns of the scores, {n_classes}, got {k}.")
    xp, classes = rows.xp, np.arange(n_classes)
    own = xp.take_along_axis(rows.predictions, rows.targets[:, None], axis=1)
    later = classes > rows.targets[:, None]
    ahead = (rows.predictions > own) | ((rows.predictions == own) & later)
    return _result(rows, _mean(rows, ahead.sum(axis=1) < k))


def log_loss(targets: Any, probabilities: Any, *, weight: Any = None) -> Any:
    """The mean of -log(probability of the true class), in nats; probabilities are clipped to [ε, 1 - ε] of their dtype.

    Args:
        targets: class codes (n,).
        probabilities: (n, n_classes) with rows that add up to 1, or (n,) of class 1.
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: shapes do not fit, a code or probability is out of range.
    """
    eps = _eps(probabilities)
    rows = _class_rows(targets, probabilities, weight)
    _check_probabilities(rows)
    clipped = rows.xp.clip(_by_class(rows), eps, 1 - eps)
    return _result(rows, _mean(rows, -rows.xp.log(_pick(rows, clipped))))


def brier(targets: Any, probabilities: Any, *, weight: Any = None) -> Any:
    """The mean squared distance of the probabilities from what happened: in [0, 1] for two classes, [0, 2] for more.

    Args:
        targets: class codes (n,).
        probabilities: (n, n_classes) with rows that add up to 1, or (n,) of class 1.
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: shapes do not fit, a code or probability is out of range.

    Brier, Verification of forecasts expressed in terms of probability (1950).
    """
    rows = _class_rows(targets, probabilities, weight)
    _check_probabilities(rows)
    p = _by_class(rows)
    happened = rows.targets[:, None] == np.arange(p.shape[1])
    score = _mean(rows, rows.xp.sum((p - happened) ** 2, axis=1))
    return _result(rows, score / 2 if p.shape[1] == 2 else score)


def roc_auc(targets: Any, scores: Any, *, weight: Any = None) -> Any:
    """The area under the ROC curve.

    Args:
        targets: class codes (n,).
        scores: (n,), higher for class 1; or (n, n_classes), then the mean over the classes of one against the rest.
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: shapes do not fit, a score is NaN, or a class does not occur: the area is not defined then.

    Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic curve (1982).
    """
    rows = _class_rows(targets, scores, weight)
    n_classes = rows.predictions.shape[1] if rows.predictions.ndim == 2 else 2
    if rows.concrete:
        present = np.bincount(np.asarray(rows.targets), np.asarray(rows.weight), minlength=n_classes)
        if not present.all():
            raise ValueError(
                f"roc_auc needs rows of every class, but class {int(np.argmin(present))} has none (or no weight)."
            )
    if rows.predictions.ndim == 1:
        return _result(rows, _area(rows, rows.targets == 1, rows.predictions))
    areas = [_area(rows, rows.targets == j, rows.predictions[:, j]) for j in range(n_classes)]
    return _result(rows, sum(areas) / n_classes)


def confusion_matrix(targets: Any, predictions: Any, *, n_classes: int | None = None, weight: Any = None) -> Any:
    """How often each class (row) was taken for each class (column).

    Args:
        targets: class codes (n,); labels of any kind if `n_classes` is None.
        predictions: like the targets.
        n_classes: the number of classes; needed inside jit. None: those that occur in either, sorted.
        weight: (n,) ≥ 0, or None.

    Returns:
        (n_classes, n_classes): int64 counts from numpy arrays, int32 from JAX arrays; floating with weights.

    Raises:
        ValueError: lengths differ, or a code is out of range.
    """
    rows = _rows(targets, predictions, weight, labels=True)
    xp, t, p = rows.xp, rows.targets, rows.predictions
    if n_classes is None:
        if not rows.concrete:
            raise ValueError("confusion_matrix needs n_classes inside jit, where the labels are not known.")
        names, codes = np.unique(np.concatenate([np.asarray(t), np.asarray(p)]), return_inverse=True)
        t, p, n_classes = xp.asarray(codes[: len(t)]), xp.asarray(codes[len(t) :]), len(names)
    else:
        checks.whole(1, n_classes=n_classes)
        for name, codes in (("targets", t), ("predictions", p)):
            _check_codes(name, codes, n_classes, rows.concrete)
        t, p = t.astype(int), p.astype(int)
    size = {"length": n_classes**2} if xp is jnp else {"minlength": n_classes**2}
    weights = None if weight is None else rows.weight
    return xp.bincount(t * n_classes + p, weights=weights, **size).reshape(n_classes, n_classes)


def macro_f1(targets: Any, predictions: Any, *, n_classes: int | None = None, weight: Any = None) -> Any:
    """The mean over the classes of F1, the harmonic mean of recall and precision; 0 for a class never met.

    Arguments as for `confusion_matrix`. Classes that occur neither in the targets nor in the predictions do not count.

    van Rijsbergen, Information retrieval (1979).
    """
    matrix = confusion_matrix(targets, predictions, n_classes=n_classes, weight=weight)
    rows = _rows(targets, predictions, weight, labels=True)
    xp, met = rows.xp, matrix.diagonal()
    occurs = matrix.sum(axis=0) + matrix.sum(axis=1)
    f1 = xp.where(occurs > 0, 2 * met / xp.where(occurs > 0, occurs, 1), 0.0)
    return _result(rows, f1.sum() / (occurs > 0).sum())


def rmse(targets: Any, predictions: Any, *, weight: Any = None) -> Any:
    """The root of the mean squared error, in the targets' units; for several outputs, the mean of their roots.

    Args:
        targets: numbers (n,) or (n, k).
        predictions: like the targets.
        weight: (n,) ≥ 0, or None.

    Raises:
        ValueError: shapes differ, a number is not finite, or a weight is negative.
    """
    rows = _number_rows(targets, predictions, weight)
    return _result(rows, rows.xp.sqrt(_mean(rows, (rows.targets - rows.predictions) ** 2)).mean())


def mae(targets: Any, predictions: Any, *, weight: Any = None) -> Any:
    """The mean absolute error, in the targets' units; arguments as for `rmse`."""
    rows = _number_rows(targets, predictions, weight)
    return _result(rows, _mean(rows, abs(rows.targets - rows.predictions)).mean())


def r2(targets: Any, predictions: Any, *, weight: Any = None) -> Any:
    """The fraction of the variance that is explained: 1 is perfect, 0 is no better than the mean; may be negative.

    Arguments as for `rmse`, with at least two rows.
    """
    rows = _number_rows(targets, predictions, weight)
    if len(rows.targets) < 2:
        raise ValueError("r2 needs at least two rows, because a single row has no variance.")
    xp = rows.xp
    unexplained = _mean(rows, (rows.targets - rows.predictions) ** 2)
    variance = _mean(rows, (rows.targets - _mean(rows, rows.targets)) ** 2)
    constant = xp.where(unexplained == 0, 1.0, 0.0)
    score = xp.where(variance == 0, constant, 1 - unexplained / xp.where(variance == 0, 1.0, variance))
    return _result(rows, score.mean())


def poisson_deviance(targets: Any, predictions: Any, *, weight: Any = None) -> Any:
    """The mean deviance of counts from expected counts: 0 if all are equal, else twice the loss of log likelihood.

    Arguments as for `rmse`; targets must be ≥ 0 and predictions > 0.

    McCullagh and Nelder, Generalized linear models (1989), section 2.3.
    """
    rows = _number_rows(targets, predictions, weight)
    if rows.concrete and (np.asarray(rows.targets).min() < 0 or np.asarray(rows.predictions).min() <= 0):
        raise ValueError("poisson_deviance needs targets ≥ 0 and predictions > 0.")
    return _result(rows, _poisson_deviance(rows, rows.xp.log(rows.predictions), rows.predictions))


def _poisson_deviance(rows: "_Rows", log_rate: Any, rate: Any) -> Any:
    """From the logarithms of the rates and these."""
    xp, y = rows.xp, rows.targets
    y_log_y = y * xp.log(xp.where(y > 0, y, 1))
    return 2 * _mean(rows, y_log_y - y * log_rate - y + rate).mean()


@functools.cache  # one function for each name and options: a program compiled for it is found again
def from_outputs(name: str, **options: Any) -> Callable[..., Any]:
    """The metric called `name` of a network's raw outputs: a jittable (outputs, targets, weight=None) -> scalar.

    Outputs (n, k), k ≥ 2, with class codes (n,) or one-hot targets (n, k) go through argmax or softmax; outputs (n, 1)
    or (n,) with targets 0 and 1 of either shape are logits of class 1; numbers are taken as they are. Rows of weight 0
    are ignored, whatever they hold.

    Args:
        name: a key of `HIGHER_IS_BETTER`.
        **options: further arguments of the metric, such as `k` for "top_k_accuracy".

    Raises:
        ValueError: the name is unknown.
    """
    metric = checks.one_of(name, OF_OUTPUTS, "metric")

    def measure(outputs: Any, targets: Any, weight: Any = None) -> Any:
        outputs, targets = jnp.asarray(outputs), jnp.asarray(targets)
        outputs = outputs.astype(tree.wide_dtype(outputs.dtype))
        if outputs.ndim == 2 and outputs.shape[1] == 1:
            outputs = outputs[:, 0]
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if weight is not None:
            # Padding may hold anything, and 0 · NaN is NaN.
            kept = jnp.asarray(weight) > 0
            outputs = jnp.where(kept.reshape(-1, *(1,) * (outputs.ndim - 1)), outputs, 0)
            targets = jnp.where(kept.reshape(-1, *(1,) * (targets.ndim - 1)), targets, 0)
        return metric(outputs, targets, weight=weight, **options)

    return measure


# Of raw outputs --------------------------------------------------------------------------------------------------


def _codes(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Targets as class codes, from one-hot rows too."""
    return targets.argmax(axis=1) if targets.ndim == 2 and outputs.ndim == 2 else targets.astype(int)


def _probabilities(outputs: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(outputs) if outputs.ndim == 1 else jax.nn.softmax(outputs, axis=1)


def _accuracy_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    predictions = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(axis=1)
    return accuracy(_codes(outputs, targets), predictions, weight=weight)


def _top_k_of(outputs: jax.Array, targets: jax.Array, *, weight: Any, k: int = 2) -> Any:
    return top_k_accuracy(_codes(outputs, targets), outputs, k=k, weight=weight)


def _log_loss_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    """From logits without the detour through probabilities, which round to 0 and 1."""
    logits = outputs if outputs.ndim == 2 else jnp.stack([jnp.zeros_like(outputs), outputs], axis=1)
    rows = _class_rows(_codes(outputs, targets), logits, weight)
    return _mean(rows, -_pick(rows, jax.nn.log_softmax(rows.predictions, axis=1)))


def _brier_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    return brier(_codes(outputs, targets), _probabilities(outputs), weight=weight)


def _roc_auc_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    """Two classes by the logits themselves: a sigmoid would make ties of the confident ones."""
    scores = outputs if outputs.ndim == 1 else _probabilities(outputs)
    return roc_auc(_codes(outputs, targets), scores, weight=weight)


def _macro_f1_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    predictions = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(axis=1)
    n_classes = 2 if outputs.ndim == 1 else outputs.shape[1]
    return macro_f1(_codes(outputs, targets), predictions, n_classes=n_classes, weight=weight)


def _of_numbers(metric: Callable[..., Any]) -> Callable[..., Any]:
    return lambda outputs, targets, *, weight: metric(targets, outputs, weight=weight)


def _poisson_deviance_of(outputs: jax.Array, targets: jax.Array, *, weight: Any) -> Any:
    """Of outputs that are logarithms of expected counts."""
    rows = _number_rows(targets, outputs, weight)
    return _result(rows, _poisson_deviance(rows, rows.predictions, jnp.exp(rows.predictions)))


OF_OUTPUTS: dict[str, Callable[..., Any]] = {
    "accuracy": _accuracy_of,
    "top_k_accuracy": _top_k_of,
    "log_loss": _log_loss_of,
    "brier": _brier_of,
    "roc_auc": _roc_auc_of,
    "macro_f1": _macro_f1_of,
    "rmse": _of_numbers(rmse),
    "mae": _of_numbers(mae),
    "r2": _of_numbers(r2),
    "poisson_deviance": _poisson_deviance_of,
}


# Arguments -------------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """The arguments of a metric, checked, in one namespace."""

    xp: ModuleType  # numpy or jax.numpy
    targets: Any
    predictions: Any
    weight: Any  # (n,), ones by default
    concrete: bool  # whether there are values to check


def _rows(targets: Any, predictions: Any, weight: Any, *, labels: bool = False) -> _Rows:
    """Checks lengths and weights, which all metrics share."""
    given = [each for each in (targets, predictions, weight) if each is not None]
    xp = jnp if any(isinstance(each, jax.Array) for each in given) else np
    concrete = not any(isinstance(each, jax.core.Tracer) for each in given)
    targets, predictions = xp.asarray(targets), xp.asarray(predictions)
    if predictions.ndim == 0 or targets.ndim == 0 or len(targets) != len(predictions):
        raise ValueError(
            f"Targets {targets.shape} and predictions {predictions.shape} must have one row for each example."
        )
    if labels and not targets.ndim == predictions.ndim == 1:
        raise ValueError(f"Labels must have shape (n,), got targets {targets.shape}, predictions {predictions.shape}.")
    if len(targets) == 0:
        raise ValueError("A metric needs at least one row.")
    dtype = _float_dtype(xp, predictions)
    weight = xp.ones(len(targets), dtype) if weight is None else xp.asarray(weight, dtype)
    if weight.shape != (len(targets),):
        raise ValueError(f"weight must have shape ({len(targets)},), got {weight.shape}.")
    if concrete:
        _check_weight(np.asarray(weight))
        for name, values in (("targets", targets), ("predictions", predictions)):
            _check_finite(name, values)
    return _Rows(xp, targets, predictions, weight, concrete)


def _class_rows(targets: Any, scores: Any, weight: Any) -> _Rows:
    """Class codes (n,) against scores (n,) of class 1, or (n, n_classes)."""
    rows = _rows(targets, scores, weight)
    if rows.targets.ndim != 1:
        raise ValueError(f"Class targets must have shape (n,), got {rows.targets.shape}.")
    scores = rows.predictions
    if scores.ndim > 2 or (scores.ndim == 2 and scores.shape[1] < 2):
        raise ValueError(
            f"Scores must have shape (n,) for class 1 or (n, n_classes), got {scores.shape};"
            " a single column is scores[:, 0]."
        )
    n_classes = scores.shape[1] if scores.ndim == 2 else 2
    _check_codes("targets", rows.targets, n_classes, rows.concrete)
    return rows._replace(targets=rows.targets.astype(int), predictions=scores.astype(_float_dtype(rows.xp, scores)))


def _number_rows(targets: Any, predictions: Any, weight: Any) -> _Rows:
    """Numbers as (n, k), of equal shapes."""
    rows = _rows(targets, predictions, weight)
    if rows.targets.shape != rows.predictions.shape or rows.targets.ndim > 2:
        raise ValueError(
            f"Targets and predictions must have the same shape, (n,) or (n, k),"
            f" got {rows.targets.shape} and {rows.predictions.shape}."
        )
    dtype = _float_dtype(rows.xp, rows.predictions)
    n = len(rows.targets)
    return rows._replace(
        targets=rows.targets.reshape(n, -1).astype(dtype), predictions=rows.predictions.reshape(n, -1).astype(dtype)
    )


def _float_dtype(xp: ModuleType, values: Any) -> Any:
    """float64 in numpy; in JAX the values' own dtype, float32 at least, and its default for whole numbers."""
    if xp is np:
        return np.float64
    floating = jnp.issubdtype(values.dtype, jnp.floating)
    return tree.wide_dtype(values.dtype) if floating else jnp.result_type(float)


def _eps(probabilities: Any) -> float:
    """Machine precision of the dtype in which the probabilities were given."""
    dtype = getattr(probabilities, "dtype", np.float64)
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else float(np.finfo(float).eps)


def _check_weight(weight: np.ndarray) -> None:
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError("weight must be finite and ≥ 0, and not all zero.")


def _check_finite(name: str, values: Any) -> None:
    values = np.asarray(values)
    if jnp.issubdtype(values.dtype, jnp.floating) and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
        raise ValueError(f"{name} must be finite, but row {row + 1} of {len(values)} is not.")


def _check_codes(name: str, codes: Any, n_classes: int, concrete: bool) -> None:
    """Refuses labels that are not codes 0 … n_classes - 1."""
    if codes.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be class codes 0, 1, 2, …, got {codes.dtype}: encode labels first.")
    if concrete:
        values = np.asarray(codes)
        if not np.isin(values, np.arange(n_classes)).all():
            raise ValueError(
                f"{name} must be class codes 0 … {n_classes - 1}, got values from {values.min()} to {values.max()}."
            )


def _check_probabilities(rows: _Rows) -> None:
    if not rows.concrete:
        return
    p = np.asarray(rows.predictions)
    if p.min() < 0 or p.max() > 1 + 1e-6:  # a softmax in float32 may be a few roundings above 1
        raise ValueError(f"Probabilities must be in [0, 1], got {p.min():.6g} to {p.max():.6g}.")
    if p.ndim == 2 and (abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError(
            "The probabilities of each row must add up to 1. Raw outputs or scores must be converted first."
        )


# Arithmetic ------------------------------------------------------------------------------------------------------


def _mean(rows: _Rows, values: Any) -> Any:
    """Σ w v / Σ w over the rows."""
    weight = rows.weight.reshape(-1, *(1,) * (values.ndim - 1))
    return rows.xp.sum(weight * values, axis=0) / rows.xp.sum(rows.weight)


def _by_class(rows: _Rows) -> Any:
    """Probabilities (n, n_classes), from those of class 1 too."""
    p = rows.predictions
    return p if p.ndim == 2 else rows.xp.stack([1 - p, p], axis=1)


def _pick(rows: _Rows, values: Any) -> Any:
    """Each row's entry at its own class."""
    return rows.xp.take_along_axis(values, rows.targets[:, None], axis=1)[:, 0]


def _area(rows: _Rows, positive: Any, scores: Any) -> Any:
    """Σ over the positives of the weight of the negatives below, counting equal scores by half, of all such pairs."""
    xp = rows.xp
    zero = xp.zeros_like(rows.weight)
    above, below = xp.where(positive, rows.weight, zero), xp.where(positive, zero, rows.weight)
    order = xp.argsort(scores)
    ranked = scores[order]
    cumulative = xp.concatenate([zero[:1], xp.cumsum(below[order])])
    beaten = cumulative[xp.searchsorted(ranked, scores, side="left")]
    matched = cumulative[xp.searchsorted(ranked, scores, side="right")]
    return xp.sum(above * (beaten + matched) / 2) / (above.sum() * below.sum())


def _result(rows: _Rows, value: Any) -> Any:
    """A Python float from numpy, a scalar array from JAX."""
    return float(value) if rows.xp is np else value
