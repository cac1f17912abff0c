"""Gauss-Newton: Newton's method with the part of the Hessian that is never negative.

With outputs o, their Jacobian J = ∂o/∂θ, the loss's curvature Λ = ∂²(mean loss)/∂o² ⪰ 0 and a penalty R:

    G = JᵀΛJ + ∇²R,   (G + αI + τD) d = -∇J,   θ ← θ + η d

G is the Hessian without the outputs' own second derivatives, and near it where residuals are small. With D = diag G, τ
is the first of 0, β, 2β, … that makes the system definite: G is singular wherever parameters are redundant
(softmax's shift, more parameters than outputs). η = 1, or shorter until J has fallen enough. Where that is not safe
enough, Levenberg-Marquardt damps the step by what came true of the last one.

References:
    Gauss 1809; Schraudolph, Fast curvature matrix-vector products, 2002 (any convex loss).
    Nocedal & Wright, Numerical Optimization, 2006, section 10.3 and Algorithm 3.3.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.derivatives import gauss_newton_matrix
from jaxnn.derivatives.jacobians import needs_split
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import flat
from jaxnn.optimisers.second_order.descend import downhill
from jaxnn.optimisers.second_order.subproblems.shifted import shifted_solve
from jaxnn.optimisers.words import row_by_row
from jaxnn.types import Optimiser, Params, Updates


class GaussNewtonState(NamedTuple):
    """What Gauss-Newton carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    report: report.Report


def gauss_newton(*, damping: Any = 0.0) -> Optimiser:
    """Gauss-Newton for an `Objective` of any convex loss.

    Its update takes the words `value`, `value_fn`, `objective` and `batch`, which our loops send.
    It can end at a saddle, whose negative curvature its matrix does not have: `verify.certify` tells.

    Args:
        damping: α ≥ 0.

    Raises:
        ValueError: damping out of range; at the update, an objective without the split, or a matrix over the memory
            budget.
    """
    checks.non_negative(damping=damping)

    def init(params: Params) -> GaussNewtonState:
        _, dtype = flat.size(params)
        return GaussNewtonState(tree.start(), jnp.ones((), dtype), report.start(dtype, promised=jnp.nan))

    @row_by_row
    def update(
        grads: Updates,
        state: GaussNewtonState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        key: Any = None,
        **words: Any,
    ) -> tuple[Updates, GaussNewtonState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "gauss_newton", grad=grad)
        needs_split(objective, "gauss_newton")
        g = gauss_newton_matrix(objective, params, batch, key=key).astype(at.gradient.dtype)
        root = jnp.sqrt(jnp.where(jnp.diagonal(g) > 0, jnp.diagonal(g), 1.0))
        damped = g + damping * jnp.eye(at.theta.size, dtype=g.dtype)
        d, shift, _ = shifted_solve(damped / (root[:, None] * root), at.gradient / root, at.rounding)
        d = d / root
        step, rate, told = downhill(at, d, g @ d, g, damping=damping + shift)
        return at.updates(step), GaussNewtonState(tree.increment(state.step), rate, told)

    return Optimiser(init, update)
