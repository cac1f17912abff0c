"""From a direction of descent to a step that takes J down: backtracking, and the report of it."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import linesearch, tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise
from jaxnn.optimisers.second_order.flat import Flat


def downhill(at: Flat, direction: Array, curved: Array, matrix: Array, *, damping: Any) -> tuple[Array, Array, Report]:
    """The step α d, with α = 1 or shorter until J has fallen enough; no step where d is none of descent.

    Args:
        at: J near the parameters.
        direction: d (n,).
        curved: B d for the model gᵀs + ½ sᵀBs that d was made by (n,), for the predicted reduction.
        matrix: the Hessian, or Gauss-Newton's part of it (n, n), for what is left to gain.
        damping: what the report tells.

    Returns:
        The step (n,), α and the report.
    """
    known = jnp.all(jnp.isfinite(direction))
    direction, curved = jnp.where(known, direction, 0.0), jnp.where(known, curved, 0.0)
    slope = jnp.vdot(at.gradient, direction)
    found = linesearch.backtracking(
        at.value_at, jnp.zeros_like(direction), direction, value=at.value, slope=slope, rounding=at.rounding
    )
    rate = found.step_length
    predicted = -rate * slope - 0.5 * rate**2 * jnp.vdot(direction, curved)
    taken, actual = found.found, at.value - found.value
    faint = ~taken | (predicted <= at.rounding)
    left = jax.lax.cond(faint, lambda: promise.of(matrix, at.gradient), lambda: predicted)
    told = Report(
        predicted_reduction=predicted,
        gain_ratio=tree.ratio(actual, predicted),
        damping=jnp.asarray(damping, slope.dtype),
        evaluations=found.evaluations + 1,  # for the rounding
        accepted=taken,
        at_limit=~taken & (jnp.any(at.gradient != 0) | jnp.isinf(left)),  # a minimum is none
        drowned=(~taken | (jnp.abs(actual) <= at.rounding)) & (left <= at.rounding),
        promised=left,
    )
    return jnp.where(taken, rate * direction, 0.0), rate, told
