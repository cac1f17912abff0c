"""The hard case of a trust region or a cubic penalty: a step that is lengthened along the lowest eigenvector.

If g has no component along H's lowest eigenvector z, s(λ) = -(H + λI)⁻¹ g may be shorter than ℓ for every λ > -λ_min.
The solution is then s + τz with |s + τz| = ℓ. An inverse iteration with the current factor of H + λI finds z, so no
eigenvectors are computed. The nearer H + λI is to singular, the less τz costs: τ² zᵀ(H + λI)z.

Reference:
    Moré & Sorensen, Computing a trust region step, 1983.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

INVERSE_ITERATIONS = 3


class Lengthened(NamedTuple):
    """A step of length ℓ."""

    step: Float[Array, " n"]  # s + τz
    cost: Float[Array, ""]  # τ² zᵀ(H + λI)z ≥ 0
    curvature: Float[Array, ""]  # zᵀHz ≥ λ_min


def lengthened(
    s: Float[Array, " n"],
    length: Float[Array, ""],
    hessian: Float[Array, "n n"],
    shift: Float[Array, ""],
    solve: Callable[[Array], Array],
    begin: Float[Array, " n"],
) -> Lengthened:
    """The step s(λ), lengthened to ℓ; `solve` is b -> (H + λI)⁻¹ b, and the inverse iteration begins with `begin`."""
    z = begin
    for _ in range(INVERSE_ITERATIONS):
        z = solve(z)
        z = z / jnp.linalg.norm(z)
    curvature = jnp.vdot(z, hessian @ z)
    along, room = jnp.vdot(s, z), jnp.maximum(length**2 - jnp.linalg.norm(s) ** 2, 0.0)
    tau = jnp.where(along < 0, -1, 1) * room / (jnp.abs(along) + jnp.sqrt(along**2 + room) + jnp.finfo(s.dtype).tiny)
    return Lengthened(s + tau * z, tau**2 * jnp.maximum(curvature + shift, 0.0), curvature)
