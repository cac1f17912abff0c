"""Saddle-free Newton: Newton's step with the absolute values of the curvatures.

With D^-½ H D^-½ = V diag(λ) Vᵀ:

    |H| = D^½ V diag(|λ|) Vᵀ D^½,   d = -(|H| + αD)⁻¹ g,   θ ← θ + η d          D = |diag H|, or I

Newton's own step -λ⁻¹ goes *up* to a saddle along directions of negative curvature; this one goes down and away, as far
as Newton's would. η = 1, or shorter until J has fallen enough. |λ| is at least 10 n ε max |λ|: what is less is
rounding; where it is 0 there is no step. D = I is the paper's; with |diag H|, steps are the same in any units of the
parameters.

Reference:
    Dauphin et al., Identifying and attacking the saddle point problem, 2014, arXiv:1406.2572, Algorithm 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import flat
from jaxnn.optimisers.second_order.descend import downhill
from jaxnn.optimisers.second_order.promise import LITTLE
from jaxnn.types import Optimiser, Params, Updates


class SaddleFreeNewtonState(NamedTuple):
    """What saddle-free Newton carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    negative: Int[Array, ""]  # curvatures below zero at the latest step
    scale: Float[Array, " n"]  # D, the largest |diag H| seen so far
    report: report.Report


def saddle_free_newton(
    *, hessian: Callable[..., Any] | None = None, damping: Any = 0.0, scale: str = "diagonal"
) -> Optimiser:
    """Saddle-free Newton with all n curvatures, for up to a few thousand parameters.

    Args:
        hessian: (objective, params, batch) -> (n, n); by default `derivatives.hessian` of J.
        damping: α ≥ 0.
        scale: D, "diagonal", the largest |diag H| so far, or "identity".

    Raises:
        ValueError: an unknown scale, damping out of range; at the update, a Hessian over the memory budget.
    """
    checks.non_negative(damping=damping)
    diagonal = checks.one_of(scale, {"identity": False, "diagonal": True}, "scale")

    def init(params: Params) -> SaddleFreeNewtonState:
        n, dtype = flat.size(params)
        nothing, told = jnp.zeros(n, dtype), report.start(dtype, promised=jnp.nan)
        return SaddleFreeNewtonState(tree.start(), jnp.ones((), dtype), tree.start(), nothing, told)

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
        matrix = flat.hessian(at, hessian, value_fn, objective, params, batch)
        diag = jnp.abs(jnp.diagonal(matrix))
        seen = jnp.maximum(state.scale, jnp.where(jnp.isfinite(diag), diag, 0.0))
        root = jnp.sqrt(jnp.where(seen > 0, seen, 1.0)) if diagonal else jnp.ones_like(seen)
        curvatures, v = jnp.linalg.eigh(matrix / (root[:, None] * root))
        size = jnp.abs(curvatures)
        nothing = LITTLE * at.theta.size * jnp.finfo(size.dtype).eps * jnp.max(size)
        size = jnp.where(size > 0, jnp.maximum(size, nothing), 0.0)
        d = -v @ tree.ratio(v.T @ (at.gradient / root), size + damping)
        step, rate, told = downhill(at, d / root, root * (v @ (size * (v.T @ d))), matrix, damping=damping)
        negative = jnp.sum(curvatures < -nothing).astype(jnp.int32)
        return at.updates(step), SaddleFreeNewtonState(tree.increment(state.step), rate, negative, seen, told)

    return Optimiser(init, update)
