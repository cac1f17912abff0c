"""One iteration's problem on flat vectors: what every method that forms a matrix starts from.

The parameters θ, the gradient g and every step s are vectors of n numbers in ravel order, in float32 or wider; a trial
value J(θ + s) is taken at the very parameters that the loop would arrive at, rounded to their own dtype.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxnn import derivatives, tree
from jaxnn.optimisers.gradients import given
from jaxnn.types import Params, Updates

ROUNDINGS = 10.0  # times ε |J|
MOVES = 3.0  # times what J changes by when its parameters move by one to three roundings


class Flat(NamedTuple):
    """J near the parameters."""

    theta: Float[Array, " n"]
    gradient: Float[Array, " n"]
    value: Float[Array, ""]  # J(θ)
    rounding: Float[Array, ""]  # of J: what a difference of two values must exceed to say anything
    value_at: Callable[[Array], Array]  # s -> J(θ + s)
    updates: Callable[[Array], Updates]  # s as updates of the parameters, like the gradients


def problem(
    grads: Updates,
    params: Params | None,
    value: Any,
    value_fn: Callable[[Params], Any] | None,
    who: str,
    *,
    grad: Updates | None = None,
) -> Flat:
    """The problem of one iteration, from the words that a loop sends.

    Args:
        grads: what a chain makes of ∇J, or ∇J.
        params: θ.
        value: J(θ), if the loop has it.
        value_fn: params -> J.
        who: the method, as messages name it.
        grad: ∇J, for a method whose matrix belongs to J itself; None if it may be changed.

    Raises:
        ValueError: the parameters or `value_fn` were not given; the gradients are not J's own.
    """
    given(params, who)
    if value_fn is None:
        raise ValueError(
            f"{who} evaluates the objective: call update(grads, state, params, value=J, value_fn=params -> J), as "
            "training.step, training.fit and training.minimise do."
        )
    if grad is not None and not _same(grads, grad):
        raise ValueError(
            f"{who} needs the gradient of J itself, since its matrix is J's: put no link that changes gradients before "
            "it in a chain. Weight decay belongs into J: Objective(predict, loss, l2(strength))."
        )
    theta, _ = ravel_pytree(tree.widen(params))
    gradient, unravel = ravel_pytree(tree.widen(grads))

    def updates(step: Array) -> Updates:
        return tree.cast_like(unravel(step), grads)

    def value_at(step: Array) -> Array:
        return jnp.asarray(value_fn(tree.add(params, updates(step))), gradient.dtype)

    value = jnp.asarray(value_fn(params) if value is None else value, gradient.dtype)
    return Flat(theta, gradient, value, _rounding(theta, value, value_at), value_at, updates)


def _same(grads: Updates, grad: Updates) -> bool:
    """Whether they are the very same arrays: what a trace can tell."""
    return all(a is b for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(grad), strict=True))


def _rounding(theta: Array, value: Array, value_at: Callable[[Array], Array]) -> Array:
    """How far J is known at θ: measured by moving every parameter by one to three roundings of its own.

    By unlike numbers of them, since ±ε in two factors would leave their product where it is.

    10 ε |J| alone would be too little where residuals are small differences of large outputs: their rounding is the
    outputs', however small J is.
    """
    eps = jnp.finfo(value.dtype).eps
    moved = value_at(eps * nudges(theta.size).astype(theta.dtype) * theta)
    change = jnp.where(jnp.isfinite(moved), jnp.abs(moved - value), 0.0)
    return jnp.maximum(ROUNDINGS * eps * jnp.abs(value), MOVES * change)


def nudges(n: int) -> Array:
    """1, -2, 3, 1, … (n,): no two and no three of them add up to 0."""
    return jnp.asarray((1.0, -2.0, 3.0))[jnp.arange(n) % 3]


def size(params: Params) -> tuple[int, Any]:
    """The number of parameters, and the dtype of the arithmetic."""
    leaves = jax.tree.leaves(params)
    dtype = jnp.result_type(*(tree.wide_dtype(jnp.result_type(leaf)) for leaf in leaves)) if leaves else jnp.float32
    return tree.size(params), dtype


def hessian(
    at: Flat,
    given: Callable[..., Any] | None,
    value_fn: Callable[[Params], Any],
    objective: Any,
    params: Params,
    batch: Any,
) -> Array:
    """H at the parameters, by the user's function of (objective, params, batch), or by `derivatives.hessian` of J.

    Raises:
        ValueError: the user's function gives another shape; the matrix is over the memory budget.
    """
    n = at.theta.size
    if given is None:
        return derivatives.hessian(value_fn, params).astype(at.gradient.dtype)
    if objective is None:
        raise ValueError("A `hessian` of (objective, params, batch) needs these words, which training's loops send.")
    matrix = jnp.asarray(given(objective, params, batch))
    if matrix.shape != (n, n):
        raise ValueError(f"hessian(objective, params, batch) must be ({n}, {n}), in ravel order, got {matrix.shape}.")
    return matrix.astype(at.gradient.dtype)
