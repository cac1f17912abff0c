"""Ensembles: what several networks predict together, and which of them to listen to.

Of M members with predictions pₘ (probabilities or numbers) and weights wₘ ≥ 0, Σ w = 1:

    mean                p̄ = Σ wₘ pₘ
    spread              √(Σ wₘ (pₘ - p̄)²)
    vote                the label that most members predict
    greedy_selection    w = counts / Σ counts: from nothing, add again and again the member, even one that is in
                        already, with which the mean of those chosen scores best
    stacking_weights    the w that minimises the loss of p̄ over all w ≥ 0, Σ w = 1: a convex problem

The mean of squares shows why it helps: (p̄ - y)² = Σ wₘ (pₘ - y)² - Σ wₘ (pₘ - p̄)², so p̄ is better than its members
on average by their spread. Selection and stacking choose by rows that no member was trained on; a score on these same
rows is then too good, and only other rows show how good the ensemble is.

References:
    Krogh & Vedelsby, Neural network ensembles, cross validation, and active learning (1995): the identity.
    Caruana, Niculescu-Mizil, Crew & Ksikes, Ensemble selection from libraries of models (2004).
    Breiman, Stacked regressions (1996): weights ≥ 0 generalise best.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnn import checks, metrics

SMALL = 1e-12  # weights below this are rounding errors of the solver


def mean(predictions: Any, weights: Any = None) -> np.ndarray:
    """The weighted mean over the members.

    Args:
        predictions: (members, rows) or (members, rows, outputs), float; probabilities, not logits, of classes.
        weights: (members,) ≥ 0, divided by their sum; None for equal ones.

    Raises:
        ValueError: shapes do not fit, or weights are negative or all 0.
    """
    predictions = _predictions(predictions)
    return np.tensordot(_weights(weights, len(predictions)), predictions, axes=1)


def spread(predictions: Any, weights: Any = None) -> np.ndarray:
    """The weighted standard deviation over the members: how far they disagree, row by row.

    Args:
        predictions: (members, rows) or (members, rows, outputs).
        weights: as for `mean`.

    Raises:
        ValueError: as for `mean`.
    """
    predictions = _predictions(predictions)
    return np.sqrt(mean((predictions - mean(predictions, weights)) ** 2, weights))


def vote(labels: Any, weights: Any = None) -> np.ndarray:
    """The label that has the largest weight of members in each row; of equally supported ones, the first in order.

    Args:
        labels: (members, rows), of any kind that can be sorted.
        weights: as for `mean`.

    Returns:
        (rows,) labels.

    Raises:
        ValueError: as for `mean`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.shape[0]:
        raise ValueError(f"labels must have shape (members, rows), got {labels.shape}.")
    names, codes = np.unique(labels, return_inverse=True)
    chosen = codes.reshape(labels.shape)[:, :, None] == np.arange(len(names))
    return names[np.tensordot(_weights(weights, len(labels)), chosen, axes=1).argmax(axis=1)]


def greedy_selection(
    predictions: Any,
    targets: Any,
    metric: str | Callable[..., Any],
    *,
    size: int = 50,
    weight: Any = None,
    higher_is_better: bool | None = None,
) -> np.ndarray:
    """How often each member is chosen when members are added one at a time, each the one that helps most.

    Args:
        predictions: (members, rows) or (members, rows, outputs), of rows that no member was trained on.
        targets: (rows, …), as the metric takes them.
        metric: a name in `jaxnn.metrics.HIGHER_IS_BETTER`, or a function (targets, predictions, weight=…) -> number;
            of the mean prediction, so one of probabilities for classes ("log_loss", "brier", "roc_auc").
        size: how many are added; the best of the ensembles on the way is returned.
        weight: (rows,) ≥ 0, or None.
        higher_is_better: whether a higher value is better, for a function of your own.

    Returns:
        (members,) counts, whole numbers ≥ 0: weights for `mean`. The first member chosen is the best one, so the
        ensemble is never worse than that on these rows.

    Raises:
        ValueError: shapes do not fit, an argument is out of range, or no member has a finite score.
    """
    predictions = _predictions(predictions)
    checks.whole(1, size=size)
    function, sign = _metric(metric, higher_is_better)
    counts, total = np.zeros(len(predictions), int), np.zeros(predictions.shape[1:])
    best, best_score = counts.copy(), np.inf
    for chosen in range(1, size + 1):
        scores = np.array([sign * float(function(targets, (total + p) / chosen, weight=weight)) for p in predictions])
        if not np.isfinite(scores).any():
            raise ValueError(f"{metric!r} is finite for no member.")
        member = int(np.nanargmin(np.where(np.isfinite(scores), scores, np.nan)))
        counts[member] += 1
        total += predictions[member]
        if scores[member] < best_score:
            best, best_score = counts.copy(), scores[member]
    return best


def stacking_weights(predictions: Any, targets: Any, *, weight: Any = None) -> np.ndarray:
    """The weights of the mean with the lowest loss: cross-entropy for classes, mean squared error for numbers.

    Args:
        predictions: (members, rows, classes) probabilities with integer targets (rows,); or (members, rows, …) numbers
            with targets (rows, …); of rows that no member was trained on.
        targets: class codes or numbers.
        weight: (rows,) ≥ 0, or None.

    Returns:
        (members,) ≥ 0, with sum 1; many are 0.

    Raises:
        ValueError: shapes do not fit, or every member gives some row's class the probability 0.
    """
    predictions, targets = _predictions(predictions), np.asarray(targets)
    rows = np.ones(predictions.shape[1]) if weight is None else np.asarray(weight, float)
    if rows.shape != predictions.shape[1:2] or (rows < 0).any() or not rows.any():
        raise ValueError(f"weight must have shape {predictions.shape[1:2]}, be ≥ 0 and not all 0.")
    rows = rows / rows.sum()
    if targets.dtype.kind in "iub" and predictions.ndim == 3 and targets.ndim == 1:
        own = _of_their_class(predictions, targets)

        def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
            mixed = np.maximum(w @ own, np.finfo(float).tiny)
            return float(-rows @ np.log(mixed)), -own @ (rows / mixed)

    else:
        if targets.shape != predictions.shape[1:]:
            raise ValueError(f"targets must have shape {predictions.shape[1:]}, like predictions, got {targets.shape}.")
        flat = predictions.reshape(*predictions.shape[:2], -1)
        share = rows[:, None] / flat.shape[2]

        def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
            error = np.tensordot(w, flat, axes=1) - targets.reshape(flat.shape[1:])
            return float((share * error**2).sum()), 2 * np.tensordot(flat, share * error, axes=2)

    import scipy.optimize  # comes with jax

    start = np.full(len(predictions), 1 / len(predictions))
    scale = 1 / max(np.abs(loss(start)[1]).max(), np.finfo(float).tiny)  # so the solver's tolerance has no unit
    found = scipy.optimize.minimize(
        lambda w: tuple(scale * part for part in loss(w)),
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(start),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    w = np.where(found.x > SMALL, found.x, 0.0)
    return w / w.sum()


def _predictions(given: Any) -> np.ndarray:
    predictions = np.asarray(given, float)
    if predictions.ndim < 2 or not predictions.shape[0] or not predictions.shape[1]:
        raise ValueError(f"predictions must have shape (members, rows, …), got {predictions.shape}.")
    return predictions


def _weights(given: Any, members: int) -> np.ndarray:
    weights = np.ones(members) if given is None else np.asarray(given, float)
    if weights.shape != (members,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"weights must be {members} numbers ≥ 0, not all 0, got {given!r}.")
    return weights / weights.sum()


def _metric(metric: str | Callable[..., Any], higher_is_better: bool | None) -> tuple[Callable[..., Any], float]:
    if isinstance(metric, str):
        checks.one_of(metric, metrics.HIGHER_IS_BETTER, "metric")
        return getattr(metrics, metric), metrics.sign(metric)
    if higher_is_better is None:
        raise ValueError("It is unknown whether a higher value of this metric is better: pass higher_is_better.")
    return metric, -1.0 if higher_is_better else 1.0


def _of_their_class(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The probability that each member gives to each row's class: (members, rows)."""
    classes = predictions.shape[2]
    if targets.shape != predictions.shape[1:2] or (len(targets) and not 0 <= targets.min() <= targets.max() < classes):
        raise ValueError(f"targets must be {predictions.shape[1]} class codes from 0 to {classes - 1}.")
    own = predictions[:, np.arange(len(targets)), targets]
    if not (own.max(axis=0) > 0).all():
        row = int(np.argmin(own.max(axis=0)))
        raise ValueError(f"Every member gives the class of row {row} the probability 0: clip the probabilities.")
    return own
