"""Split conformal prediction: ranges and sets of classes that hold the truth of a new row with a given probability.

Of n rows that had no part in training, each has a score s, which says how badly its target agrees with what the model
predicts. q is the ⌈(n + 1) level⌉-th smallest of them:

    numbers    s = |y - ŷ|           the range ŷ ± q
    counts     s = |y - ŷ| / √ŷ      the range ŷ ± q √ŷ, from 0 on
    classes    s = 1 - p_y, or 0 if y is the most probable class; the set of those whose s is at most q

If the new row and the n rows are exchangeable, such as drawn at random from one table, its truth is in there with a
probability of at least `level`, whatever the model is; without ties, of at most level + 1/(n + 1). That is an average
over rows and over calibrations: it promises nothing for a single row, for a group of rows, or for rows of another
source. Ranges of numbers are equally wide everywhere.

    held = conformal.calibrated(model, table, targets)     a model that has them; `jaxnn train` takes the test rows
    conformal.regions(held, new_table, level=0.9)          {"lower": …, "upper": …} or {"classes": …}

Vovk, Gammerman and Shafer, Algorithmic learning in a random world (2005); Lei, G'Sell, Rinaldo, Tibshirani and
Wasserman, Distribution-free predictive inference for regression (2018), section 2; Sadinle, Lei and Wasserman, Least
ambiguous set-valued classifiers with bounded error levels (2019).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PROBLEMS, Problem

PERCENT = range(50, 100)  # levels that a model can have


class Calibration(NamedTuple):
    """What the held-out rows say.

    Attributes:
        rows: n, how many there were.
        thresholds: q for each level in `PERCENT`, in that order; infinity where n rows are too few.
    """

    rows: int
    thresholds: tuple[float, ...]

    def to_spec(self) -> dict[str, Any]:
        """The same in JSON's types, without the levels for which there are too few rows."""
        return {"rows": self.rows, "thresholds": [each for each in self.thresholds if math.isfinite(each)]}


def from_spec(spec: Any) -> Calibration:
    """The calibration from its stored description.

    Raises:
        ValueError: it is damaged.
    """
    rows, thresholds = (spec.get(key) for key in ("rows", "thresholds")) if isinstance(spec, Mapping) else (None, None)
    numbers = isinstance(thresholds, list) and all(type(each) in (int, float) for each in thresholds)
    if type(rows) is not int or not numbers or thresholds is None or len(thresholds) > len(PERCENT):
        raise ValueError("The stored intervals must have a number of rows and a list of thresholds.")
    if not all(0 <= each < math.inf for each in thresholds) or sorted(thresholds) != thresholds:
        raise ValueError("The stored thresholds of intervals must be finite numbers ≥ 0 that do not fall.")
    if rows < 0 or len(thresholds) > sum(rank <= rows for rank in _ranks(rows)):
        raise ValueError(f"The stored intervals have {len(thresholds)} thresholds, more than {rows} rows can have.")
    return Calibration(rows, (*thresholds, *(math.inf,) * (len(PERCENT) - len(thresholds))))


def calibration(problem: Problem, fitted: Preprocessing, outputs: Any, targets: Any) -> Calibration:
    """What held-out rows say.

    Args:
        problem: the kind of problem.
        fitted: the model's preprocessing.
        outputs: the model's raw outputs for these rows, (n, n_out).
        targets: as the loss takes them.
    """
    scores = np.sort(problem.nonconformity(fitted, np.asarray(outputs, np.float64), np.asarray(targets)))
    n = len(scores)
    return Calibration(n, tuple(float(scores[rank - 1]) if rank <= n else math.inf for rank in _ranks(n)))


def _ranks(n: int) -> list[int]:
    """⌈(n + 1) level⌉ for each level."""
    return [-(-(n + 1) * percent // 100) for percent in PERCENT]


def calibrated(model: Any, table: Any, targets: Any) -> Any:
    """The model with intervals calibrated on rows that had no part in its training.

    Args:
        model: a `training.Model` or `training.Ensemble` with preprocessing.
        table: the rows, as `model.predict` takes them.
        targets: their targets, as they stand in the table.

    Raises:
        ValueError: the model has no preprocessing, or as `model.predict` and `Preprocessing.targets` raise it.
    """
    fitted = _preprocessing(model)
    problem = PROBLEMS[fitted.problem]
    known = problem.as_targets(fitted.targets(targets), np.float64)
    found = calibration(problem, fitted, model.outputs(table), known).to_spec()
    if hasattr(model, "about"):  # an ensemble
        return model._replace(about={**model.about, "conformal": found})
    notes = model.config.get("about") or {}
    about = {**(notes if isinstance(notes, Mapping) else {"notes": notes}), "conformal": found}
    return model._replace(config={**model.config, "about": about})


def regions(model: Any, table: Any, *, level: float, **handling: bool) -> dict[str, Any]:
    """What holds the truth of each row with a probability of at least `level`.

    Args:
        model: a model that has been calibrated.
        table: rows, as `model.predict` takes them.
        level: a whole percentage from 0.5 to 0.99.
        **handling: `clip` and `fill_missing`, as for `model.predict`.

    Returns:
        For numbers and counts "lower" and "upper", arrays (n,) in the target's own units; for classes "classes", a list
        of n lists of labels, the most probable first.

    Raises:
        ValueError: the model has not been calibrated, or on too few rows for that level; or as `model.predict`.
    """
    fitted = _preprocessing(model)
    q = threshold(model, level)
    return PROBLEMS[fitted.problem].region(fitted, np.asarray(model.outputs(table, **handling), np.float64), q)


def threshold(model: Any, level: float) -> float:
    """The threshold q for a level.

    Raises:
        ValueError: as for `regions`.
    """
    percent = round(100 * level) if 0 <= level <= 1 else 0
    if percent not in PERCENT or abs(100 * level - percent) > 1e-6:
        raise ValueError(f"The level must be a whole percentage from 0.5 to 0.99, such as 0.9, got {level:g}.")
    about = model.config.get("about")
    if not isinstance(about, Mapping) or "conformal" not in about:
        raise ValueError(
            "The model has no intervals: they are calibrated on the test rows of `jaxnn train`, so train it with some,"
            " or use conformal.calibrated(model, rows, targets)."
        )
    found = from_spec(about["conformal"])
    q = found.thresholds[percent - PERCENT.start]
    if math.isinf(q):
        needed = least_rows(percent)
        raise ValueError(
            f"Intervals at {percent} % need at least {needed} test rows, and the model had {found.rows}: choose a lower"
            " level, or test on more rows."
        )
    return q


def least_rows(percent: int) -> int:
    """The least n of which the ⌈(n + 1) level⌉-th smallest exists: level / (1 - level), rounded up."""
    return -(-percent // (100 - percent))


def _preprocessing(model: Any) -> Preprocessing:
    if model.preprocessing is None:
        raise ValueError("The model has no preprocessing, so it cannot read tables: train it with `jaxnn train`.")
    return model.preprocessing
