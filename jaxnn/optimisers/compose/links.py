"""Links for chains that keep no state: clipping, L2 decay, and no step at all.

    clip_by_global_norm    g ← g min(1, c / ‖g‖)
    clip_by_value          g ← max(-c, min(c, g)), elementwise
    add_weight_decay       g ← g + λ θ

References:
    Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 2013, arXiv:1211.5063.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order.gradients import given
from jaxnn.types import Optimiser, Params, Scalar, Strength, Updates


@factories.optimiser
def clip_by_global_norm(max_norm: Scalar) -> Optimiser:
    """Scales the whole gradient down to the norm `max_norm` > 0 if its norm is larger; its direction is unchanged.

    Raises:
        ValueError: `max_norm` is not positive.
    """
    checks.positive(max_norm=max_norm)

    def clip(grads: Updates, params: Params) -> Updates:
        del params
        norm = tree.norm(grads)
        scale = jnp.where(norm > max_norm, max_norm / jnp.where(norm > 0, norm, 1), 1)
        return tree.cast_like(jax.tree.map(lambda g: g * scale.astype(g.dtype), tree.widen(grads)), grads)

    return _stateless(clip)


@factories.optimiser
def clip_by_value(max_size: Scalar) -> Optimiser:
    """Clips every element to [-max_size, max_size], max_size > 0.

    Raises:
        ValueError: `max_size` is not positive.
    """
    checks.positive(max_size=max_size)
    return _stateless(lambda grads, _: jax.tree.map(lambda g: jnp.clip(g, -max_size, max_size).astype(g.dtype), grads))


@factories.optimiser
def add_weight_decay(weight_decay: Strength) -> Optimiser:
    """Adds λθ to the gradient, λ ≥ 0: the gradient of the L2 penalty ½ λ ‖θ‖².

    Before an adaptive rule, this is an L2 penalty; for decoupled decay use `adamw`.

    Raises:
        ValueError: the decay is negative, or `update` is called without the parameters.
    """
    checks.non_negative(weight_decay=weight_decay)

    def add(grads: Updates, params: Params) -> Updates:
        return jax.tree.map(
            lambda g, p: (g + weight_decay * p).astype(g.dtype), grads, given(params, "add_weight_decay")
        )

    return _stateless(add)


@factories.optimiser
def set_to_zero() -> Optimiser:
    """Takes no step at all; with `masked`, it freezes some of the parameters."""
    return _stateless(lambda grads, _: jax.tree.map(jnp.zeros_like, grads))


def _stateless(function: Callable[[Updates, Params], Updates]) -> Optimiser:
    def update(grads: Updates, state: Any, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        del extra
        return function(grads, params), state

    return Optimiser(lambda params: (), update)
