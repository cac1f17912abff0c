"""Makes a symmetric system positive definite: uses the first shift of 0, β, 2β, 4β, … that has a Cholesky factor.

    (H + τI) d = -g,   τ = 0 if all Hᵢᵢ > 0, else β - min Hᵢᵢ;   then τ ← max(2τ, β),   β = 10⁻³ max |Hᵢⱼ|

A matrix may be indefinite only because of rounding, and β then removes almost all of the step along flat directions: if
a shifted step predicts a reduction within J's rounding error, τ = ω = 10 n ε max |Hᵢⱼ| is tried instead.

Reference:
    Nocedal & Wright, Numerical Optimization, 2006, Algorithm 3.3.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int

from jaxnn.optimisers.second_order.promise import RIDGE

ATTEMPTS = 60


def shifted_solve(
    hessian: Float[Array, "n n"], gradient: Float[Array, " n"], rounding: Any = 0.0
) -> tuple[Float[Array, " n"], Float[Array, ""], Int[Array, ""]]:
    """The direction d, the shift τ and the number of factorisations; d is NaN if H is not finite."""
    identity = jnp.eye(gradient.size, dtype=gradient.dtype)
    diagonal = jnp.diagonal(hessian)
    largest = jnp.max(jnp.abs(hessian))
    size = jnp.where(largest > 0, largest, 1.0)
    beta, ridge = 1e-3 * size, RIDGE * gradient.size * jnp.finfo(gradient.dtype).eps * size
    least = jnp.min(diagonal)

    def attempt(at: Any) -> Any:
        tau, _, count = at
        factor = jnp.linalg.cholesky(hessian + tau * identity)
        good = jnp.all(jnp.isfinite(factor))
        return jnp.where(good, tau, jnp.maximum(2 * tau, beta)), factor, count + 1

    def failed(at: Any) -> Array:
        return (at[2] < ATTEMPTS) & ~jnp.all(jnp.isfinite(at[1]))

    tau = jnp.where(least > 0, 0.0, beta - least)
    begin = (tau, jnp.full_like(hessian, jnp.nan), jnp.zeros((), jnp.int32))
    tau, factor, count = jax.lax.while_loop(failed, attempt, begin)
    direction = cho_solve((factor, True), -gradient)
    faint = (tau > ridge) & (-0.5 * jnp.vdot(gradient, direction) <= rounding)

    def flat() -> tuple[Array, Array, Array]:
        factor = jnp.linalg.cholesky(hessian + ridge * identity)
        other = cho_solve((factor, True), -gradient)
        good = jnp.all(jnp.isfinite(other))
        return jnp.where(good, other, direction), jnp.where(good, ridge, tau), count + 1

    return jax.lax.cond(faint, flat, lambda: (direction, tau, count))
