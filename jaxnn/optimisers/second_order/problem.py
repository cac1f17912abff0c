"""The problem of one iteration on flat vectors, from which every method here computes its step.

θ, the gradient g and every step s are vectors (n,) in ravel order, in float32 or wider. J(θ + s) is evaluated at
exactly the parameters that the loop would produce, rounded to their dtype.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import derivatives
from jaxnn.derivatives.jacobians import needs_split, output_curvature, output_jacobian
from jaxnn.objective import Objective, split
from jaxnn.types import Params, Updates


@dataclass(frozen=True, eq=False)
class Problem:
    """J near the parameters, and the matrices that steps are computed from.

    Gauss-Newton's matrix, the Jacobian and the number of outputs are computed at first access and kept. That access
    must be outside `lax` loops and branches, because tracers cannot leave them.
    """

    method: str  # its name in messages
    params: Params
    grad: Updates  # ∇J(θ), before any link of a chain changed it
    value_fn: Callable[[Params], Any]
    objective: Any  # this and the next two are None in a loop that does not send them
    batch: Any
    key: Any
    theta: Float[Array, " n"]
    gradient: Float[Array, " n"]  # g
    value: Float[Array, ""]  # J(θ)
    rounding: Float[Array, ""]  # δ, the rounding error of J
    value_at: Callable[[Array], Array]  # s -> J(θ + s)
    updates: Callable[[Array], Updates]  # s as updates of the parameters, like the gradients

    def hessian(self, function: Callable[..., Any] | None = None) -> Float[Array, "n n"]:
        """H by the user's function of (objective, params, batch), or by `derivatives.hessian` of J.

        Raises:
            ValueError: the user's function returns another shape, or the matrix exceeds the memory budget.
        """
        if function is None:
            return derivatives.hessian(self.value_fn, self.params).astype(self.theta.dtype)
        if self.objective is None:
            raise ValueError(
                "hessian(objective, params, batch) needs the objective and the batch, which this loop does not send:"
                " use training.minimise, fit or run."
            )
        matrix, n = jnp.asarray(function(self.objective, self.params, self.batch)), self.theta.size
        if matrix.shape != (n, n):
            raise ValueError(
                f"hessian(objective, params, batch) must have shape {n, n}, in ravel order, got {matrix.shape}."
            )
        return matrix.astype(self.theta.dtype)

    @property
    def split_objective(self) -> Objective:
        """The objective, if it is an `Objective`; otherwise a ValueError."""
        return needs_split(self.objective, self.method)

    def outputs(self, params: Params) -> Array:
        """The raw outputs o, (batch, k) or (batch,)."""
        return self.split_objective.outputs(params, split(self.batch)[0], self.key)

    @cached_property
    def output_count(self) -> int:
        """The number of entries in the outputs."""
        return int(jax.eval_shape(self.outputs, self.params).size)

    @cached_property
    def gauss_newton_matrix(self) -> Float[Array, "n n"]:
        """AᵀΛA + ∇²R."""
        matrix = derivatives.gauss_newton_matrix(self.split_objective, self.params, self.batch, key=self.key)
        return matrix.astype(self.theta.dtype)

    @cached_property
    def transposed_jacobian(self) -> Float[Array, "n outputs"]:
        """Aᵀ, the outputs' derivatives with respect to the parameters, transposed."""
        return output_jacobian(self.split_objective, self.params, self.batch, self.key).astype(self.theta.dtype)

    def output_curvature(self, outputs: Array) -> tuple[Float[Array, "batch k"], Float[Array, "batch k k"]]:
        """Gradient of the mean loss with respect to each example's outputs, and its Hessian Λ."""
        return output_curvature(self.split_objective, outputs, *split(self.batch)[1:])
