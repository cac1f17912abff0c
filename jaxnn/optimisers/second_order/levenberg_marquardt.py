"""Levenberg-Marquardt: Gauss-Newton's step, damped until it reduces J.

With J(θ) = Σᵢ wᵢ ℓ(oᵢ, yᵢ) / Σ w, the outputs' Jacobian A = ∂o/∂θ, the loss's curvature Λ and g = ∇J:

    (AᵀΛA + λ D) s = -g                       D = I, or the largest diag(AᵀΛA) seen so far
    ρ = (J(θ) - J(θ + s)) / ½ sᵀ(λ D s - g)   gain ratio: actual reduction over the model's
    ρ > 10⁻⁴:  θ ← θ + s,  λ ← λ max(⅓, 1 - (2ρ - 1)³),  ν ← 2       Nielsen's rule; λ₀ = τ max diag(AᵀΛA)
    else:      λ ← λ ν,  ν ← 2ν,  and again with the same AᵀΛA

Marquardt's rule is λ ← λ/10 and λ ← 10 λ (`regions`). If a step's predicted reduction is within J's
rounding error, but a step with almost no damping would predict more, λ ← λ/10, ν ← 2; otherwise a λ that has grown far
from the minimum would never decrease. With fewer outputs than parameters and a squared error, the system is solved in
the space of outputs (`least_squares`). By default, steps have geodesic acceleration (`geodesic`).

References:
    Levenberg 1944; Marquardt 1963; Moré, The Levenberg-Marquardt algorithm, 1978 (D).
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import least_squares, promise, scaling
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.regions import DAMPING_RULES, Proposal
from jaxnn.optimisers.second_order.trials import until_taken
from jaxnn.types import Optimiser, Scalar


class LevenbergMarquardtState(NamedTuple):
    """What Levenberg-Marquardt carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: the method has none
    damping: Float[Array, ""]  # λ of the next step
    growth: Float[Array, ""]  # ν
    scale: Float[Array, " n"]  # the diagonal of D
    report: Report


@factories.optimiser
def levenberg_marquardt(
    *, rule: str = "nielsen", scale: str = "identity", damping: Scalar = 1e-3, geodesic: bool = True
) -> Optimiser:
    """Levenberg-Marquardt for an `Objective` with any convex loss; for a squared error, MATLAB's `trainlm`.

    The batch should be the same at every step, because the noise of mini-batches hides the gain ratios that adapt λ.
    The method can end at a saddle point, because AᵀΛA has no negative curvature; `verify.certify` finds out.

    Args:
        rule: how λ follows the gain ratio: "nielsen" or "marquardt".
        scale: D: "identity", or "diagonal", which makes the steps independent of the parameters' units.
        damping: τ > 0; the first λ is τ max diag(AᵀΛA), or τ if D is the diagonal.
        geodesic: whether to add geodesic acceleration, the outputs' second derivative along the step, for which predict
            must have two forward-mode derivatives.

    Raises:
        ValueError: the rule or scale is unknown, or the damping out of range; at the update, the objective is not an
            `Objective`, or its predict has a `jax.custom_vjp` and so no second derivative along a step.
    """
    damping_rule = checks.one_of(rule, DAMPING_RULES, "rule")
    metric = checks.one_of(scale, scaling.METRICS, "scale")
    checks.positive(damping=damping)

    def start(n: int, one: Array) -> Fields:
        return {"damping": one, "growth": 2 * one, "scale": jnp.zeros(n, one.dtype)}

    def step(problem: Problem, state: LevenbergMarquardtState) -> tuple[Array, LevenbergMarquardtState]:
        model = least_squares.model(problem, geodesic=geodesic)
        curvature = jnp.where(jnp.isfinite(model.diagonal), model.diagonal, 0.0)
        seen = jnp.maximum(state.scale, curvature)
        d = metric(seen)
        first = damping * (1.0 if scale == "diagonal" else scaling.positive(jnp.max(curvature)))
        region = (jnp.where(state.step == 0, first, state.damping), state.growth)

        propose = lambda region: Proposal(*model.step(region[0] * d))
        promised = lambda: model.predicted(promise.ridge(curvature))
        taken = until_taken(propose, damping_rule, region, problem, promised)
        smallest = jnp.min(jnp.where(curvature > 0, curvature / d, jnp.inf))
        eps, tiny = jnp.finfo(d.dtype).eps, jnp.finfo(d.dtype).tiny
        least = jnp.where(jnp.isfinite(smallest), eps**2 * smallest, 0.0) + tiny / eps
        lam, growth = jnp.maximum(taken.region[0], least), taken.region[1]
        report = taken.report._replace(damping=lam)
        return taken.step, state._replace(damping=lam, growth=growth, scale=seen, report=report)

    return optimiser_of("levenberg_marquardt", LevenbergMarquardtState, step, start, row_by_row=True)
