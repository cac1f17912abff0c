"""What all trials of a search have in common: the rows and their folds, the choices that are fixed, and the score.

A trial's score is the mean, over its networks, of the score of each one's best epoch on the rows that chose it. That is
good for comparing trials and too good as a forecast, which the test rows give: no trial sees them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, metrics
from jaxnn.experiments.folds import folded
from jaxnn.experiments.many import Job
from jaxnn.experiments.network import followed_metrics
from jaxnn.experiments.recipe import Recipe, check_memory, complete, weights_of_classes
from jaxnn.experiments.rows import Rows, split_and_preprocess
from jaxnn.experiments.sources import Source, source
from jaxnn.search.trials import ROWS
from jaxnn.version import __version__


class Task(NamedTuple):
    """What all trials of a search have in common.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: of each fold, or of the one split.
        fixed: choices that all trials share.
        metric: "loss" or a name in `metrics.HIGHER_IS_BETTER`: the score of a trial.
        seeds: networks for each fold.
        seed: the seed of the first of them; it also decides the folds.
        settings: further arguments of `train_many`: the weights of classes.
        header: what the file of trials says of the search, in JSON's types.
    """

    source: Source
    rows: tuple[Rows, ...]
    fixed: dict[str, Any]
    metric: str
    seeds: int
    seed: int
    settings: dict[str, Any]
    header: dict[str, Any]

    @property
    def sign(self) -> float:
        """What makes a lower score better: -1 where a higher one is."""
        return metrics.sign(self.metric)

    def recipe(self, choices: Mapping[str, Any]) -> Recipe:
        """The whole recipe of a trial.

        Raises:
            ValueError: a choice does not exist or does not suit the others.
        """
        most = max(len(rows.split.train) for rows in self.rows)  # so that a method's batch is all rows of every fold
        return complete({**self.fixed, **choices}, rows=most, problem=self.rows[0].problem)

    def jobs(self, choices: Mapping[str, Any]) -> list[Job]:
        """The networks of a trial: for each seed, one on every fold.

        Raises:
            ValueError: as `recipe`; or a network needs more memory than there is.
        """
        recipe = self.recipe(choices)
        check_memory(recipe, self.rows[0])
        return [Job(rows, recipe, self.seed + i) for i in range(self.seeds) for rows in self.rows]


def task(
    rows: Any,
    recipe: Mapping[str, Any] | None,
    *,
    kind: str,
    folds: Any,
    seeds: int,
    validation: float,
    test: float,
    metric: str,
    class_weight: Any,
    class_weight_on_validation: bool,
    seed: int,
) -> Task:
    """Reads and splits the rows; arguments and errors are those of `sweep`."""
    checks.whole(1, seeds=seeds)
    found, fixed = source(rows), dict(recipe or {})
    if folds is not None:
        parts = folded(found, folds, test=test, seed=seed)
    elif validation:
        parts = (split_and_preprocess(found, validation=validation, test=test, seed=seed),)
    else:
        raise ValueError("Trials are compared on validation rows: --validation must be above 0, or add --folds.")
    for part in parts:
        followed_metrics(part, metric)  # raises where the metric is undefined
    header = {
        "jaxnn": __version__,
        "kind": kind,
        "data": found.name,
        "recipe": fixed,
        "metric": metric,
        "folds": len(parts),
        "seeds": seeds,
        "seed": seed,
        "validation": validation if folds is None else None,
        "test": test,
        "class_weight": class_weight if isinstance(class_weight, str | None) else dict(class_weight),
        "class_weight_on_validation": class_weight_on_validation,
        ROWS: _digest(parts),  # last, so that what made them differ is named first
    }
    settings = {
        "class_weight": weights_of_classes(parts[0], class_weight),
        "class_weight_on_validation": class_weight_on_validation,
    }
    return Task(found, tuple(parts), fixed, metric, seeds, seed, settings, header)


def _digest(parts: tuple[Rows, ...]) -> str:
    """A digest of how the rows are split, and of what a network sees of them: inputs, targets and weights.

    Inputs to three decimals, because sums, and so scales, are rounded otherwise on other machines.
    """
    first = parts[0]
    fitted = first.preprocessing
    about = [(column.name, column.kind) for column in fitted.columns], fitted.target_name, fitted.class_names
    found = hashlib.sha256(repr(about).encode())
    for part in parts:
        for rows in part.split:
            found.update(np.ascontiguousarray(rows, np.int64).tobytes() + b"|")
    for values in (first.x, first.y, () if first.weight is None else first.weight):
        found.update(np.round(np.asarray(values, np.float64), 3).tobytes() + b"|")
    return found.hexdigest()[:16]
