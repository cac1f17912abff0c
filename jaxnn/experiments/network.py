"""Builds and trains the network that a recipe describes."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, checks, derivatives, initialisers, metrics, mlp, optimisers, schedules, training
from jaxnn.experiments.recipe import Recipe, layer_sizes
from jaxnn.experiments.rows import Rows
from jaxnn.objective import Objective, l2

RECTIFIERS = {"relu", "leaky_relu", "absolute_value", "elu", "gelu", "silu", "softplus"}
TOP_K = 2  # k of the metric top_k_accuracy, which the command line selects by name only


class Network(NamedTuple):
    """A network before training, as `training.fit` takes it.

    Attributes:
        objective: J.
        optimiser: how it is lowered.
        params: the initial parameters.
        key: decides the order of the rows and dropout.
        config: of the saved model.
    """

    objective: Objective
    optimiser: Any
    params: Any
    key: Any
    config: dict[str, Any]


class Trained(NamedTuple):
    """A network after training.

    Attributes:
        fit: the result of `training.fit`.
        model: the network of the best epoch with its preprocessing.
    """

    fit: training.Fit
    model: training.Model


def network(rows: Rows, recipe: Recipe, *, seed: int) -> Network:
    """The network that a recipe describes.

    Args:
        rows: the rows.
        recipe: the network and how to train it.
        seed: decides the initial parameters, the order of the rows and dropout.
    """
    sizes, names = layer_sizes(recipe, rows), recipe.activations
    functions = tuple(activations.TABLE[name] for name in names)
    key, init_key = jax.random.split(jax.random.key(seed))
    if names:  # He initialisation for rectifiers, Glorot initialisation otherwise
        w_init = initialisers.he_normal if set(names) <= RECTIFIERS else initialisers.glorot_uniform
        params = mlp.init(init_key, sizes, w_init=w_init)
    else:  # zeros for a linear model, whose loss is convex
        params = (mlp.Layer(jnp.zeros(sizes), jnp.zeros(sizes[1])),)
    predict = functools.partial(mlp.apply, activation=functions)
    if recipe.dropout or recipe.input_dropout:
        predict = functools.partial(predict, dropout=(recipe.input_dropout, *(recipe.dropout,) * len(recipe.hidden)))
    penalty = l2(recipe.weight_decay) if recipe.weight_decay and recipe.follows_curvature else None
    config: dict[str, Any] = {
        "sizes": list(sizes),
        "activation": list(names),
        "problem": rows.problem.name,
        "optimiser": optimisers.spec(make_optimiser(recipe, rows=len(rows.split.train), activation=None)),
    }
    return Network(
        objective=Objective(predict, rows.problem.loss, penalty),
        optimiser=make_optimiser(recipe, rows=len(rows.split.train), activation=functions),
        params=params,
        key=key,
        config=config,
    )


def trained(network: Network, rows: Rows, fit: training.Fit) -> Trained:
    """The network after training, as a model of its best epoch."""
    return Trained(
        fit, training.Model(fit.best_params if fit.best_epoch else fit.params, network.config, rows.preprocessing)
    )


def train(
    rows: Rows,
    recipe: Recipe,
    *,
    seed: int,
    metric: str | None = None,
    build: Callable[..., Network] = network,
    **settings: Any,
) -> Trained:
    """Trains the network that a recipe describes, and keeps the epoch that does best on the validation rows.

    Args:
        rows: the rows.
        recipe: the network and how to train it.
        seed: decides the initial parameters, the order of the rows and dropout.
        metric: what decides which epoch is best: "loss" or a name in `metrics.HIGHER_IS_BETTER`. It is recorded in
            each epoch, together with the problem's first metric. With None, nothing is recorded and the loss decides.
        build: makes the network, as `network` does.
        **settings: further arguments of `training.fit`.

    Raises:
        ValueError: the metric cannot be computed for these rows; or as `training.fit` raises it.
    """
    followed = () if metric is None else followed_metrics(rows, metric)
    made = build(rows, recipe, seed=seed)
    fit = training.fit(
        made.objective,
        made.optimiser,
        made.params,
        rows.batch(rows.split.train),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        key=made.key,
        validation=rows.batch(rows.split.validation) if len(rows.split.validation) else None,
        patience=recipe.patience or None,
        metrics=followed,
        monitor=None if metric == "loss" else metric,
        **settings,
    )
    return trained(made, rows, fit)


def followed_metrics(rows: Rows, metric: str) -> tuple[str, ...]:
    """The metrics to record: the problem's first, and the requested one.

    Raises:
        ValueError: the metric does not apply to this problem, or is undefined on the rows that choose the best epoch.
    """
    known = rows.problem.metrics
    if metric != "loss" and metric not in known:
        checks.one_of(metric, metrics.HIGHER_IS_BETTER, "metric")
        raise ValueError(
            f"--metric {metric} does not apply to {rows.problem.name}: choose one of {', '.join(sorted(known))}."
        )
    names = rows.preprocessing.class_names
    if metric == "top_k_accuracy" and len(names) <= TOP_K:
        raise ValueError(
            f"--metric top_k_accuracy counts a row as correct if its class is among the {TOP_K} most probable, which"
            f" is always true with {len(names)} classes: use --metric accuracy."
        )
    if metric == "roc_auc":
        weight = None if rows.weight is None else rows.weight[rows.choosing]
        absent = np.flatnonzero(np.bincount(rows.y[rows.choosing], weight, minlength=len(names)) == 0)
        if len(absent):
            raise ValueError(
                f"--metric roc_auc needs validation rows of every class, and {names[absent[0]]!r} has none: choose"
                " log_loss, or validate on more rows."
            )
    return (known[0],) if metric in ("loss", known[0]) else (known[0], metric)


def make_optimiser(recipe: Recipe, *, rows: int, activation: Any = ()) -> Any:
    """The update rule, its schedule spread over all steps of all epochs; or the second-order method.

    Args:
        recipe: the network and how to train it.
        rows: the number of training rows.
        activation: the hidden layers' activation functions, with which Newton's Hessian is built layer by layer. With
            None it is built in the plain way, so the method can be stored by name and numbers.
    """
    if recipe.follows_curvature:
        factory = optimisers.get(recipe.optimiser)
        if activation is not None and recipe.optimiser in ("newton", "saddle_free_newton"):
            return factory(hessian=functools.partial(derivatives.mlp_hessian, activation=activation))
        return factory()
    steps = recipe.epochs * -(-rows // min(recipe.batch_size, rows))
    schedule = SCHEDULES[recipe.schedule](recipe.learning_rate, steps)
    return optimisers.get(recipe.optimiser)(schedule, weight_decay=recipe.weight_decay)


# learning rate, number of steps -> schedule over all steps, shaped to end at a small fraction of the rate.
SCHEDULES: Mapping[str, Callable[[float, int], Callable[[Any], Any] | float]] = {
    "constant": lambda rate, steps: rate,
    "exponential_decay": lambda rate, steps: schedules.exponential_decay(rate, rate=0.01, steps=steps),
    "step_decay": lambda rate, steps: schedules.step_decay(rate, rate=0.3, steps=max(1, -(-steps // 4))),
    "inverse_time": lambda rate, steps: schedules.inverse_time(rate, decay=9.0 / steps),
    "cosine": lambda rate, steps: schedules.cosine(rate, steps=steps),
    "warmup_cosine": lambda rate, steps: schedules.warmup_cosine(rate, warmup=max(1, steps // 20), steps=max(2, steps)),
    "piecewise": lambda rate, steps: schedules.piecewise(
        (rate, rate / 10, rate / 100), boundaries=(max(1, steps // 2), max(2, steps * 3 // 4))
    ),
}
