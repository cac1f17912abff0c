"""Levenberg-Marquardt: Gauss-Newton's step, damped until it reduces J.

With J(θ) = Σᵢ wᵢ ℓ(oᵢ, yᵢ) / Σ w, the outputs' Jacobian J = ∂o/∂θ, the loss's curvature Λ and g = ∇J:

    (JᵀΛJ + λ D) s = -g                       D = I, or the largest diag(JᵀΛJ) seen so far
    ρ = (J(θ) - J(θ + s)) / ½ sᵀ(λ D s - g)   gain ratio: actual reduction over the model's
    ρ > 10⁻⁴:  θ ← θ + s,  λ ← λ max(⅓, 1 - (2ρ - 1)³),  ν ← 2       Nielsen's rule; λ₀ = τ max diag(JᵀΛJ)
    else:      λ ← λ ν,  ν ← 2ν,  and again with the same JᵀΛJ

Marquardt's rule is λ ← λ/10 and λ ← 10 λ. Where a step's prediction drowns in the rounding of J although one with next
to no damping promises more than that, λ ← λ/10, ν ← 2: otherwise a λ that has grown far from the minimum never falls.
With fewer outputs than parameters, and a squared error, the system is solved in the outputs:
s = -D⁻¹Jᵀ(J D⁻¹ Jᵀ + λ I)⁻¹ r. By geodesic acceleration the step is bent along the outputs' second derivative in its
own direction: s + ½ a, (JᵀΛJ + λ D) a = -JᵀΛ ∂²o/∂s², taken where |a| ≤ ¾ |s|, lengths |D^½ ·|.

References:
    Levenberg 1944; Marquardt 1963; Moré, The Levenberg-Marquardt algorithm, 1978 (D).
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
    Transtrum & Sethna, Improvements to the Levenberg-Marquardt algorithm, 2012, arXiv:1201.5885 (geodesic).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import damping_rules, flat, least_squares, promise, trials
from jaxnn.optimisers.words import row_by_row
from jaxnn.types import Optimiser, Params, Updates


class LevenbergMarquardtState(NamedTuple):
    """What Levenberg-Marquardt carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: it has none
    damping: Float[Array, ""]  # λ of the next step
    growth: Float[Array, ""]  # ν
    scale: Float[Array, " n"]  # the diagonal of D
    report: report.Report


def levenberg_marquardt(
    *, rule: str = "nielsen", scale: str = "identity", damping: Any = 1e-3, geodesic: bool = True
) -> Optimiser:
    """Levenberg-Marquardt for an `Objective` of any convex loss: MATLAB's `trainlm`, for a squared error.

    Its update takes the words `value`, `value_fn`, `objective` and `batch`, which our loops send. The batch should be
    the same at every step: λ learns from gain ratios, which the noise of minibatches drowns.
    It can end at a saddle, whose negative curvature JᵀΛJ does not have: `verify.certify` tells.

    Args:
        rule: how λ follows the gain ratio: "nielsen" or "marquardt".
        scale: D: "identity", or "diagonal", which makes the steps independent of the parameters' units.
        damping: τ > 0; the first λ is τ max diag(JᵀΛJ), or τ where D is the diagonal.
        geodesic: bend each step by the outputs' second derivative along it, for which predict is differentiated
            forward twice.

    Raises:
        ValueError: an unknown rule or scale, damping out of range; at the update, an objective without the split, or
            whose predict has a `jax.custom_vjp` and hence no second derivative along a step.
    """
    adapt = checks.one_of(rule, {"nielsen": damping_rules.nielsen, "marquardt": damping_rules.marquardt}, "rule")
    diagonal = checks.one_of(scale, {"identity": False, "diagonal": True}, "scale")
    checks.positive(damping=damping)

    def init(params: Params) -> LevenbergMarquardtState:
        n, dtype = flat.size(params)
        one = jnp.ones((), dtype)
        told = report.start(dtype, promised=jnp.nan)
        return LevenbergMarquardtState(tree.start(), one, one, 2 * one, jnp.zeros(n, dtype), told)

    @row_by_row
    def update(
        grads: Updates,
        state: LevenbergMarquardtState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        key: Any = None,
        **words: Any,
    ) -> tuple[Updates, LevenbergMarquardtState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "levenberg_marquardt", grad=grad)
        model = least_squares.model(at, objective, params, batch, key, geodesic=geodesic)
        curvature = jnp.where(jnp.isfinite(model.diagonal), model.diagonal, 0.0)
        largest, seen = jnp.max(curvature), jnp.maximum(state.scale, curvature)
        d = jnp.where(seen > 0, seen, 1.0) if diagonal else jnp.ones_like(seen)
        first = damping * (1.0 if diagonal else jnp.where(largest > 0, largest, 1.0))
        region = (jnp.where(state.step == 0, first, state.damping), state.growth)

        taken = trials.until_taken(
            lambda region: model.step(region[0] * d),
            lambda region, gain, _: adapt(*region, gain),
            region,
            at,
        )
        promised = lambda: model.predicted(promise.little(curvature))
        taken = promise.looked_through(taken, promised, damping_rules.relaxed, at.rounding)
        smallest = jnp.min(jnp.where(curvature > 0, curvature / d, jnp.inf))
        eps, tiny = jnp.finfo(seen.dtype).eps, jnp.finfo(seen.dtype).tiny
        least = jnp.where(jnp.isfinite(smallest), eps**2 * smallest, 0.0) + tiny / eps
        lam, growth = jnp.maximum(taken.region[0], least), taken.region[1]
        after = LevenbergMarquardtState(
            tree.increment(state.step), state.learning_rate, lam, growth, seen, taken.report(lam)
        )
        return at.updates(taken.step), after

    return Optimiser(init, update)
