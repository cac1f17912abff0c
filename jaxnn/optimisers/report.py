"""The report of a second-order method on its latest step: the last field of its state."""

import warnings
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Report(NamedTuple):
    """The report on one iteration; all of its trial points are evaluated within one update."""

    predicted_reduction: Float[Array, ""]  # of J by the model, < 0 if pure Newton goes uphill; nan without a model
    gain_ratio: Float[Array, ""]  # actual reduction / predicted reduction; nan without a model
    damping: Float[Array, ""]  # λ, σ or trust radius of the next step; nan if there is none
    evaluations: Int[Array, ""]  # of J, gradients and Hessian products, besides the loop's own
    accepted: Bool[Array, ""]  # whether a step was taken
    at_limit: Bool[Array, ""]  # whether no step is acceptable, even at the largest damping or smallest length
    within_rounding: Bool[Array, ""]  # whether J changed by at most its rounding error, and no step predicts more
    # Reduction of J predicted by the model without a limit on the step (`promise`): ∞ if the model is unbounded below,
    # -∞ if it is but the method ignores that, as pure Newton does. None for a method without a model, for which
    # `training.minimise` computes it at the end.
    promised: Float[Array, ""] | None

    @property
    def drowned(self) -> Bool[Array, ""]:
        """The former name of `within_rounding`."""
        warnings.warn("Report.drowned is now Report.within_rounding.", DeprecationWarning, stacklevel=2)
        return self.within_rounding


def start(dtype: Any, *, damping: Any = jnp.nan, promised: float | None = None) -> Report:
    """The report before the first step, in the dtype of the arithmetic.

    Args:
        dtype: the dtype of the arithmetic.
        damping: the damping of the first step.
        promised: the predicted reduction of the first step: ∞ if the method leaves a saddle point even if the gradient
            is 0, otherwise nan.
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
