"""Rules for Levenberg-Marquardt's damping λ: from the gain ratio ρ, and if rounding hides ρ.

    nielsen      ρ > 10⁻⁴:  λ ← λ max(⅓, 1 - (2ρ - 1)³), ν ← 2;   else  λ ← λ ν, ν ← 2ν
    marquardt    ρ > 10⁻⁴:  λ ← λ/10;                             else  λ ← 10 λ

References:
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
"""

from collections.abc import Callable
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array

from jaxnn.optimisers.second_order.promise import RELAXED
from jaxnn.optimisers.second_order.trials import ACCEPTABLE


def nielsen(damping: Array, growth: Array, gain: Array) -> tuple[Array, Array]:
    """λ and ν after a trial: the better the prediction, the more λ shrinks; it grows ever faster while steps fail."""
    taken = gain > ACCEPTABLE
    shrunk = damping * jnp.maximum(1 / 3, 1 - (2 * gain - 1) ** 3)
    return jnp.where(taken, shrunk, damping * growth), jnp.where(taken, 2.0, 2.0 * growth).astype(growth.dtype)


def marquardt(damping: Array, growth: Array, gain: Array) -> tuple[Array, Array]:
    """λ / 10 after a success, 10 λ after a failure; ν is not used."""
    return damping * jnp.where(gain > ACCEPTABLE, 0.1, 10.0).astype(damping.dtype), growth


def relaxed(region: tuple[Array, Array]) -> tuple[Array, Array]:
    """λ / 10 and ν = 2, if rounding hides the effect of a step."""
    damping, growth = region
    return damping / RELAXED, jnp.full_like(growth, 2)


RULES: MappingProxyType[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = MappingProxyType(
    {"nielsen": nielsen, "marquardt": marquardt}
)
