"""How Levenberg-Marquardt's damping λ follows the gain ratio ρ, and what is done where rounding hides ρ.

    nielsen      ρ > 10⁻⁴:  λ ← λ max(⅓, 1 - (2ρ - 1)³), ν ← 2;   else  λ ← λ ν, ν ← 2ν
    marquardt    ρ > 10⁻⁴:  λ ← λ/10;                             else  λ ← 10 λ

References:
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, algorithm 3.16.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.optimisers.trials import ACCEPTABLE, Taken

LITTLE = 10.0  # times n ε: a damping that leaves the step and its prediction as they would be without


def nielsen(damping: Array, growth: Array, gain: Array) -> tuple[Array, Array]:
    """λ and ν after a trial: smoothly smaller the truer the model was, ever faster larger while it fails."""
    taken = gain > ACCEPTABLE
    shrunk = damping * jnp.maximum(1 / 3, 1 - (2 * gain - 1) ** 3)
    return jnp.where(taken, shrunk, damping * growth), jnp.where(taken, 2.0, 2.0 * growth).astype(growth.dtype)


def marquardt(damping: Array, growth: Array, gain: Array) -> tuple[Array, Array]:
    """λ a tenth after a success, tenfold after a failure; ν is not used."""
    return damping * jnp.where(gain > ACCEPTABLE, 0.1, 10.0).astype(damping.dtype), growth


def looked_through(
    taken: Taken,
    predicted: Callable[[Array], Array],
    curvature: Float[Array, " n"],
    rounding: Float[Array, ""],
) -> Taken:
    """What was taken. If a step without damping promises a visible gain where the damped one does not: less damping.

    λ then falls tenfold, and that promise is reported. "Without" is LITTLE n ε of each diagonal: so much that rounding
    leaves the system definite, and that the rounding of g along directions without curvature, divided by it, stays
    within J's. Under `vmap` the undamped system is solved at every step.

    Args:
        taken: the last trial; its region is (λ, ν).
        predicted: damping (n,) -> the reduction of J that the model promises.
        curvature: the diagonal of JᵀΛJ.
        rounding: of J.
    """
    little = LITTLE * curvature.size * jnp.finfo(curvature.dtype).eps * jnp.where(curvature > 0, curvature, 1.0)
    faint = taken.accepted & (taken.predicted <= rounding)
    promised = jax.lax.cond(faint, lambda: predicted(little), lambda: taken.predicted)
    veiled = faint & (promised > rounding)
    damping, growth = taken.region
    return taken._replace(
        predicted=jnp.where(veiled, promised, taken.predicted),
        region=tree.select(veiled, (damping / 10, jnp.full_like(growth, 2)), taken.region),
        drowned=taken.drowned & ~veiled,
    )
