"""The exact minimiser of a possibly indefinite model, within a ball or with a cubic penalty on its length.

    trust region    min gᵀs + ½ sᵀHs  with |s| ≤ Δ
    cubic           min gᵀs + ½ sᵀHs + ⅓ σ |s|³

Both have the solution s(λ) = -(H + λI)⁻¹ g with H + λI ⪰ 0, and a λ for which |s(λ)| is a given length ℓ(λ): ℓ = Δ, or
ℓ = λ/σ (for the trust region also λ = 0 and |s| < Δ). `more_sorensen` finds it between two bounds.

Reference:
    Cartis, Gould & Toint, Adaptive cubic regularisation methods, part I, 2011, section 6.1.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn.optimisers.second_order.subproblems.more_sorensen import Step, minimiser

ROOM = 1.1  # factor on the upper bound: if g = 0 that may be -λ_min itself, at which there is no factor


def trust_region(hessian: Float[Array, "n n"], gradient: Float[Array, " n"], radius: Any) -> Step:
    """Minimises the quadratic model within the ball of radius Δ > 0; if Newton's step is inside, it is the result."""
    size, norm = jnp.linalg.norm(gradient), _norm(hessian)
    high = ROOM * (size / radius + norm)
    low = jnp.maximum(0.0, size / radius - norm)

    def length(shift: Array) -> Array:
        return jnp.full_like(shift, radius)

    return minimiser(hessian, gradient, length, low=low, high=high, sigma=None)


def cubic(hessian: Float[Array, "n n"], gradient: Float[Array, " n"], sigma: Any) -> Step:
    """Minimises the quadratic model plus ⅓ σ |s|³, σ > 0."""
    size, norm = jnp.linalg.norm(gradient), _norm(hessian)
    high = norm + jnp.sqrt(norm**2 + sigma * size)  # at the solution λ² ≤ λ |H| + σ |g|

    def length(shift: Array) -> Array:
        return shift / sigma

    return minimiser(hessian, gradient, length, low=jnp.zeros_like(high), high=high, sigma=sigma)


def _norm(hessian: Array) -> Array:
    """An upper bound of |λ| for every eigenvalue: the smaller of Frobenius norm and largest row sum."""
    return jnp.minimum(jnp.linalg.norm(hessian), jnp.max(jnp.sum(jnp.abs(hessian), axis=1)))
