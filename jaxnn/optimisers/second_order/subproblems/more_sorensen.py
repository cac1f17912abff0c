"""Moré and Sorensen's method: finds λ such that s(λ) = -(H + λI)⁻¹ g has a given length, by Cholesky factors only.

Since 1/|s(λ)| is nearly linear in λ, Newton's method solves, with ℓ = Δ for a ball and ℓ = λ/σ for a cubic penalty,

    φ(λ) = 1/|s(λ)| - 1/Δ = 0   or   λ/|s(λ)| - σ = 0,     d/dλ 1/|s| = sᵀ(H + λI)⁻¹s / |s|³

between two bounds: at the lower one there is no factor or |s| > ℓ, at the upper one |s| < ℓ.

The hard case: g has no component along H's lowest eigenvector z, and |s(λ)| < ℓ for all λ > -λ_min. The solution is
then s + τz with |s + τz| = ℓ. An inverse iteration with the current factor finds z, and the step is accepted once
H + λI is so nearly singular that τz costs little: τ² zᵀ(H + λI)z ≤ κ (-gᵀs + λℓ²), or λℓ²/3 in the cubic model: κ times
twice the reduction. Nothing is inverted, and no eigenvectors are computed.

References:
    Moré & Sorensen, Computing a trust region step, 1983.
    Conn, Gould & Toint, Trust Region Methods, 2000, section 7.3.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Bool, Float, Int

TOLERANCE = 0.1  # κ: relative, for the length on the boundary and for the reduction in the hard case
ITERATIONS = 60
INVERSE_ITERATIONS = 3


class Step(NamedTuple):
    """A model's minimiser."""

    step: Float[Array, " n"]
    predicted: Float[Array, ""]  # the model's reduction, ≥ 0; -∞ if no factor was found because H or g is not finite
    shift: Float[Array, ""]  # λ
    factorisations: Int[Array, ""]
    solved: Bool[Array, ""]  # to `TOLERANCE`; otherwise the step is the best one found, or 0


class _Search(NamedTuple):
    shift: Array  # the next λ to try
    low: Array
    high: Array
    found: Step


def minimiser(
    hessian: Array,
    gradient: Array,
    length: Callable[[Array], Array],
    *,
    low: Array,
    high: Array,
    sigma: Any,
) -> Step:
    """The step whose length is a given function of the shift λ, which is sought between `low` and `high`.

    Args:
        hessian: H.
        gradient: g.
        length: λ -> ℓ.
        low: the lower bound of λ.
        high: the upper bound of λ.
        sigma: σ of the cubic penalty; None for a ball.
    """
    n, dtype = gradient.size, gradient.dtype
    eps, tiny = jnp.finfo(dtype).eps, jnp.finfo(dtype).tiny
    start = jnp.cos(
        jnp.arange(n, dtype=dtype) ** 2
    )  # start of the inverse iteration, without a symmetry that H might have
    within = sigma is None  # a ball, in which λ = 0 is allowed

    def reduction(s: Array) -> Array:
        quadratic = -jnp.vdot(gradient, s) - 0.5 * jnp.vdot(s, hessian @ s)
        return quadratic if within else quadratic - sigma * jnp.linalg.norm(s) ** 3 / 3

    def attempt(at: _Search) -> _Search:
        lam, low, high, found = at
        factor = jnp.linalg.cholesky(hessian + lam * jnp.eye(n, dtype=dtype))
        definite = jnp.all(jnp.isfinite(factor))

        def solve(b: Array) -> Array:
            return cho_solve((factor, True), b)

        s = solve(-gradient)
        norm, ell = jnp.linalg.norm(s), length(lam)
        inside = definite & (norm < ell)

        z = start
        for _ in range(INVERSE_ITERATIONS):
            z = solve(z)
            z = z / jnp.linalg.norm(z)
        curvature = jnp.vdot(z, hessian @ z)  # ≥ λ_min
        along, room = jnp.vdot(s, z), jnp.maximum(ell**2 - norm**2, 0.0)
        tau = jnp.where(along < 0, -1, 1) * room / (jnp.abs(along) + jnp.sqrt(along**2 + room) + tiny)
        costs = tau**2 * jnp.maximum(curvature + lam, 0.0)

        interior = inside & (lam == 0) if within else jnp.asarray(False)
        near = definite & (jnp.abs(norm - ell) <= TOLERANCE * ell)
        worth = lam * ell**2 * (1 if within else 1 / 3) - jnp.vdot(gradient, s)
        hard = inside & ~interior & (costs <= TOLERANCE * worth)
        trial = jnp.where(hard, s + tau * z, s)
        if within:  # shorten a step that is slightly too long to the ball
            trial = trial * jnp.minimum(1.0, ell / jnp.maximum(jnp.linalg.norm(trial), tiny))
        gained = reduction(trial)
        better = definite & (gained > found.predicted)
        solved = interior | near | hard | (definite & (high - low <= eps * high))
        found = Step(
            jnp.where(better, trial, found.step),
            jnp.where(better, gained, found.predicted),
            jnp.where(better, lam, found.shift),
            found.factorisations + 1,
            solved,
        )

        high = jnp.where(inside, jnp.minimum(high, lam), high)
        low = jnp.where(inside, low, jnp.maximum(low, lam))
        low = jnp.where(definite, jnp.clip(-curvature, low, high), low)
        w = solve_triangular(factor, s, lower=True)
        rise = jnp.vdot(w, w) / jnp.maximum(norm, tiny) ** 2  # the relative derivative of 1/|s|
        newton = lam + ((norm / ell - 1) / rise if within else (sigma * norm - lam) / (1 + lam * rise))
        usable = definite & (newton > low) & (newton < high)
        between = jnp.maximum(jnp.sqrt(low * high), low + 0.01 * (high - low))
        shift = jnp.where(usable, newton, between)
        if within:
            shift = jnp.where(inside & (low <= 0) & (newton <= 0), 0.0, shift)
        return _Search(shift, low, high, found)

    none = jnp.where(jnp.any(gradient != 0), -jnp.inf, 0.0).astype(dtype)
    nothing = Step(jnp.zeros(n, dtype), none, jnp.zeros((), dtype), jnp.zeros((), jnp.int32), jnp.asarray(False))
    low = jnp.maximum(low, -jnp.min(jnp.diagonal(hessian)))
    high = jnp.maximum(high, low)
    search = _Search(low, low, high, nothing)
    going_on = lambda at: ~at.found.solved & (at.found.factorisations < ITERATIONS)
    return jax.lax.while_loop(going_on, attempt, search).found
