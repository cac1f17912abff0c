"""Line searches of Newton-like methods: a direction, and backtracking along it until J decreases sufficiently."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import linesearch, tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.scaling import scaled
from jaxnn.optimisers.second_order.subproblems.shifted import shifted_solve


def shifted_search(
    problem: Problem, system: Array, matrix: Array, d: Array, *, damping: Any = 0.0
) -> tuple[Array, Array, Report]:
    """The step along -(S + τD)⁻¹ g, with the first τ that makes S + τD positive definite; S is B, damped or not."""
    root = jnp.sqrt(d)
    direction, shift, _ = shifted_solve(scaled(system, root), problem.gradient / root, problem.rounding)
    direction = direction / root
    return backtrack(problem, direction, matrix @ direction, matrix, damping=damping + shift)


def backtrack(
    problem: Problem, direction: Array, curved: Array, matrix: Array, *, damping: Any
) -> tuple[Array, Array, Report]:
    """The step α d, with α = 1, or smaller until J decreases sufficiently; no step if d is not a descent direction.

    Args:
        problem: J near the parameters.
        direction: d (n,).
        curved: B d (n,), where gᵀs + ½ sᵀBs is the model that gave d, for the predicted reduction.
        matrix: the Hessian or the Gauss-Newton matrix (n, n), for the promise.
        damping: the damping, for the report.

    Returns:
        The step (n,), α and the report.
    """
    known = jnp.all(jnp.isfinite(direction))
    direction, curved = jnp.where(known, direction, 0.0), jnp.where(known, curved, 0.0)
    slope = jnp.vdot(problem.gradient, direction)
    nowhere, value, rounding = jnp.zeros_like(direction), problem.value, problem.rounding
    found = linesearch.backtracking(problem.value_at, nowhere, direction, value=value, slope=slope, rounding=rounding)
    rate, taken, actual = found.step_length, found.found, value - found.value
    predicted = -rate * slope - 0.5 * rate**2 * jnp.vdot(direction, curved)
    faint = ~taken | (predicted <= rounding)
    left = jax.lax.cond(faint, lambda: promise.of(matrix, problem.gradient), lambda: predicted)
    report = Report(
        predicted_reduction=predicted,
        gain_ratio=tree.ratio(actual, predicted),
        damping=jnp.asarray(damping, slope.dtype),
        evaluations=found.evaluations + 1,  # for the rounding
        accepted=taken,
        at_limit=~taken & (jnp.any(problem.gradient != 0) | jnp.isinf(left)),  # a minimum is none
        within_rounding=(~taken | (jnp.abs(actual) <= rounding)) & (left <= rounding),
        promised=left,
    )
    return jnp.where(taken, rate * direction, 0.0), rate, report
