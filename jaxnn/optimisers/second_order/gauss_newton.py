"""Gauss-Newton: Newton's method with the positive semidefinite part of the Hessian.

With outputs o, their Jacobian A = ∂o/∂θ, the loss's curvature Λ = ∂²(mean loss)/∂o² ⪰ 0 and a penalty R:

    G = AᵀΛA + ∇²R,   (G + αI + τD) d = -∇J,   θ ← θ + η d

G is the Hessian without the outputs' own second derivatives, and close to it if residuals are small. With D = diag G, τ
is the first of 0, β, 2β, … that makes the system positive definite: G is singular if parameters are redundant
(softmax's shift, more parameters than outputs). η is 1, or smaller until J decreases sufficiently. If that is not safe
enough, Levenberg-Marquardt adapts its damping to the success of each step.

References:
    Gauss 1809; Schraudolph, Fast curvature matrix-vector products, 2002 (any convex loss).
    Nocedal & Wright, Numerical Optimization, 2006, section 10.3 and Algorithm 3.3.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import scaling
from jaxnn.optimisers.second_order.backtracking import shifted_search
from jaxnn.optimisers.second_order.optimiser import optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser, Scalar


class GaussNewtonState(NamedTuple):
    """What Gauss-Newton carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    report: Report


@factories.optimiser
def gauss_newton(*, damping: Scalar = 0.0) -> Optimiser:
    """Gauss-Newton for an `Objective` of any convex loss.

    It can end at a saddle point, because its matrix has no negative curvature; `verify.certify` finds out.

    Args:
        damping: α ≥ 0.

    Raises:
        ValueError: the damping is out of range; at the update, the objective is not an `Objective`, or the matrix
            exceeds the memory budget.
    """
    checks.non_negative(damping=damping)

    def step(problem: Problem, state: GaussNewtonState) -> tuple[Array, GaussNewtonState]:
        g = problem.gauss_newton_matrix
        damped = g + damping * jnp.eye(len(g), dtype=g.dtype)
        d = scaling.positive(jnp.diagonal(g))
        step, rate, report = shifted_search(problem, damped, g, d, damping=damping)
        return step, state._replace(learning_rate=rate, report=report)

    return optimiser_of("gauss_newton", GaussNewtonState, step, row_by_row=True)
