"""Saddle-free Newton: Newton's step with the absolute values of the curvatures.

With D^-½ H D^-½ = V diag(λ) Vᵀ:

    |H| = D^½ V diag(|λ|) Vᵀ D^½,   d = -(|H| + αD)⁻¹ g,   θ ← θ + η d          D = |diag H|, or I

Newton's own step -λ⁻¹ goes *up* to a saddle along directions of negative curvature; this one goes down and away, as far
as Newton's would. η is 1, or smaller until J decreases sufficiently. |λ| is at least 10 n ε max |λ|, because less is
rounding; if it is 0, there is no step in that direction. D = I is the paper's choice; with |diag H|, steps do not
depend on the units of the parameters.

Reference:
    Dauphin et al., Identifying and attacking the saddle point problem, 2014, arXiv:1406.2572, Algorithm 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import scaling
from jaxnn.optimisers.second_order.backtracking import backtrack
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.promise import RIDGE
from jaxnn.types import Optimiser, Scalar


class SaddleFreeNewtonState(NamedTuple):
    """What saddle-free Newton carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    negative: Int[Array, ""]  # curvatures below zero at the latest step
    scale: Float[Array, " n"]  # D, the largest |diag H| seen so far
    report: Report


@factories.optimiser
def saddle_free_newton(
    *, hessian: Callable[..., Any] | None = None, damping: Scalar = 0.0, scale: str = "diagonal"
) -> Optimiser:
    """Saddle-free Newton with a full eigendecomposition, for up to a few thousand parameters.

    Args:
        hessian: (objective, params, batch) -> (n, n); by default `derivatives.hessian` of J.
        damping: α ≥ 0.
        scale: D, "diagonal", the largest |diag H| so far, or "identity".

    Raises:
        ValueError: the scale is unknown or the damping out of range; at the update, the Hessian exceeds the
            memory budget.
    """
    checks.non_negative(damping=damping)
    metric = checks.one_of(scale, scaling.METRICS, "scale")

    def start(n: int, one: Array) -> Fields:
        return {"negative": tree.start(), "scale": jnp.zeros(n, one.dtype)}

    def step(problem: Problem, state: SaddleFreeNewtonState) -> tuple[Array, SaddleFreeNewtonState]:
        matrix = problem.hessian(hessian)
        seen = scaling.largest(state.scale, jnp.diagonal(matrix))
        root = jnp.sqrt(metric(seen))
        curvatures, v = jnp.linalg.eigh(scaling.scaled(matrix, root))
        absolute = jnp.abs(curvatures)
        nothing = RIDGE * absolute.size * jnp.finfo(absolute.dtype).eps * jnp.max(absolute)
        absolute = jnp.where(absolute > 0, jnp.maximum(absolute, nothing), 0.0)
        d = -v @ tree.ratio(v.T @ (problem.gradient / root), absolute + damping)
        step, rate, report = backtrack(problem, d / root, root * (v @ (absolute * (v.T @ d))), matrix, damping=damping)
        negative = jnp.sum(curvatures < -nothing).astype(jnp.int32)
        return step, state._replace(learning_rate=rate, negative=negative, scale=seen, report=report)

    return optimiser_of("saddle_free_newton", SaddleFreeNewtonState, step, start)
