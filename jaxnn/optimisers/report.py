"""What a method that minimises reports of its latest step: the last field of its state."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Report(NamedTuple):
    """Of one iteration, all of whose trial points are tried within one update."""

    predicted_reduction: Float[Array, ""]  # of J by the model, < 0 where pure Newton goes up; nan without a model
    gain_ratio: Float[Array, ""]  # actual reduction / predicted; nan likewise
    damping: Float[Array, ""]  # λ, σ or trust radius of the next step; nan likewise
    evaluations: Int[Array, ""]  # of J, gradients and Hessian products, beyond the loop's own
    accepted: Bool[Array, ""]  # whether a step was taken
    at_limit: Bool[Array, ""]  # no step is acceptable even at the largest damping or the smallest step length
    drowned: Bool[Array, ""]  # whether actual and predicted reduction are both within the rounding of J


def start(dtype: Any, *, damping: Any = jnp.nan) -> Report:
    """The report before the first step, in the dtype of the arithmetic."""
    nan = jnp.asarray(jnp.nan, dtype)
    return Report(
        predicted_reduction=nan,
        gain_ratio=nan,
        damping=jnp.asarray(damping, dtype),
        evaluations=jnp.zeros((), jnp.int32),
        accepted=jnp.asarray(True),
        at_limit=jnp.asarray(False),
        drowned=jnp.asarray(False),
    )
