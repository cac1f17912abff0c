"""Which hyperparameter mattered: the share of the variance of the scores that each explains alone.

Scores are replaced by their ranks 1 … n, equal scores by the mean of theirs; a trial that diverged has the worst. With
group g the trials that had one value of a hyperparameter, R̄_g its mean rank and k the number of groups,

    η² = Σ_g n_g (R̄_g - R̄)² / Σ_i (R_i - R̄)²        the share of the variance between the groups
    ε² = 1 - (1 - η²) (n - 1) / (n - k)               the same without what chance alone puts there

This is a one-way analysis of variance of ranks: η² (n - 1) is Kruskal and Wallis's H. Ranks, because losses are
skewed and a learning rate that is too high may cost a million times what matters among the others, or no number at all:
such a trial is last, no more and no less. The shares are the same for every increasing function of the score.

η² is (k - 1)/(n - 1) on average for a hyperparameter that does nothing, so after random trials ε² is reported,
which is then 0 on average, and 0 where it is negative. In a full grid every value meets every combination of the
others, so nothing is left to chance: there η² is exact, and what the shares lack to 1 is due to interactions and noise.

Numbers that took more than `BINS` values in random trials are put into as many bins of about as many trials each, in
their order.

References:
    Kruskal & Wallis, Use of ranks in one-criterion variance analysis (1952).
    Kelley, An unbiased correlation ratio measure (1935): ε². Hays, Statistics (1963), has ω², which is more biased:
    Okada, Is omega squared less biased? (2013).
    Hutter, Hoos & Leyton-Brown, An efficient approach for assessing hyperparameter importance (2014): main effects as
    shares of variance, there of a fitted forest.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

BINS = 4


class Importance(NamedTuple):
    """How much a hyperparameter mattered.

    Attributes:
        name: of the hyperparameter.
        share: of the variance of the ranks, in [0, 1].
        values: of each group, the value that its trials had; for bins, the (least, greatest).
        means: of each group, the mean of its finite scores; nan if there is none.
        counts: of each group, the number of its trials.
    """

    name: str
    share: float
    values: tuple[Any, ...]
    means: tuple[float, ...]
    counts: tuple[int, ...]


def importance(
    choices: Sequence[Mapping[str, Any]], scores: Sequence[float], *, higher_is_better: bool = False
) -> tuple[Importance, ...]:
    """The importance of each hyperparameter that took more than one value, the greatest first.

    Hyperparameters that always changed together, such as the structure of blocks of trials, have the same share, and
    the trials cannot say which of them mattered.

    Args:
        choices: for each trial, hyperparameter -> value: a whole recipe, defaults filled in. Where one lacks a
            hyperparameter, it is left out for this one.
        scores: (n,), one for each trial; those that are not finite are the worst.
        higher_is_better: whether higher scores are better.

    Returns:
        One for each hyperparameter that varied; all shares are 0 if the scores are equal.

    Raises:
        ValueError: there are more or fewer scores than trials.
    """
    if len(choices) != len(scores):
        raise ValueError(f"Each trial must have a score, got {len(choices)} trials and {len(scores)} scores.")
    score = np.asarray(scores, np.float64)
    rank = ranks(-score if higher_is_better else score)
    names = dict.fromkeys(name for each in choices for name in each)
    columns = {name: [_hashable(each.get(name)) for each in choices] for name in names}
    columns = {name: column for name, column in columns.items() if len({*column} - {None}) > 1}
    grid = _is_full_grid(columns)
    found = [_importance(name, column, score, rank, exact=grid) for name, column in columns.items()]
    return tuple(sorted(found, key=lambda each: -each.share))


def ranks(values: Any) -> np.ndarray:
    """Ranks (n,) from 1, float64; equal values have the mean of theirs, and those not finite are equal and last."""
    values = np.asarray(values, np.float64)
    _, place, counts = np.unique(np.where(np.isfinite(values), values, np.inf), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def share_explained(groups: Any, values: Any, *, exact: bool = False) -> float:
    """ε², in [0, 1], or η² if `exact`, of values (n,) in groups (n,) numbered from 0.

    0 where nothing can be said: values or groups do not differ, or each has a group of its own.
    """
    values, groups = np.asarray(values, np.float64), np.asarray(groups)
    counts = np.bincount(groups)
    counts, n = counts[counts > 0], len(values)
    total = float(np.sum((values - values.mean()) ** 2)) if n else 0.0
    if total == 0 or len(counts) < 2:
        return 0.0
    sums = np.bincount(groups, values - values.mean())
    between = float(np.sum(sums[np.bincount(groups) > 0] ** 2 / counts)) / total
    if exact:
        return min(between, 1.0)
    if n == len(counts):
        return 0.0
    return min(max(1 - (1 - between) * (n - 1) / (n - len(counts)), 0.0), 1.0)


def _importance(name: str, column: list[Any], score: np.ndarray, rank: np.ndarray, *, exact: bool) -> Importance:
    """The importance of one hyperparameter from its values."""
    here = np.array([value is not None for value in column])
    values, score = [value for value in column if value is not None], score[here]
    labels: list[Any]
    if all(map(_is_number, values)):
        if not exact and len(set(values)) > BINS:
            groups, labels = _binned(np.array(values, np.float64))
        else:
            labels = sorted(set(values))
            groups = np.array([labels.index(value) for value in values])
    else:
        labels = list(dict.fromkeys(values))
        groups = np.array([labels.index(value) for value in values])
    counts = np.bincount(groups, minlength=len(labels))
    means = [_mean(score[groups == g]) for g in range(len(labels))]
    share = share_explained(groups, rank[here], exact=exact)
    return Importance(name, share, tuple(labels), tuple(means), tuple(counts.tolist()))


def _binned(values: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Groups (n,) of about equally many values in order, equal ones together; and the (least, greatest) of each."""
    bins = max(1, min(BINS, len(values) // 2))
    _, groups = np.unique((bins * (ranks(values) - 0.5) / len(values)).astype(int), return_inverse=True)
    parts = [values[groups == g] for g in range(groups.max() + 1)]
    return groups, [(float(part.min()), float(part.max())) for part in parts]


def _is_full_grid(columns: Mapping[str, list[Any]]) -> bool:
    """Whether the trials are all combinations of the values, each equally often.

    Many values of a single number are no grid: they can be binned, which tells a trend from noise.
    """
    if not columns or (len(columns) == 1 and any(len(set(column)) > BINS for column in columns.values())):
        return False
    combinations = Counter(zip(*columns.values(), strict=True))
    whole = math.prod(len(set(column)) for column in columns.values())
    return len(combinations) == whole and len(set(combinations.values())) == 1


def _mean(scores: np.ndarray) -> float:
    finite = scores[np.isfinite(scores)]
    return float(finite.mean()) if len(finite) else math.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
