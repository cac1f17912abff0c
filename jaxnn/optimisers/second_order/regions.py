"""How far a model of J is trusted: the region of a trial, from the gain ratio ρ of the one before.

    NIELSEN      ρ > 10⁻⁴:  λ ← λ max(⅓, 1 - (2ρ - 1)³), ν ← 2;   else  λ ← λ ν, ν ← 2ν
    MARQUARDT    ρ > 10⁻⁴:  λ ← λ/10;                             else  λ ← 10 λ
    RADIUS       ρ < ¼:     Δ ← ¼ |s|;     ρ > ¾ and s is at the boundary:  Δ ← 2Δ
    SIGMA        ρ < 0.1:   σ ← 4σ;        ρ > 0.9:  σ ← ¼ σ

    FORCED       RADIUS for Δ; η ← η/10 where rounding hides what a step does

for Levenberg-Marquardt's damping λ, a trust radius Δ, the strength σ of a cubic penalty, and Δ with the factor η on
Newton-CG's tolerance.

References:
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
    Nocedal & Wright, Numerical Optimization, 2006, Algorithm 4.1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

ACCEPTABLE = 1e-4  # the least gain ratio of an accepted step
RELAXED = 10.0  # the factor on the region if rounding hides the effect of a step

Damping: TypeAlias = tuple[Array, Array]  # λ and ν
Forced: TypeAlias = tuple[Array, Array]  # Δ and the factor on η


class Proposal(NamedTuple):
    """A step to be tried."""

    step: Float[Array, " n"]
    predicted: Float[Array, ""]  # m(0) - m(s)
    length: Any = None  # |s| as a trust region measures it
    at_boundary: Any = None  # whether s ends at the boundary of that region
    products: Any = 0  # how many products with the Hessian s took


class Rule(NamedTuple):
    """How the region in which a model is trusted follows the trials."""

    adapt: Callable[[Any, Array, Proposal], Any]  # region, ρ, proposal -> region of the next trial or iteration
    relaxed: Callable[[Any], Any]  # region -> one that is `RELAXED` times as wide
    acceptable: float = ACCEPTABLE  # the least ρ of an accepted step
    keep: bool = True  # whether to keep the region if rounding hides ρ, or no step was acceptable


def nielsen(region: Damping, gain: Array, tried: Any = None) -> Damping:
    """λ and ν after a trial: the better the prediction, the more λ shrinks; it grows ever faster while steps fail."""
    del tried
    damping, growth = region
    taken = gain > ACCEPTABLE
    shrunk = damping * jnp.maximum(1 / 3, 1 - (2 * gain - 1) ** 3)
    return jnp.where(taken, shrunk, damping * growth), jnp.where(taken, 2.0, 2.0 * growth).astype(growth.dtype)


def marquardt(region: Damping, gain: Array, tried: Any = None) -> Damping:
    """λ / 10 after a success, 10 λ after a failure; ν is not used."""
    del tried
    damping, growth = region
    return damping * jnp.where(gain > ACCEPTABLE, 0.1, 10.0).astype(damping.dtype), growth


def radius(before: Array, gain: Array, tried: Proposal) -> Array:
    """Δ after a trial."""
    shorter = 0.25 * jnp.where(jnp.isfinite(tried.length), tried.length, before)
    return jnp.where(gain < 0.25, shorter, jnp.where((gain > 0.75) & tried.at_boundary, 2 * before, before))


def sigma(before: Array, gain: Array, tried: Proposal) -> Array:
    """σ after a trial."""
    del tried
    return jnp.where(gain < 0.1, 4 * before, jnp.where(gain > 0.9, 0.25 * before, before))


def _relaxed(region: Damping) -> Damping:
    damping, growth = region
    return damping / RELAXED, jnp.full_like(growth, 2)


NIELSEN, MARQUARDT = Rule(nielsen, _relaxed), Rule(marquardt, _relaxed)
RADIUS = Rule(radius, lambda radius: RELAXED * radius, acceptable=0.1)  # with 10⁻⁴, the first step may leave the basin
FORCED = Rule(
    adapt=lambda region, gain, tried: (RADIUS.adapt(region[0], gain, tried), region[1]),
    relaxed=lambda region: (RADIUS.relaxed(region[0]), region[1] / RELAXED),
    keep=False,
)
SIGMA = Rule(sigma, lambda sigma: sigma / RELAXED**2)
DAMPING_RULES = {"nielsen": NIELSEN, "marquardt": MARQUARDT}
