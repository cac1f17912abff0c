"""Cross-validation: a recipe tried on every fold, what it says of rows that it was not trained on, and their mean."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, training
from jaxnn.experiments.folds import folded
from jaxnn.experiments.many import Job, train_many
from jaxnn.experiments.network import Trained
from jaxnn.experiments.recipe import Recipe, complete, weights_of_classes
from jaxnn.experiments.rows import Rows
from jaxnn.experiments.scores import score
from jaxnn.experiments.sources import Source, source
from jaxnn.version import __version__


class CrossValidation(NamedTuple):
    """The result of `cross_validate`.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: of each fold, with its own preprocessing.
        recipe: every choice, defaults filled in.
        fits: the result of training for each fold, and for each seed within it.
        scores: the metrics of each fit on its fold's validation rows.
        model: the mean of all these networks as one model.
        outputs: out-of-fold raw outputs (n, n_out) in the terms of `model`: for each row those of the networks that did
            not see it, averaged; nan for rows that no fold validates. The n rows are those that have a target.
        out_of_fold: the metrics of these outputs over all rows that have them.
        interrupted: the signal that ended the run, "SIGINT" or "SIGTERM"; or None.
    """

    source: Source
    rows: tuple[Rows, ...]
    recipe: Recipe
    fits: tuple[training.Fit, ...]
    scores: tuple[dict[str, float], ...]
    model: training.Ensemble
    outputs: np.ndarray
    out_of_fold: dict[str, float]
    interrupted: str | None


def cross_validate(
    rows: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    folds: Any = 5,
    seeds: int = 1,
    test: float = 0.0,
    metric: str = "loss",
    class_weight: str | Mapping[Any, float] | None = None,
    class_weight_on_validation: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> CrossValidation:
    """Trains a recipe on every fold, as few programs, and scores each network on the rows that it did not see.

        found = experiments.cross_validate("breast_cancer", {"hidden": (32,)}, folds=5)
        found.out_of_fold["accuracy"], found.model.predict(table)

    Args:
        rows: a `Source`, or anything that `source` accepts without options.
        recipe: as for `run`.
        folds: as for `folded`: a number, a `Folds`, a splitter of scikit-learn, or pairs of row numbers.
        seeds: networks for each fold, ≥ 1.
        test: fraction of the rows that no fold sees, in [0, 1).
        metric: what decides each network's best epoch, as for `run`.
        class_weight: as for `run`.
        class_weight_on_validation: as for `run`.
        seed: decides the folds; the networks have the seeds `seed`, `seed + 1`, … .
        progress: whether to print progress on standard error.

    Raises:
        ValueError, TypeError, OSError, ImportError: as `run` and `folded` raise them.
    """
    checks.whole(1, seeds=seeds)
    found = source(rows)
    parts = folded(found, folds, test=test, seed=seed)
    most = max(len(part.split.train) for part in parts)  # so that a method's batch is all rows of every fold
    whole = complete({} if recipe is None else recipe, rows=most, problem=parts[0].problem)
    jobs = [Job(part, whole, seed + i) for part in parts for i in range(seeds)]
    trained = train_many(
        jobs,
        metric=metric,
        progress=progress,
        class_weight=weights_of_classes(parts[0], class_weight),
        class_weight_on_validation=class_weight_on_validation,
    )
    model = averaged(found, trained, {"recipe": whole._asdict(), "seed": seed})
    outputs, by_fit = out_of_fold(model, jobs, trained, metric)
    known = np.flatnonzero(np.isfinite(outputs).all(axis=1))
    return CrossValidation(
        source=found,
        rows=parts,
        recipe=whole,
        fits=tuple(each.fit for each in trained),
        scores=by_fit,
        model=model,
        outputs=outputs,
        out_of_fold=score(as_read_by(model.preprocessing, parts[0], found), outputs, known, metric),
        interrupted=next((each.fit.interrupted for each in trained if each.fit.interrupted), None),
    )


def averaged(found: Source, trained: Sequence[Trained], about: Mapping[str, Any]) -> training.Ensemble:
    """The mean of networks as one model, but for those that diverged before an epoch was done.

    It reads a table's target as the first does; each reads the columns by its own preprocessing.
    """
    notes = {"jaxnn": __version__, "data": found.name, **about}
    models = tuple(each.model for each in trained if each.fit.best_epoch) or tuple(each.model for each in trained)
    return training.Ensemble(models, None, models[0].preprocessing, notes)


def as_read_by(fitted: Any, rows: Rows, found: Source) -> Rows:
    """The rows with the targets in the terms of one preprocessing."""
    targets = rows.problem.as_targets(fitted.targets(found.target), np.float32)
    return rows._replace(preprocessing=fitted, y=targets)


def out_of_fold(
    model: training.Ensemble, jobs: Sequence[Job], trained: Sequence[Trained], metric: str = "loss"
) -> tuple[np.ndarray, tuple[dict[str, float], ...]]:
    """Raw outputs (n, n_out) of each row by the networks whose fold validates it, and each network's own scores.

    A row that several networks validate, as with repeats or seeds, has the mean of what these say.
    """
    problem, fitted = jobs[0].rows.problem, model.preprocessing
    scores: list[dict[str, float]] = []
    said: list[list[np.ndarray]] = [[] for _ in jobs[0].rows.x]  # for each row, raw outputs in the ensemble's terms
    for job, each in zip(jobs, trained, strict=True):
        rows = job.rows.split.validation
        outputs = each.model._replace(preprocessing=None).outputs(job.rows.x)
        scores.append(score(job.rows, outputs, rows, metric))
        in_common = problem.mixture(fitted, [(1.0, job.rows.preprocessing, outputs[rows])])
        for row, o in zip(rows.tolist(), in_common, strict=True):
            said[row].append(o)
    whole = np.full((len(said), each.model.config["sizes"][-1]), np.nan)
    times = np.array([len(outputs) for outputs in said])
    for count in set(times.tolist()) - {0}:
        rows = np.flatnonzero(times == count)
        parts = np.array([said[row] for row in rows.tolist()])  # (rows, count, n_out)
        whole[rows] = problem.mixture(fitted, [(1 / count, fitted, parts[:, k]) for k in range(count)])
    return whole, tuple(scores)
