"""Newton's method: the step to the stationary point of the quadratic model, and three ways to make it safe.

With g = ∇J(θ) and H = ∇²J(θ), Algorithm 8.8:

    θ ← θ - H⁻¹ g                                   "pure", optionally with H + αI in place of H

It converges quadratically near a minimum, but also near a saddle point or a maximum: if H is indefinite, the step need
not be downhill. The other methods decrease J in every step:

    "line_search"    (H + τD) d = -g with the first τ = 0, β, 2β, … that makes H + τD positive definite;
                     θ ← θ + α d with α = 1, or smaller until J decreases sufficiently (Armijo)
    "trust_region"   s = argmin gᵀs + ½ sᵀHs within |D^½ s| ≤ Δ, also if H is indefinite; Δ follows the gain ratio
    "cubic"          s = argmin gᵀs + ½ sᵀHs + ⅓ σ |D^½ s|³; σ follows the gain ratio

Systems are solved by factorisations; no inverse is formed.

References:
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.8 and section 8.6.1.
    Nocedal & Wright, Numerical Optimization, 2006, Algorithm 3.3 (τ), Algorithm 4.1 (Δ).
    Moré & Sorensen, Computing a trust region step, 1983.
    Cartis, Gould & Toint, Adaptive cubic regularisation methods, part I, 2011.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import scaling
from jaxnn.optimisers.second_order.newton_steps import STEPS
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser, Scalar


class NewtonState(NamedTuple):
    """What Newton's method carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # α of the latest step
    region: Float[Array, ""]  # Δ or σ of the next step; α I of the pure method
    scale: Float[Array, " n"]  # D, the largest |diag H| seen so far
    report: Report


@factories.optimiser
def newton(
    *,
    method: str = "trust_region",
    hessian: Callable[..., Any] | None = None,
    damping: Scalar = 0.0,
    radius: Scalar = 10.0,
    sigma: Scalar = 1.0,
    scale: str = "diagonal",
) -> Optimiser:
    """Newton's method with the exact Hessian.

    Args:
        method: "pure", "line_search", "trust_region" or "cubic".
        hessian: a function (objective, params, batch) -> (n, n) that computes the same matrix faster, such as
            `functools.partial(derivatives.mlp_hessian, activation=jnp.tanh)`. By default `derivatives.hessian` of J.
        damping: α ≥ 0, added to the diagonal of H by "pure".
        radius: the first Δ > 0, in units of |D^½ θ|, or of 1 if that is 0.
        sigma: the first σ > 0, in units of 1/|D^½ θ|, or of 1 if D is the identity.
        scale: D: "diagonal", the largest |diag H| so far, which makes the steps independent of the parameters' units,
            or "identity".

    Raises:
        ValueError: the method or scale is unknown, or a number out of range; at the update, the Hessian exceeds the
            memory budget.
    """
    step_by = checks.one_of(method, STEPS, "method")
    metric = checks.one_of(scale, scaling.METRICS, "scale")
    checks.non_negative(damping=damping)
    checks.positive(radius=radius, sigma=sigma)
    region = {"pure": damping, "line_search": 0.0, "trust_region": radius, "cubic": sigma}[method]

    def start(n: int, one: Array) -> Fields:
        return {"region": region * one, "scale": jnp.zeros(n, one.dtype)}

    def step(problem: Problem, state: NewtonState) -> tuple[Array, NewtonState]:
        matrix = problem.hessian(hessian)
        seen = scaling.largest(state.scale, jnp.diagonal(matrix))
        d = metric(seen)
        unit = _length(problem, jnp.sqrt(d))
        first = {"trust_region": unit, "cubic": 1 / unit if scale == "diagonal" else 1.0}.get(method, 1.0)
        region = jnp.where(state.step == 0, first, 1.0) * state.region
        step, rate, region, report = step_by(problem, matrix, region, d)
        return step, state._replace(learning_rate=rate, region=region, scale=seen, report=report)

    return optimiser_of("newton", NewtonState, step, start, promised=jnp.inf)


def _length(problem: Problem, root: Array) -> Array:
    """The unit of step lengths: |D^½ θ|; if θ = 0, the length of the step to the minimum of D's model; or else 1."""
    here, step = jnp.linalg.norm(root * problem.theta), jnp.linalg.norm(problem.gradient / root)
    return jnp.where(here > 0, here, scaling.positive(step))
