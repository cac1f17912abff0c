"""Packs: many networks that differ in seed and in the numbers of their recipe, the good ones averaged.

    member 0         the recipe
    other members    learning rate · 3^u and weight decay · 10^v with u, v uniform in [-1, 1]; seeds of their own
    mean             of the best quarter by their loss on the validation rows, at least of `LEAST`, of those that are
                     better than a constant

All are one program, since another number compiles nothing; so the pack has one shape, that of the recipe. What the user
has chosen stays as it is: with both numbers given, the members differ in their seeds alone.

A quarter, because it was never worse than the recipe alone on six data sets, where greedy selection from 32 members
(Caruana et al. 2004, `ensemble.greedy_selection`) fitted itself to few validation rows: docs/ensembles.md.

References:
    Caruana, Niculescu-Mizil, Crew & Ksikes, Ensemble selection from libraries of models (2004): adding the best first.
    Wenzel, Snoek, Tran & Jenatton, Hyperparameter ensembles for robustness and uncertainty quantification (2020): other
    hyperparameters make members differ more than other seeds do.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, metrics, training
from jaxnn.experiments.baselines import MODELS
from jaxnn.experiments.many import Job, train_many
from jaxnn.experiments.network import Trained
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.training.inputs import class_weights

SHARE, LEAST = 4, 4  # one in so many members is averaged, and at least so many
FACTORS = {"learning_rate": 3.0, "weight_decay": 10.0}  # the most by which a member's number differs


class Pack(NamedTuple):
    """The members of a pack.

    Attributes:
        recipes: of each member.
        trained: of each member.
        counts: 1 for each member that is averaged, 0 for the others.
        best: the number of the member with the best score on the rows that chose its epoch.
    """

    recipes: tuple[Recipe, ...]
    trained: tuple[Trained, ...]
    counts: np.ndarray
    best: int

    @property
    def interrupted(self) -> str | None:
        """The signal that ended the training of some members, or None."""
        return next((each.fit.interrupted for each in self.trained if each.fit.interrupted), None)

    @property
    def model(self) -> training.Ensemble:
        """The mean of the members that were selected, as one model."""
        taken = np.flatnonzero(self.counts)
        models = tuple(self.trained[i].model for i in taken)
        return training.Ensemble(models, self.counts[taken], models[0].preprocessing)


def recipes(recipe: Recipe, members: int, *, seed: int, fixed: Collection[str] = ()) -> tuple[Recipe, ...]:
    """The recipes of a pack: the first is the given one, the others differ in numbers that are not fixed."""
    rng = np.random.default_rng(seed)
    free = [name for name in FACTORS if name not in fixed and getattr(recipe, name) and not recipe.follows_curvature]
    found = [recipe]
    for exponents in rng.uniform(-1, 1, (members - 1, len(FACTORS))):
        powers = dict(zip(FACTORS, exponents.tolist(), strict=True))
        numbers = {name: getattr(recipe, name) * FACTORS[name] ** powers[name] for name in free}
        found.append(recipe._replace(**numbers))
    return tuple(found)


def train_pack(
    rows: Rows,
    recipe: Recipe,
    members: int,
    *,
    seed: int,
    fixed: Collection[str] = (),
    metric: str = "loss",
    class_weight: Mapping[int, float] | str | None = None,
    class_weight_on_validation: bool = True,
    progress: bool = True,
    **settings: Any,
) -> Pack:
    """Trains a pack and selects from it.

    Args:
        rows: the rows.
        recipe: of the first member.
        members: how many, ≥ 1.
        seed: of the first member, as for `network.train`; the others have seed + 1, seed + 2, … .
        fixed: fields of the recipe that all members share.
        metric: what decides each member's best epoch, and which member is best, as for `network.train`.
        class_weight: as for `train_many`.
        class_weight_on_validation: whether class weights also decide the best epochs and the selection.
        progress: whether to print progress on standard error.
        **settings: further arguments of `train_many`.

    Raises:
        ValueError: there are no members; or as `train_many` raises it.
    """
    checks.whole(1, members=members)
    chosen = recipes(recipe, members, seed=seed, fixed=fixed)
    jobs = [Job(rows, each, seed + i) for i, each in enumerate(chosen)]
    trained = train_many(
        jobs,
        metric=metric,
        class_weight=class_weight,
        class_weight_on_validation=class_weight_on_validation,
        progress=progress,
        **settings,
    )
    of_classes = class_weights(rows.y[rows.split.train], class_weight if class_weight_on_validation else None)
    return Pack(chosen, tuple(trained), selection(rows, trained, of_classes), best_member(trained, metric))


def selection(rows: Rows, trained: Sequence[Trained], class_weight: Mapping[int, float] | None = None) -> np.ndarray:
    """How often each member counts in the mean, 0 or 1: the best of them on the validation rows; all if there are none.

    A member without a finished epoch of finite score is left out, unless none has one; so is one that is no better than
    the best constant (`baselines`), unless none is, because in the mean of a few, one that went astray would count.
    """
    usable = [i for i, each in enumerate(trained) if each.fit.best_epoch] or list(range(len(trained)))
    counts = np.zeros(len(trained), int)
    if len(rows.split.validation):
        losses, constant = _losses(rows, [trained[i] for i in usable], class_weight)
        best = np.argsort(losses, kind="stable")[: max(LEAST, len(trained) // SHARE)]
        usable = [usable[i] for i in best if losses[i] < constant] or [usable[i] for i in best]
    counts[usable] = 1
    return counts


def _losses(
    rows: Rows, trained: Sequence[Trained], class_weight: Mapping[int, float] | None
) -> tuple[list[float], float]:
    """The validation loss of each member, by the metric with which the problem selects, and that of a constant."""
    chosen, problem = rows.split.validation, rows.problem
    weight = None if rows.weight is None else rows.weight[chosen]
    if class_weight is not None:
        of_classes = np.array([class_weight.get(code, 1.0) for code in rows.y[chosen].tolist()])
        weight = of_classes if weight is None else weight * of_classes

    def loss(outputs: np.ndarray) -> float:
        said = problem.averaged(None, outputs)
        return float(getattr(metrics, problem.selection)(rows.y[chosen], said, weight=weight))

    members = [loss(each.model._replace(preprocessing=None).outputs(rows.x[chosen])) for each in trained]
    return members, loss(MODELS[problem.baselines[-1]](rows).outputs[chosen])


def best_member(trained: Sequence[Trained], metric: str) -> int:
    """The number of the member with the best score; of equal ones, or if none has a score, the first."""
    scores = [metrics.sign(metric) * each.fit.best_score if each.fit.best_epoch else math.inf for each in trained]
    return int(np.argmin(np.where(np.isfinite(scores), scores, math.inf)))
