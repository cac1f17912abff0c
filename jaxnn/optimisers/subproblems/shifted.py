"""A symmetric system made positive definite: the first of the shifts 0, ω, β, 2β, 4β, … that has a Cholesky factor.

    (H + τI) d = -g,   τ = 0 if all Hᵢᵢ > 0, else β - min Hᵢᵢ;   then τ ← ω, max(2τ, β),   β = 10⁻³ max |Hᵢⱼ|

ω = 10 n ε max |Hᵢⱼ| is enough for a matrix that is definite but for rounding, along whose flat directions β would leave
next to nothing of the step.

Reference:
    Nocedal & Wright, Numerical Optimization, 2006, Algorithm 3.3.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int

from jaxnn.optimisers.promise import LITTLE

ATTEMPTS = 60


def shifted_solve(
    hessian: Float[Array, "n n"], gradient: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, ""], Int[Array, ""]]:
    """The direction d, the shift τ and the number of factorisations; d is NaN where H is not finite."""
    identity = jnp.eye(gradient.size, dtype=gradient.dtype)
    diagonal = jnp.diagonal(hessian)
    largest = jnp.max(jnp.abs(hessian))
    size = jnp.where(largest > 0, largest, 1.0)
    beta, little = 1e-3 * size, LITTLE * gradient.size * jnp.finfo(gradient.dtype).eps * size
    least = jnp.min(diagonal)

    def attempt(at: Any) -> Any:
        tau, _, count = at
        factor = jnp.linalg.cholesky(hessian + tau * identity)
        good = jnp.all(jnp.isfinite(factor))
        return jnp.where(good, tau, jnp.where(tau == 0, little, jnp.maximum(2 * tau, beta))), factor, count + 1

    def failed(at: Any) -> Array:
        return (at[2] < ATTEMPTS) & ~jnp.all(jnp.isfinite(at[1]))

    tau = jnp.where(least > 0, 0.0, beta - least)
    begin = (tau, jnp.full_like(hessian, jnp.nan), jnp.zeros((), jnp.int32))
    tau, factor, count = jax.lax.while_loop(failed, attempt, begin)
    return cho_solve((factor, True), -gradient), tau, count
