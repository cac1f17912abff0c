"""The model of Levenberg-Marquardt and Gauss-Newton: JᵀΛJ or, where outputs are fewer than parameters, JJᵀ.

    in the parameters    (JᵀΛJ + ∇²R + D) s = -g                 n × n
    in the outputs       s = -D⁻¹ Bᵀ (B D⁻¹ Bᵀ + I)⁻¹ r          m × m, B = Λ^½ J, g = Bᵀ r

The second needs a diagonal Λ > 0 and no penalty, hence a squared error: Λ = 2w, r = √(2w) (o - y), w normalised.
Either system is positive definite; where rounding says otherwise its factor is NaN, and so is the step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from jaxnn import losses, tree
from jaxnn.derivatives import gauss_newton_matrix
from jaxnn.derivatives.jacobians import needs_split, output_curvature, output_jacobian
from jaxnn.objective import Objective, split
from jaxnn.optimisers.second_order.flat import Flat
from jaxnn.optimisers.second_order.geodesic import bent
from jaxnn.types import Batch, Params


class Model(NamedTuple):
    """Gauss-Newton's model of J around the parameters."""

    diagonal: Float[Array, " n"]  # of JᵀΛJ + ∇²R
    step: Callable[[Array], tuple[Array, Array]]  # damping (n,) -> (s, the reduction it predicts)
    predicted: Callable[[Array], Array]  # damping (n,) -> that reduction alone


def model(at: Flat, objective: Any, params: Params, batch: Batch, key: Any, *, geodesic: bool) -> Model:
    """The model in whichever of the two sizes is smaller.

    Args:
        at: J near the parameters.
        objective: J's parts.
        params: like the gradients of `at`.
        batch: of this step.
        key: of this step, for a `predict` that names it.
        geodesic: bend the steps.

    Raises:
        ValueError: an objective without the split, or none; `geodesic`, and a predict without a second derivative.
    """
    objective = needs_split(objective, "levenberg_marquardt")
    outputs = jax.eval_shape(lambda p: objective.outputs(p, split(batch)[0], key), params)
    squared = objective.loss is losses.squared_error and objective.penalty is None
    small = squared and outputs.size < at.theta.size
    solver, diagonal = (_in_outputs if small else _in_parameters)(at, objective, params, batch, key)

    def reduction(damping: Array, s: Array) -> Array:
        return 0.5 * jnp.vdot(s, damping * s - at.gradient)

    def step(damping: Array) -> tuple[Array, Array]:
        solve, s = solver(damping)
        taken = bent(s, damping, solve, objective, params, batch, key) if geodesic else s
        return taken, reduction(damping, s)

    return Model(diagonal, step, lambda damping: reduction(damping, solver(damping)[1]))


def _in_parameters(at: Flat, objective: Objective, params: Params, batch: Batch, key: Any) -> tuple[Any, Array]:
    matrix = gauss_newton_matrix(objective, params, batch, key=key).astype(at.gradient.dtype)

    def solver(damping: Array) -> tuple[Callable[[Array], Array], Array]:
        factor = jnp.linalg.cholesky(matrix + jnp.diag(damping))

        def solve(b: Array) -> Array:
            return cho_solve((factor, True), b)

        return solve, solve(-at.gradient)

    return solver, jnp.diagonal(matrix)


def _in_outputs(at: Flat, objective: Objective, params: Params, batch: Batch, key: Any) -> tuple[Any, Array]:
    x, y, weight = split(batch)
    transposed = output_jacobian(objective, params, batch, key).astype(at.gradient.dtype)  # (n, m)
    outputs = objective.outputs(params, x, key)
    slope, curvature = output_curvature(objective, outputs, y, weight)
    root = jnp.sqrt(jnp.diagonal(curvature, axis1=1, axis2=2)).ravel().astype(transposed.dtype)
    b = transposed * root  # Bᵀ
    r = tree.ratio(slope.ravel().astype(root.dtype), root)

    def solver(damping: Array) -> tuple[Callable[[Array], Array], Array]:
        scaled = b / damping[:, None]
        factor = jnp.linalg.cholesky(b.T @ scaled + jnp.eye(b.shape[1], dtype=b.dtype))

        def solve(v: Array) -> Array:  # Woodbury
            return (v - b @ cho_solve((factor, True), scaled.T @ v)) / damping

        return solve, -scaled @ cho_solve((factor, True), r)

    return solver, jnp.sum(b**2, axis=1)
