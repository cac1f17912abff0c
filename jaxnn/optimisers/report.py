"""What a method that minimises reports of its latest step: the last field of its state."""

import warnings
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
    within_rounding: Bool[Array, ""]  # whether J changes by its rounding at most, and no step promises more
    # Of J by the model, without any limit to the step (`promise`): ∞ where it falls for ever, -∞ where it does and the
    # method does not mind, as pure Newton. None of a method without a model: `training.minimise` finds it in the end
    promised: Float[Array, ""] | None

    @property
    def drowned(self) -> Bool[Array, ""]:
        """The former name of `within_rounding`."""
        warnings.warn("Report.drowned is now Report.within_rounding.", DeprecationWarning, stacklevel=2)
        return self.within_rounding


def start(dtype: Any, *, damping: Any = jnp.nan, promised: float | None = None) -> Report:
    """The report before the first step, in the dtype of the arithmetic.

    Args:
        dtype: of the arithmetic.
        damping: of the first step.
        promised: of the first step: ∞ if the method leaves a saddle even where the gradient is 0, else nan.
    """
    nan = jnp.asarray(jnp.nan, dtype)
    return Report(
        predicted_reduction=nan,
        gain_ratio=nan,
        damping=jnp.asarray(damping, dtype),
        evaluations=jnp.zeros((), jnp.int32),
        accepted=jnp.asarray(True),
        at_limit=jnp.asarray(False),
        within_rounding=jnp.asarray(False),
        promised=None if promised is None else jnp.asarray(promised, dtype),
    )
