"""Shared by quasi-Newton methods: pairs of displacements and gradient differences, and the line search.

    s = θ - θ₋,  y = g - g₋        since the latest update; sᵀy is the curvature along s times ‖s‖²

A pair is usable if sᵀy > ε ‖s‖ ‖y‖: then the approximate inverse Hessian stays positive definite. Pairs use the actual
parameters, not the step that was returned, because a loop or a chain may have changed it.

Reference:
    Hager & Zhang, A new conjugate gradient method with guaranteed descent and an efficient line search, 2005 (ψ).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from jaxnn import linesearch, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order.problem import Problem

CAUTION = 0.01  # ψ


class Pair(NamedTuple):
    """One measurement of the curvature."""

    s: Float[Array, " n"]  # displacement
    y: Float[Array, " n"]  # difference of the gradients
    usable: Bool[Array, ""]  # whether the curvature along it is positive beyond rounding


def pair(problem: Problem, state: Any) -> Pair:
    """The pair from the state's `params` and `grads` to the present ones."""
    s, y = problem.theta - state.params, problem.gradient - state.grads
    curvature = s @ y
    positive = curvature > jnp.finfo(s.dtype).eps * tree.norm(s) * tree.norm(y)
    return Pair(s, y, positive & jnp.isfinite(curvature) & jnp.isfinite(y @ y) & (state.step > 0))


def search(
    problem: Problem, direction: Float[Array, " n"], *, fresh: Bool[Array, ""], max_evaluations: int
) -> tuple[Float[Array, " n"], Float[Array, ""], report.Report]:
    """The strong Wolfe step along a direction.

    Args:
        problem: J near the parameters.
        direction: d.
        fresh: whether there is no pair yet. Then d is minus the gradient, whose length is arbitrary, and the first
            trial is Hager and Zhang's (2005, step I0), which does not depend on the units of J and of the parameters.
        max_evaluations: the maximum number of values and gradients.

    Returns:
        The step α d, α, and the report. The method is at its limit if even steepest descent finds no lower point.
    """
    params, along = problem.params, ravel_pytree(tree.widen(problem.params))[1](direction)
    first, slope = jnp.where(fresh, _first(problem), 1), linesearch.dot(problem.grad, along)
    found = linesearch.strong_wolfe(
        problem.value_fn, params, along, value=problem.value, slope=slope, first=first, max_evaluations=max_evaluations
    )
    alpha = found.step_length
    moved = report.start(direction.dtype)._replace(
        evaluations=found.evaluations, accepted=alpha > 0, at_limit=fresh & (alpha == 0) & (slope != 0)
    )
    step = linesearch.scaled(along, alpha, problem.grad)  # bit for bit the step that was tried
    return ravel_pytree(tree.widen(step))[0], alpha, moved


def _first(problem: Problem) -> Float[Array, ""]:
    """ψ ‖θ‖ / ‖g‖; if θ is 0, or so small that J would not change visibly, ψ |J| / ‖g‖²; if that is 0 too, 1.

    Norms are Euclidean, unlike the paper's maximum norm, so a rotation of the parameters rotates the path.
    """
    norm = tree.norm(problem.gradient)
    by_params = tree.ratio(tree.norm(problem.theta), norm)
    by_value = tree.ratio(tree.ratio(jnp.abs(problem.value), norm), norm)
    visible = CAUTION * by_params * norm * norm > problem.rounding
    length = CAUTION * jnp.where(visible, by_params, by_value)
    return jnp.where((length > 0) & jnp.isfinite(length), length, 1.0)
