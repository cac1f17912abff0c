"""What first-order rules do with a gradient beside their own formula."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import numerics, tree
from jaxnn.structure import is_zero
from jaxnn.types import Params, Updates


def descent(grads: Updates, params: Params | None, *, weight_decay: Any, maximise: bool) -> Updates:
    """The gradient to descend: in float32 or wider, -g if J is maximised, plus λθ (L2).

    L2 is added after the sign, so it shrinks the parameters whether J is minimised or maximised.

    Raises:
        ValueError: weight decay needs the parameters, and they are missing.
    """
    g = tree.widen(grads)
    if maximise:
        g = jax.tree.map(lambda g: -g, g)
    if is_zero(weight_decay):
        return g
    return jax.tree.map(lambda g, p: g + weight_decay * p.astype(g.dtype), g, given(params, "weight_decay"))


def squarable(grads: Updates) -> Updates:
    """The gradient, clipped where its square would overflow, at ±1.8e19 in float32. NaN where it is infinite itself.

    An infinite second moment would never decay, and ∞ - ∞ in its average is NaN.
    """

    def cut(g: Array) -> Array:
        largest = 0.99 * float(jnp.finfo(g.dtype).max) ** 0.5
        return jnp.clip(g, -largest, largest) + 0 * g  # 0 · ∞ is NaN, so divergence is not hidden

    return jax.tree.map(cut, grads)


def over_root(g: Array, r: Array, eps: Any, *, inside: bool) -> Array:
    """The gradient divided by a root: g / √(r + ε), or g / (√r + ε) where ε is not inside it; 0 where that is 0."""
    return numerics.ratio(g, numerics.sqrt(r + eps) if inside else numerics.sqrt(r) + eps)


def decayed(updates: Updates, params: Params | None, shrink: Any) -> Updates:
    """Updates less `shrink` times the parameters: decay that bypasses the gradient's moments.

    Raises:
        ValueError: the parameters are missing.
    """
    return jax.tree.map(lambda u, p: u - shrink * p.astype(u.dtype), updates, given(params, "weight_decay"))


def given(params: Params | None, why: str) -> Params:
    """The parameters, or a ValueError that says what they are needed for."""
    if params is None:
        raise ValueError(f"{why} needs the parameters: call update(grads, state, params).")
    return params
