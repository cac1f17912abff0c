"""Newton's method: the step to the stationary point of the quadratic model, and what makes it safe.

With g = ∇J(θ) and H = ∇²J(θ), Algorithm 8.8:

    θ ← θ - H⁻¹ g                                   "pure", optionally with H + αI in place of H

It converges quadratically near a minimum, and as well near a saddle or a maximum: where H is indefinite its step need
not lead downhill. The other methods take J down at every step:

    "line_search"    (H + τD) d = -g with the first τ = 0, β, 2β, … that makes H + τD positive definite;
                     θ ← θ + α d with α = 1, or shorter until J has fallen enough (Armijo)
    "trust_region"   s = argmin gᵀs + ½ sᵀHs within |D^½ s| ≤ Δ, also where H is indefinite; Δ follows the gain ratio
    "cubic"          s = argmin gᵀs + ½ sᵀHs + ⅓ σ |D^½ s|³; σ follows the gain ratio

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
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import flat
from jaxnn.optimisers.second_order.newton_steps import METHODS
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
        sigma: the first σ > 0, in units of 1/|D^½ θ|; plain where D is the identity.
        scale: D: "diagonal", the largest |diag H| so far, which makes the steps independent of the parameters' units,
            or "identity".

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
        told = report.start(dtype, promised=jnp.inf)
        return NewtonState(tree.start(), one, region * one, jnp.zeros(n, dtype), told)

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
        d = jnp.where(seen > 0, seen, 1.0) if diagonal else jnp.ones_like(seen)
        unit = _length(at, jnp.sqrt(d))
        first = {"trust_region": unit, "cubic": 1 / unit if diagonal else 1.0}.get(method, 1.0)
        region = jnp.where(state.step == 0, first, 1.0) * state.region
        step, rate, after, told = take(at, matrix, region, d)
        return at.updates(step), NewtonState(tree.increment(state.step), rate, after, seen, told)

    return Optimiser(init, update)


def _length(at: flat.Flat, root: Array) -> Array:
    """What a step is long or short beside: |D^½ θ|; at θ = 0 the step to where D's model has its minimum; or 1."""
    here, downhill = jnp.linalg.norm(root * at.theta), jnp.linalg.norm(at.gradient / root)
    return jnp.where(here > 0, here, jnp.where(downhill > 0, downhill, 1.0))
