"""What quasi-Newton methods share: pairs of displacements and gradient differences, and the search along a direction.

    s = θ - θ₋,  y = g - g₋        since the latest update; sᵀy is the curvature along s times ‖s‖²

A pair is usable if sᵀy > ε ‖s‖ ‖y‖: then the approximation of the inverse Hessian stays positive definite. Pairs are
made of the parameters as they are found, not of the step that was returned: a loop or a chain may have changed it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from jaxnn import linesearch, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.flat import Flat
from jaxnn.types import Params, Updates


class Pair(NamedTuple):
    """One measurement of the curvature."""

    s: Float[Array, " n"]  # displacement
    y: Float[Array, " n"]  # difference of the gradients
    usable: Bool[Array, ""]  # whether the curvature along it is positive beyond rounding


def pair(at: Flat, state: Any) -> Pair:
    """The pair from the state's `params` and `grads` to the present ones."""
    s, y = at.theta - state.params, at.gradient - state.grads
    curvature = s @ y
    positive = curvature > jnp.finfo(s.dtype).eps * tree.norm(s) * tree.norm(y)
    return Pair(s, y, positive & jnp.isfinite(curvature) & jnp.isfinite(y @ y) & (state.step > 0))


def search(
    at: Flat,
    direction: Float[Array, " n"],
    params: Params,
    value_fn: Callable[[Params], Any],
    grad: Updates,
    *,
    fresh: Bool[Array, ""],
    max_evaluations: int,
) -> tuple[Updates, Float[Array, ""], report.Report]:
    """The strong Wolfe step along a direction in ravel order.

    Args:
        at: the problem of this iteration.
        direction: d.
        params: θ.
        value_fn: J.
        grad: ∇J(θ), whatever a chain has made of the gradient since.
        fresh: no pair is known: d is minus the gradient and its length means nothing, so the first trial is 1/‖d‖,
            at most 1.
        max_evaluations: of value and gradient.

    Returns:
        The updates, their step length α, and the report. A method is at its limit if even the gradient leads nowhere.
    """
    along = ravel_pytree(tree.widen(params))[1](direction)
    first = jnp.where(fresh, jnp.minimum(1, tree.ratio(jnp.ones((), direction.dtype), tree.norm(direction))), 1)
    slope = linesearch.dot(grad, along)
    found = linesearch.strong_wolfe(
        value_fn, params, along, value=at.value, slope=slope, first=first, max_evaluations=max_evaluations
    )
    alpha = found.step_length
    told = report.start(direction.dtype)._replace(
        evaluations=found.evaluations,
        accepted=alpha > 0,
        at_limit=fresh & (alpha == 0) & (slope != 0),
    )
    return linesearch.scaled(along, alpha, grad), alpha, told
