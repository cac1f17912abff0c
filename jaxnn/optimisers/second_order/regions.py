"""How far a model of J is trusted, from trial to trial: rules for a damping λ and a trust radius Δ.

    nielsen      ρ > 10⁻⁴:  λ ← λ max(⅓, 1 - (2ρ - 1)³), ν ← 2;   else  λ ← λ ν, ν ← 2ν
    marquardt    ρ > 10⁻⁴:  λ ← λ/10;                             else  λ ← 10 λ
    radius       ρ < ¼:     Δ ← ¼ |s|;     ρ > ¾ and s is at the boundary:  Δ ← 2Δ

ρ is the gain ratio (`trials`).

References:
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
    Nocedal & Wright, Numerical Optimization, 2006, Algorithm 4.1.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from jaxnn.optimisers.second_order.trials import ACCEPTABLE, RELAXED

Damping: TypeAlias = tuple[Array, Array]  # λ and ν


def nielsen(region: Damping, gain: Array) -> Damping:
    """λ and ν after a trial: the better the prediction, the more λ shrinks; it grows ever faster while steps fail."""
    damping, growth = region
    taken = gain > ACCEPTABLE
    shrunk = damping * jnp.maximum(1 / 3, 1 - (2 * gain - 1) ** 3)
    return jnp.where(taken, shrunk, damping * growth), jnp.where(taken, 2.0, 2.0 * growth).astype(growth.dtype)


def marquardt(region: Damping, gain: Array) -> Damping:
    """λ / 10 after a success, 10 λ after a failure; ν is not used."""
    damping, growth = region
    return damping * jnp.where(gain > ACCEPTABLE, 0.1, 10.0).astype(damping.dtype), growth


def relaxed(region: Damping) -> Damping:
    """λ / 10 and ν = 2, if rounding hides the effect of a step."""
    damping, growth = region
    return damping / RELAXED, jnp.full_like(growth, 2)


def radius(before: Array, gain: Array, length: Array, at_boundary: Array) -> Array:
    """Δ after a trial step of that length."""
    shorter = 0.25 * jnp.where(jnp.isfinite(length), length, before)
    return jnp.where(gain < 0.25, shorter, jnp.where((gain > 0.75) & at_boundary, 2 * before, before))


DAMPING_RULES: MappingProxyType[str, Callable[[Damping, Array], Damping]] = MappingProxyType(
    {"nielsen": nielsen, "marquardt": marquardt}
)
