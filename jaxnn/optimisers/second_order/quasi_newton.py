"""What quasi-Newton methods share: pairs of displacements and gradient differences, and the search along a direction.

    s = θ - θ₋,  y = g - g₋        since the latest update; sᵀy is the curvature along s times ‖s‖²

A pair is usable if sᵀy > ε ‖s‖ ‖y‖: then the approximation of the inverse Hessian stays positive definite. Pairs are
made of the parameters as they are found, not of the step that was returned: a loop or a chain may have changed it.

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
        fresh: no pair is known: d is minus the gradient, and its length means nothing; the first trial is then
            Hager and Zhang's (2005, step I0), the same in any unit of J, and of the parameters as a whole.
        max_evaluations: of value and gradient.

    Returns:
        The step α d, α, and the report. A method is at its limit if even the gradient leads nowhere.
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
    step = linesearch.scaled(along, alpha, problem.grad)  # as it was tried, to the last bit
    return ravel_pytree(tree.widen(step))[0], alpha, moved


def _first(problem: Problem) -> Float[Array, ""]:
    """ψ ‖θ‖ / ‖g‖; at θ = 0, or so near that J would not show it, ψ |J| / ‖g‖²; where that is 0 too, 1.

    Lengths are Euclidean, not the paper's largest components, so that turning the space turns the path.
    """
    norm = tree.norm(problem.gradient)
    by_params = tree.ratio(tree.norm(problem.theta), norm)
    by_value = tree.ratio(tree.ratio(jnp.abs(problem.value), norm), norm)
    visible = CAUTION * by_params * norm * norm > problem.rounding
    length = CAUTION * jnp.where(visible, by_params, by_value)
    return jnp.where((length > 0) & jnp.isfinite(length), length, 1.0)
