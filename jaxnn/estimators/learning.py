"""From rows to trained networks: the recipe, the network and its objective, the training."""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import experiments, optimisers, training
from jaxnn.estimators import names, objectives
from jaxnn.estimators.rows import Task
from jaxnn.experiments.network import Network, Trained, network, train
from jaxnn.experiments.packs import train_pack
from jaxnn.experiments.recipe import check_memory, complete


class Learnt(NamedTuple):
    """What `fit` learnt.

    Attributes:
        recipe: every choice.
        networks: the parameters of each network that is averaged, as NumPy arrays, the best first.
        fit: of the best.
        optimiser: by name and numbers, as a model stores it; None for another library's.
    """

    recipe: experiments.Recipe
    networks: list[Any]
    fit: training.Fit
    optimiser: dict[str, Any] | None


def learn(task: Task) -> Learnt:
    """Trains the network, or the networks of an ensemble, and keeps the best epoch of each.

    Raises:
        ValueError: the loss was not finite from the start.
    """
    recipe = recipe_of(task)
    members = 1 if task.estimator.ensemble is None else int(task.estimator.ensemble)
    chosen = _trained(task, recipe, members)
    fit = chosen[0].fit
    if not len(fit.history.loss):
        raise ValueError(f"The network learnt nothing: {fit.stop}")
    params = [jax.tree.map(np.asarray, each.model.params) for each in chosen]
    return Learnt(recipe, params, fit, chosen[0].model.config.get("optimiser"))


def _trained(task: Task, recipe: experiments.Recipe, members: int) -> list[Trained]:
    """The networks that are averaged, the best first."""
    settings: dict[str, Any] = {
        "build": functools.partial(built, task=task),
        "min_delta": float(task.estimator.tol),
        "progress": bool(task.estimator.verbose),
    }
    if members == 1:
        return [train(task.rows, recipe, seed=task.seed, **settings)]
    if task.targets.stored is not None:
        pack = train_pack(task.rows, recipe, members, seed=task.seed, fixed=tuple(task.choice.recipe), **settings)
        order = sorted(np.flatnonzero(pack.counts).tolist(), key=lambda i: i != pack.best)
        return [pack.trained[i] for i in order]
    # `packs` selects by the metrics of one class or number; the networks for other targets are all averaged.
    jobs = [experiments.Job(task.rows, recipe, task.seed + i) for i in range(members)]
    found = experiments.train_many(jobs, **settings)
    usable = [each for each in found if each.fit.best_epoch] or found
    return sorted(usable, key=lambda each: each.fit.best_score if math.isfinite(each.fit.best_score) else math.inf)


def recipe_of(task: Task) -> experiments.Recipe:
    """The whole recipe. What goes on keeps its layers; of a small table, all rows are in every step."""
    n = len(task.rows.split.train)
    chosen = dict(task.choice.recipe)
    if task.before is not None:
        chosen = {name: getattr(task.before.recipe, name) for name in ("hidden", "activation")} | chosen
    if task.small and not task.choice.is_method:
        chosen.setdefault("batch_size", n)
    recipe = complete(chosen, rows=n, problem=task.rows.problem)
    if not len(task.rows.split.validation) and recipe.patience >= recipe.epochs:
        recipe = recipe._replace(patience=0)  # it cannot run out, and without it no epoch needs the loss of all rows
    check_memory(recipe, task.rows)
    return recipe


def built(rows: experiments.Rows, recipe: experiments.Recipe, *, seed: int, task: Task) -> Network:
    """The network of a recipe, with what the estimator has of its own: optimiser, penalty, where to start from.

    Args:
        rows: the rows.
        recipe: the recipe.
        seed: as for `experiments.network`.
        task: what is to be trained.
    """
    made = network(rows, recipe, seed=seed)
    steps = recipe.epochs * -(-len(rows.split.train) // recipe.batch_size)
    optimiser = names.optimiser_of(task.choice, made.optimiser, rate=recipe.learning_rate, steps=steps)
    config = dict(made.config)
    if optimiser is not made.optimiser:
        try:
            config["optimiser"] = optimisers.spec(optimiser)
        except ValueError:  # another library's, which has no name here
            del config["optimiser"]
    objective = made.objective
    penalty = objectives.penalty(task.estimator.alpha, task.unit, recipe.batch_size * task.mean_weight)
    if penalty is not None:
        objective = dataclasses.replace(objective, penalty=penalty)
    params = made.params if task.before is None else _started_from(made.params, task.before.networks[0])
    return made._replace(objective=objective, optimiser=optimiser, params=params, config=config)


def _started_from(params: Any, before: Any) -> Any:
    """The parameters of before, in the dtype of the new ones.

    Raises:
        ValueError: the layers have other sizes.
    """
    shapes, earlier = ([leaf.shape for leaf in jax.tree.leaves(each)[::2]] for each in (params, before))
    if shapes != earlier:
        raise ValueError(
            f"Training goes on with layers of shapes {earlier}, but hidden_layer_sizes now makes shapes {shapes}:"
            " fit with warm_start=False."
        )
    return jax.tree.map(lambda new, old: jnp.asarray(old, new.dtype), params, before)
