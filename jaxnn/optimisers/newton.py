"""Newton's method: the step to the stationary point of the quadratic model, and what makes it safe.

With g = ∇J(θ) and H = ∇²J(θ), Algorithm 8.8:

    θ ← θ - H⁻¹ g                                   "pure", optionally with H + αI in place of H

It converges quadratically near a minimum, and as well near a saddle or a maximum: where H is indefinite its step need
not lead downhill. The other methods take J down at every step:

    "line_search"    (H + τI) d = -g with the first τ = 0, β, 2β, … that makes H + τI positive definite;
                     θ ← θ + α d with α = 1, or shorter until J has fallen enough (Armijo)
    "trust_region"   s = argmin gᵀs + ½ sᵀHs within |D^½ s| ≤ Δ, also where H is indefinite; Δ follows the gain ratio
    "cubic"          s = argmin gᵀs + ½ sᵀHs + ⅓ σ |s|³; σ follows the gain ratio

Systems are solved by factors, no inverse is formed.

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

from jaxnn import checks, tree
from jaxnn.optimisers import flat, report
from jaxnn.optimisers.newton_steps import METHODS
from jaxnn.types import Optimiser, Params, Updates


class NewtonState(NamedTuple):
    """What Newton's method carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # α of the latest step
    region: Float[Array, ""]  # Δ or σ of the next step; α I of the pure method
    scale: Float[Array, " n"]  # D, the largest |diag H| seen so far
    report: report.Report


def newton(
    *,
    method: str = "trust_region",
    hessian: Callable[..., Any] | None = None,
    damping: Any = 0.0,
    radius: Any = 10.0,
    sigma: Any = 1.0,
    scale: str = "diagonal",
) -> Optimiser:
    """Newton's method with the exact Hessian.

    Args:
        method: "pure", "line_search", "trust_region" or "cubic".
        hessian: (objective, params, batch) -> (n, n), for a faster way to the same matrix, such as
            `functools.partial(derivatives.mlp_hessian, activation=jnp.tanh)`. By default `derivatives.hessian` of J.
        damping: α ≥ 0, added to the diagonal of H by "pure".
        radius: the first Δ > 0, in units of |D^½ θ|, or of 1 where that is 0.
        sigma: the first σ > 0.
        scale: D of the trust region: "diagonal", the largest |diag H| so far, which makes the steps independent of the
            parameters' units, or "identity".

    Raises:
        ValueError: an unknown method or scale, a number out of range; at the update, a Hessian over the memory budget.
    """
    take = checks.one_of(method, METHODS, "method")
    diagonal = checks.one_of(scale, {"identity": False, "diagonal": True}, "scale")
    checks.non_negative(damping=damping)
    checks.positive(radius=radius, sigma=sigma)
    region = {"pure": damping, "line_search": 0.0, "trust_region": radius, "cubic": sigma}[method]

    def init(params: Params) -> NewtonState:
        n, dtype = flat.size(params)
        one = jnp.ones((), dtype)
        return NewtonState(tree.start(), one, region * one, jnp.zeros(n, dtype), report.start(dtype))

    def update(
        grads: Updates,
        state: NewtonState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        **words: Any,
    ) -> tuple[Updates, NewtonState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "newton", grad=grad)
        matrix = flat.hessian(at, hessian, value_fn, objective, params, batch)
        diag = jnp.abs(jnp.diagonal(matrix))
        seen = jnp.maximum(state.scale, jnp.where(jnp.isfinite(diag), diag, 0.0))
        d = jnp.where(seen > 0, seen, 1.0) if diagonal and method == "trust_region" else jnp.ones_like(seen)
        first = state.step == 0
        region = state.region
        if method == "trust_region":
            length = jnp.linalg.norm(jnp.sqrt(d) * at.theta)
            region = jnp.where(first, region * jnp.where(length > 0, length, 1.0), region)
        step, rate, after, told = take(at, matrix, region, d)
        return at.updates(step), NewtonState(tree.increment(state.step), rate, after, seen, told)

    return Optimiser(init, update)
