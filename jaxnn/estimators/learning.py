"""From X and y to trained networks: the split, the preprocessing, the recipe, the training.

Where n is the number of rows of weight > 0:

    n ≥ 50    the defaults of `jaxnn train`: batches, a fifth of the rows held out to choose the best epoch, float32
    n < 50    a fifth would be fewer than 10 rows, which decide nothing, and batches would be noise: all rows in every
              step, none held out, and float64, which costs nothing here; float32 for an X of float32

Below 50 rows a run therefore depends neither on the order of the rows nor, where the given weights count rows, on
whether equal rows are repeated or weighted.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, data, experiments, optimisers, training
from jaxnn.estimators import names, objectives, tables
from jaxnn.estimators.names import Choices, given
from jaxnn.estimators.targets import Targets
from jaxnn.experiments import network as networks
from jaxnn.experiments.packs import train_pack
from jaxnn.experiments.recipe import check_memory, complete
from jaxnn.preprocessing.transform import Preprocessing
from jaxnn.problems import PROBLEMS, Problem

SMALL_TABLE = 50  # rows


class Given(NamedTuple):
    """Rows of weight > 0.

    Attributes:
        x: as `tables.checked` gives it.
        y: as `targets` checks it.
        weight: (n,) > 0, or None.
    """

    x: Any
    y: np.ndarray
    weight: np.ndarray | None


class Before(NamedTuple):
    """What a warm start keeps of the last `fit`: how columns and targets are read, and the networks."""

    fitted: Preprocessing
    targets: Targets
    networks: list[Any]


class Learnt(NamedTuple):
    """What `fit` learnt.

    Attributes:
        fitted: how the columns are read.
        targets: how the targets are read.
        recipe: every choice.
        networks: the parameters of each network that is averaged, as NumPy arrays, the best first.
        fit: of the best.
        unit: of the losses: J is so many times scikit-learn's.
    """

    fitted: Preprocessing
    targets: Targets
    recipe: experiments.Recipe
    networks: list[Any]
    fit: training.Fit
    unit: float


def seed_of(random_state: Any) -> int:
    """The seed of a run: a whole number is the seed, as of `jaxnn train`; a RandomState draws one; None, NumPy's own.

    Raises:
        ValueError: it is none of these.
    """
    from sklearn.utils import check_random_state

    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        checks.whole(0, random_state=random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def precision(estimator: Any, x: Any, n: int) -> str:
    """The dtype of the parameters while they are trained."""
    if given(estimator.dtype):
        return estimator.dtype
    single = getattr(x, "dtype", None) == np.float32
    return "float64" if n < SMALL_TABLE and not single else "float32"


def split(estimator: Any, n: int, *, seed: int, stratify: np.ndarray | None) -> data.Split:
    """The rows that train and those that choose the best epoch.

    Raises:
        ValueError: rows are to be held out, and fewer than two would be.
    """
    wanted = n >= SMALL_TABLE if not given(estimator.early_stopping) else bool(estimator.early_stopping)
    if not wanted:
        return data.Split(np.arange(n), np.arange(0), np.arange(0))
    fraction = estimator.validation_fraction
    if n * fraction < 2 or n * (1 - fraction) < 1:
        raise ValueError(
            f"validation_fraction={fraction:g} of {n} rows (n_samples={n}) leaves fewer than 2 rows to stop early by:"
            " give a larger one, or early_stopping=False."
        )
    return data.split(n, validation=fraction, seed=seed, stratify=stratify)


def read(
    estimator: Any, rows: Given, learn_targets: Callable[[np.ndarray, np.ndarray | None], Targets], part: data.Split,
    before: Before | None, dtype: str,
) -> tuple[experiments.Rows, Targets]:  # fmt: skip
    """The rows as a network sees them.

    Args:
        estimator: the estimator.
        rows: the rows.
        learn_targets: y and weights of training rows -> what they say.
        part: the split.
        before: for a warm start, what was learnt before; nothing is learnt of columns and targets anew.
        dtype: of inputs and numbers.
    """
    own = None if rows.weight is None else rows.weight[part.train]
    if before is not None:
        fitted, targets = before.fitted, before.targets
        y = targets.encoded(rows.y)
    else:
        targets = learn_targets(rows.y[part.train], own)
        y = targets.encoded(rows.y)
        fitted = tables.learnt(
            rows.x, _one_column(y, part.train), part.train, rows.weight, scale=bool(estimator.scale_inputs)
        )
        fitted = fitted if targets.stored is None else fitted._replace(target=targets.stored)
    x = tables.inputs(fitted, rows.x).astype(dtype)
    weight = None if own is None or rows.weight is None else (rows.weight / own.mean()).astype(dtype)
    y = y if y.dtype.kind == "i" else y.astype(dtype)
    found = experiments.Rows(fitted, problem_of(estimator, targets), "", x, y, weight, part)
    return found, targets


def _one_column(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The encoded targets as one column that varies in these rows, by which columns of X are read as of a table."""
    columns = y.reshape(len(y), -1)
    varies = [j for j in range(columns.shape[1]) if np.ptp(columns[rows, j]) > 0]
    if y.ndim == 1 or not varies:
        return y if y.ndim == 1 else np.arange(len(y), dtype=float)
    return columns[:, varies[0]]


def problem_of(estimator: Any, targets: Targets) -> Problem:
    """The row of `PROBLEMS` for these targets, with the estimator's loss and the network's number of outputs."""
    problem = PROBLEMS["classes" if targets.kind == "classes" else "numbers"]
    loss = objectives.loss_of(estimator.loss, targets.kind)
    return problem._replace(loss=loss, n_outputs=lambda fitted: targets.outputs)


def with_validation(rows: experiments.Rows, targets: Targets, held: Given, dtype: str) -> experiments.Rows:
    """The rows, with the caller's own rows to choose the best epoch by."""
    x = tables.inputs(rows.preprocessing, held.x).astype(dtype)
    y = targets.encoded(held.y)
    n, m = len(rows.x), len(x)
    weight = None
    if rows.weight is not None or held.weight is not None:
        ones = (np.ones(n, dtype), np.ones(m, dtype))
        each = [own if own is not None else one for own, one in zip((rows.weight, held.weight), ones, strict=True)]
        weight = np.concatenate([part.astype(dtype) for part in each])
    part = data.Split(rows.split.train, np.arange(n, n + m), np.arange(0))
    y = np.concatenate([rows.y, y.astype(rows.y.dtype)])
    return rows._replace(x=np.concatenate([rows.x, x]), y=y, weight=weight, split=part)


def recipe_of(choice: Choices, rows: experiments.Rows, *, small: bool) -> experiments.Recipe:
    """The whole recipe: all rows in every step of a small table."""
    n = len(rows.split.train)
    chosen = dict(choice.recipe)
    if small and not choice.is_method:
        chosen.setdefault("batch_size", n)
    recipe = complete(chosen, rows=n, problem=rows.problem)
    if not len(rows.split.validation) and recipe.patience >= recipe.epochs:
        recipe = recipe._replace(patience=0)  # never reached, and then no epoch needs the loss of all rows
    check_memory(recipe, rows)
    return recipe


def built(
    rows: experiments.Rows, recipe: experiments.Recipe, *, seed: int, choice: Choices, alpha: Any, c: float,
    mean_weight: float, start: Callable[[Any], Any],
) -> networks.Network:  # fmt: skip
    """The network of a recipe, with what the estimator has of its own: optimiser, penalty, parameters to start from.

    Args:
        rows: the rows.
        recipe: the recipe.
        seed: as for `experiments.network`.
        choice: the estimator's choices.
        alpha: scikit-learn's penalty, or None.
        c: the unit of the loss.
        mean_weight: of the training rows, in the caller's own unit.
        start: initial parameters -> those to start from.
    """
    made = networks.network(rows, recipe, seed=seed)
    n = len(rows.split.train)
    steps = recipe.epochs * -(-n // recipe.batch_size)
    optimiser = names.optimiser_of(choice, made.optimiser, rate=recipe.learning_rate, steps=steps)
    config = dict(made.config)
    if optimiser is not made.optimiser:
        try:
            config["optimiser"] = optimisers.spec(optimiser)
        except ValueError:  # another library's
            del config["optimiser"]
    objective = made.objective
    own = objectives.penalty(alpha, c, recipe.batch_size * mean_weight)
    if own is not None:
        objective = dataclasses.replace(objective, penalty=own)
    return made._replace(objective=objective, optimiser=optimiser, params=start(made.params), config=config)


def started_from(params: Any, before: Any) -> Any:
    """The parameters of before, in the dtype of the new ones.

    Raises:
        ValueError: the layers have other sizes.
    """
    sizes = [tuple(leaf.shape) for leaf in jax.tree.leaves(params)]
    earlier = [tuple(leaf.shape) for leaf in jax.tree.leaves(before)]
    if sizes != earlier:
        raise ValueError(
            f"warm_start goes on with layers of shapes {earlier[::2]}, but hidden_layer_sizes now makes {sizes[::2]}:"
            " fit with warm_start=False."
        )
    return jax.tree.map(lambda new, old: jnp.asarray(old, new.dtype), params, before)


def trained(
    estimator: Any, choice: Choices, rows: experiments.Rows, targets: Targets, *, seed: int, small: bool,
    mean_weight: float, before: Before | None,
) -> Learnt:  # fmt: skip
    """Trains the network, or the networks of an ensemble, and keeps the best epoch of each."""
    recipe = recipe_of(choice, rows, small=small)
    c = objectives.unit(rows.problem.loss, targets)
    start = (lambda params: params) if before is None else lambda params: started_from(params, before.networks[0])
    build = functools.partial(
        built, choice=choice, alpha=estimator.alpha, c=c, mean_weight=mean_weight, start=start
    )  # fmt: skip
    settings: dict[str, Any] = {
        "build": build,
        "min_delta": float(estimator.tol),
        "progress": bool(estimator.verbose),
    }
    members = 1 if estimator.ensemble is None else int(estimator.ensemble)
    if members == 1:
        chosen = [networks.train(rows, recipe, seed=seed, **settings)]
    elif targets.stored is not None:
        pack = train_pack(rows, recipe, members, seed=seed, fixed=tuple(choice.recipe), **settings)
        order = sorted(np.flatnonzero(pack.counts).tolist(), key=lambda i: i != pack.best)
        chosen = [pack.trained[i] for i in order]
    else:
        jobs = [experiments.Job(rows, recipe, seed + i) for i in range(members)]
        found = experiments.train_many(jobs, **settings)
        usable = [each for each in found if each.fit.best_epoch] or found
        chosen = sorted(usable, key=lambda each: _or_infinity(each.fit.best_score))
    fit = chosen[0].fit
    if not len(fit.history.loss):
        raise ValueError(f"The network learnt nothing: {fit.stop}")
    params = [jax.tree.map(np.asarray, each.model.params) for each in chosen]
    return Learnt(rows.preprocessing, targets, recipe, params, fit, c)


def _or_infinity(score: float) -> float:
    return score if math.isfinite(score) else math.inf
