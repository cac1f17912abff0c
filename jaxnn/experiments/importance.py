"""Permutation importance: how much worse a score gets when the values of one column are shuffled among the rows.

    Iⱼ = (1/R) Σᵣ s(model, rows with column j in the order of permutation r) - s(model, rows),  for errors s

The shuffled column keeps its distribution but says nothing of its row any more, nor of the other columns. Scores that
are better the higher they are, such as R², are taken with the other sign, so Iⱼ is positive where the column helps. For
a linear model and the mean squared error, E Iⱼ = 2 βⱼ² Var(xⱼ), whatever the other columns are; a column that the model
does not use has Iⱼ = 0 exactly. If two columns say the same, shuffling one tells little: the model still has the other.

References: Breiman, Random forests (2001), section 10; Fisher, Rudin & Dominici, All models are wrong, but many are
useful (2019).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, metrics, training
from jaxnn.experiments.sources import Source, source_for, with_targets_only
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PRINTED, PROBLEMS, Problem


class Importance(NamedTuple):
    """The result of `permutation_importance`, the most important column first.

    Attributes:
        columns: the columns that the model uses, C of them.
        worse: (C,), by how much the score gets worse on average if the column is shuffled, in the metric's units.
        error: (C,), the standard error of that mean over the permutations; it says nothing of other rows.
        metric: the name of the score, a key of `metrics.HIGHER_IS_BETTER`.
        score: of the rows as they are.
        n_rows: how many rows were scored.
        left_out: how many rows have no target.
    """

    columns: tuple[str, ...]
    worse: np.ndarray
    error: np.ndarray
    metric: str
    score: float
    n_rows: int
    left_out: int = 0


class Member(NamedTuple):
    """A network of the model: its share in the mean, the network without preprocessing, and its inputs (n, n_in)."""

    share: float
    network: training.Model
    fitted: Preprocessing
    x: np.ndarray


def permutation_importance(
    model: Any, rows: Any, *, repeats: int = 10, metric: str | None = None, seed: int = 0
) -> Importance:
    """Shuffles each column in turn and scores the model again.

        importance = experiments.permutation_importance(training.load("stroke.safetensors"), "new_patients.csv")
        dict(zip(importance.columns, importance.worse))

    Args:
        model: a `training.Model` or `training.Ensemble` with preprocessing.
        rows: a file or data set, read as the training rows were; or an `experiments.Source`. The target must be there;
            rows without one are left out.
        repeats: permutations of each column, ≥ 2.
        metric: a metric of the model's kind of problem; None for log loss or RMSE.
        seed: decides the permutations.

    Raises:
        ValueError: the model has no preprocessing, the rows have no target or cannot be read, or the metric is unknown
            or not defined on these rows.
        OSError, ImportError: as for `source`.
    """
    checks.whole(2, repeats=repeats)
    fitted = model.preprocessing
    if fitted is None:
        raise ValueError("The model has no preprocessing, so it cannot read columns: train it with `jaxnn train`.")
    problem = PROBLEMS[fitted.problem]
    name = (
        problem.selection
        if metric is None
        else checks.one_of(metric, {each: each for each in problem.metrics}, "metric")
    )
    found = rows if isinstance(rows, Source) else source_for(rows, fitted)
    if found.target is None:
        raise ValueError(f"{found.name!r} has no column {fitted.target_name!r}, the target, so nothing can be scored.")
    reading = found.columns._replace(target=fitted.target_name, missing=fitted.missing)
    found = with_targets_only(found._replace(columns=reading))
    targets = problem.as_targets(fitted.targets(found.target), np.float64)
    members = _members(model, found.rows)

    def scored() -> float:
        scores = problem.scores(fitted, _outputs(problem, model, members), targets, None, name)
        if PRINTED[name] not in scores:
            raise ValueError(f"The metric {name} is not defined on these rows: choose another.")
        return scores[PRINTED[name]]

    score, sign = scored(), -1.0 if metrics.HIGHER_IS_BETTER[name] else 1.0
    rng = np.random.default_rng(seed)
    columns = [column.name for column in fitted.columns if column.input_names]
    worse = np.zeros((len(columns), repeats))
    for j, column in enumerate(columns):
        for r in range(repeats):
            for _ in _shuffled(members, column, rng.permutation(len(targets))):
                worse[j, r] = sign * (scored() - score)
    mean, error = worse.mean(axis=1), worse.std(axis=1, ddof=1) / np.sqrt(repeats)
    order = np.argsort(-mean, kind="stable")
    return Importance(
        tuple(columns[j] for j in order), mean[order], error[order], name, score, len(targets), found.left_out
    )


def _members(model: Any, rows: Any) -> list[Member]:
    """The networks that count, with the inputs that each different preprocessing makes of the rows."""
    models = model.models if isinstance(model, training.Ensemble) else (model,)
    weights = np.ones(len(models)) if getattr(model, "weights", None) is None else np.asarray(model.weights, float)
    inputs: dict[Preprocessing, np.ndarray] = {}
    members = []
    for each, weight in zip(models, weights / weights.sum(), strict=True):
        if weight > 0:
            if each.preprocessing not in inputs:
                inputs[each.preprocessing] = each.preprocessing.inputs(rows)
            network = each._replace(preprocessing=None)
            members.append(Member(float(weight), network, each.preprocessing, inputs[each.preprocessing]))
    return members


def _outputs(problem: Problem, model: Any, members: list[Member]) -> np.ndarray:
    """The model's raw outputs for the inputs as they are now."""
    parts = [(each.share, each.fitted, each.network.outputs(each.x)) for each in members]
    return problem.mixture(model.preprocessing, parts) if isinstance(model, training.Ensemble) else parts[0][2]


def _shuffled(members: list[Member], column: str, order: np.ndarray) -> Iterator[None]:
    """Shuffles the inputs that a column becomes, of all members alike, until the caller is done."""
    changed: dict[int, tuple[np.ndarray, slice, np.ndarray]] = {}
    for each in members:
        start = 0
        for one in each.fitted.columns:
            stop = start + len(one.input_names)
            if one.name == column:
                changed[id(each.x)] = (each.x, slice(start, stop), each.x[:, start:stop].copy())
            start = stop
    for x, block, values in changed.values():
        x[:, block] = values[order]
    yield
    for x, block, values in changed.values():
        x[:, block] = values
