"""Saddle-free Newton: Newton's step with the absolute values of the curvatures.

With H = V diag(λ) Vᵀ:

    |H| = V diag(|λ|) Vᵀ,   d = -(|H| + αI)⁻¹ g,   θ ← θ + η d

Newton's own step -λ⁻¹ goes *up* to a saddle along directions of negative curvature; this one goes down and away, as far
as Newton's would. η = 1, or shorter until J has fallen enough. Directions without curvature, |λ| ≤ n ε max |λ|, are
left alone unless α > 0: they would be divided by nothing but rounding.

Reference:
    Dauphin et al., Identifying and attacking the saddle point problem, 2014, arXiv:1406.2572, Algorithm 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.optimisers import flat, report
from jaxnn.optimisers.descend import downhill
from jaxnn.types import Optimiser, Params, Updates


class SaddleFreeNewtonState(NamedTuple):
    """What saddle-free Newton carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    negative: Int[Array, ""]  # curvatures below zero at the latest step
    report: report.Report


def saddle_free_newton(*, hessian: Callable[..., Any] | None = None, damping: Any = 0.0) -> Optimiser:
    """Saddle-free Newton with all n curvatures, for up to a few thousand parameters.

    Args:
        hessian: (objective, params, batch) -> (n, n); by default `derivatives.hessian` of J.
        damping: α ≥ 0.

    Raises:
        ValueError: damping out of range; at the update, a Hessian over the memory budget.
    """
    checks.non_negative(damping=damping)

    def init(params: Params) -> SaddleFreeNewtonState:
        _, dtype = flat.size(params)
        return SaddleFreeNewtonState(tree.start(), jnp.ones((), dtype), tree.start(), report.start(dtype))

    def update(
        grads: Updates,
        state: SaddleFreeNewtonState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        **words: Any,
    ) -> tuple[Updates, SaddleFreeNewtonState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "saddle_free_newton", grad=grad)
        curvatures, v = jnp.linalg.eigh(flat.hessian(at, hessian, value_fn, objective, params, batch))
        size = jnp.abs(curvatures)
        nothing = at.theta.size * jnp.finfo(size.dtype).eps * jnp.max(size)
        size = jnp.where(size > nothing, size, 0.0)
        d = -v @ tree.ratio(v.T @ at.gradient, size + damping)
        step, rate, told = downhill(at, d, v @ (size * (v.T @ d)), damping=damping)
        negative = jnp.sum(curvatures < -nothing).astype(jnp.int32)
        return at.updates(step), SaddleFreeNewtonState(tree.increment(state.step), rate, negative, told)

    return Optimiser(init, update)
