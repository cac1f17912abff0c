"""Moré and Sorensen's method: finds λ such that s(λ) = -(H + λI)⁻¹ g has a given length, by Cholesky factors only.

Since 1/|s(λ)| is nearly linear in λ, Newton's method solves, with ℓ = Δ for a ball and ℓ = λ/σ for a cubic penalty,

    φ(λ) = 1/|s(λ)| - 1/Δ = 0   or   λ/|s(λ)| - σ = 0,     d/dλ 1/|s| = sᵀ(H + λI)⁻¹s / |s|³

between two bounds: at the lower one there is no factor or |s| > ℓ, at the upper one |s| < ℓ.

If |s(λ)| < ℓ for every λ > -λ_min, there is no such λ (`hard_case`). A step that was lengthened to ℓ is accepted once
that costs little: at most κ (-gᵀs + λℓ²), or λℓ²/3 in the cubic model: κ times twice the reduction.

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

from jaxnn import tree
from jaxnn.optimisers.second_order.subproblems.hard_case import lengthened

TOLERANCE = 0.1  # κ: relative, for the length on the boundary and for the reduction in the hard case
ITERATIONS = 60


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
    """The step of length ℓ(λ), λ being sought between `low` and `high`; σ is None for a ball."""
    n, dtype = gradient.size, gradient.dtype
    eps, tiny = jnp.finfo(dtype).eps, jnp.finfo(dtype).tiny
    begin = jnp.cos(jnp.arange(n, dtype=dtype) ** 2)  # without a symmetry that H might have
    within = sigma is None  # a ball, in which λ = 0 is allowed

    def reduction(s: Array) -> Array:
        quadratic = -jnp.vdot(gradient, s) - 0.5 * jnp.vdot(s, hessian @ s)
        return quadratic if within else quadratic - sigma * jnp.linalg.norm(s) ** 3 / 3

    def attempt(at: _Search) -> _Search:
        lam, low, high, found = at
        factor = jnp.linalg.cholesky(hessian + lam * jnp.eye(n, dtype=dtype))
        definite = jnp.all(jnp.isfinite(factor))
        solve = lambda b: cho_solve((factor, True), b)
        s = solve(-gradient)
        norm, ell = jnp.linalg.norm(s), length(lam)
        inside = definite & (norm < ell)

        interior = inside & (lam == 0) if within else jnp.asarray(False)
        near = definite & (jnp.abs(norm - ell) <= TOLERANCE * ell)
        longer = lengthened(s, ell, hessian, lam, solve, begin)
        worth = lam * ell**2 * (1 if within else 1 / 3) - jnp.vdot(gradient, s)
        hard = inside & ~interior & (longer.cost <= TOLERANCE * worth)
        trial = jnp.where(hard, longer.step, s)
        if within:  # shorten a step that is slightly too long to the ball
            trial = trial * jnp.minimum(1.0, ell / jnp.maximum(jnp.linalg.norm(trial), tiny))
        gained = reduction(trial)
        better = definite & (gained > found.predicted)
        solved = interior | near | hard | (definite & (high - low <= eps * high))
        best, most, at_shift = tree.select(better, (trial, gained, lam), (found.step, found.predicted, found.shift))
        found = Step(best, most, at_shift, found.factorisations + 1, solved)

        high = jnp.where(inside, jnp.minimum(high, lam), high)
        low = jnp.where(inside, low, jnp.maximum(low, lam))
        low = jnp.where(definite, jnp.clip(-longer.curvature, low, high), low)
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
