"""A network made and trained by a recipe."""

import functools
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn import activations, initialisers, mlp, training
from jaxnn.derivatives.budget import machine_memory
from jaxnn.experiments.recipe import Recipe, make_optimiser
from jaxnn.experiments.rows import Rows
from jaxnn.objective import Objective, l2

RECTIFIERS = {"relu", "leaky_relu", "absolute_value", "elu", "gelu", "silu", "softplus"}
COPIES = 12  # of the parameters in a run: theirs, the gradient, two moments, the best, and the ends of two epochs


class Trained(NamedTuple):
    """A network after training.

    Attributes:
        fit: what the run left behind.
        params: those of the best epoch.
    """

    fit: training.Fit
    params: mlp.Params


def train(rows: Rows, recipe: Recipe, *, seed: int, **words: Any) -> Trained:
    """Trains a network by a recipe; what is kept is the best epoch on the validation rows.

    Args:
        rows: the rows.
        recipe: every choice.
        seed: of the first parameters, the order of the rows and dropout.
        **words: further words for `training.fit`.
    """
    functions = tuple(activations.get(name) for name in recipe.activations)
    key, init_key = jax.random.split(jax.random.key(seed))
    params = _first_params(init_key, layer_sizes(rows, recipe), recipe.activations)
    predict = functools.partial(mlp.apply, activation=functions)
    if recipe.dropout or recipe.input_dropout:
        predict = functools.partial(predict, dropout=(recipe.input_dropout, *(recipe.dropout,) * len(recipe.hidden)))
    batch = rows.batch(rows.split.train)
    penalty = l2(recipe.weight_decay) if recipe.weight_decay and recipe.follows_curvature else None
    fit = training.fit(
        Objective(predict, rows.problem.loss, penalty),
        make_optimiser(recipe, rows=len(batch[0]), activation=functions),
        params,
        batch,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        key=key,
        validation=rows.batch(rows.split.validation) if "validation" in rows.held_out else None,
        patience=recipe.patience or None,
        **words,
    )
    return Trained(fit, fit.best_params if fit.best_epoch else fit.params)


def layer_sizes(rows: Rows, recipe: Recipe) -> tuple[int, ...]:
    """n_in, hidden, …, n_out."""
    return (rows.x.shape[1], *recipe.hidden, rows.n_outputs)


def check_memory(rows: Rows, recipe: Recipe) -> None:
    """Refuses a network that this machine could not train.

    Raises:
        ValueError: its parameters, `COPIES` times in single precision, are more than half of the memory.
    """
    memory = machine_memory()
    parameters = sum((n_in + 1) * n for n_in, n in pairwise(layer_sizes(rows, recipe)))
    needed = COPIES * 4 * parameters
    if memory is not None and needed > memory / 2:
        raise ValueError(
            f"A network of {parameters:,} parameters needs about {needed / 1e9:,.1f} GB to be trained, more than half"
            f" of this machine's {memory / 1e9:,.1f} GB: give smaller --hidden layers."
        )


def _first_params(key: Any, sizes: tuple[int, ...], names: tuple[str, ...]) -> mlp.Params:
    """He's initialisation for rectifiers, Glorot's for the rest; zeros for a linear model, whose loss is convex."""
    if not names:
        return (mlp.Layer(jnp.zeros(sizes), jnp.zeros(sizes[1])),)
    w_init = initialisers.get("he_normal" if set(names) <= RECTIFIERS else "glorot_uniform")
    return jax.jit(functools.partial(mlp.init, sizes=sizes, w_init=w_init))(key)
