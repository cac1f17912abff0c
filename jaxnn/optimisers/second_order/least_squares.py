"""The model of Levenberg-Marquardt: an n × n system or, if outputs are fewer than parameters, an m × m one.

    in the parameters    (AᵀΛA + ∇²R + D) s = -g                 n × n
    in the outputs       s = -D⁻¹ Bᵀ (B D⁻¹ Bᵀ + I)⁻¹ r          m × m, B = Λ^½ A, g = Bᵀ r

A = ∂o/∂θ is the outputs' Jacobian. The second needs a diagonal Λ > 0 and no penalty, so a squared error: Λ = 2w,
r = √(2w) (o - y), w normalised. Both systems are positive definite; if rounding makes one indefinite, its factor is
NaN, and so is the step.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from jaxnn import losses, tree
from jaxnn.optimisers.second_order.geodesic import accelerated
from jaxnn.optimisers.second_order.problem import Problem

Solve: TypeAlias = Callable[[Array], Array]  # b -> (AᵀΛA + ∇²R + D)⁻¹ b


class Model(NamedTuple):
    """Gauss-Newton's model of J around the parameters."""

    diagonal: Float[Array, " n"]  # of AᵀΛA + ∇²R
    step: Callable[[Array], tuple[Array, Array]]  # damping (n,) -> (s, predicted reduction)
    predicted: Callable[[Array], Array]  # damping (n,) -> predicted reduction


def model(problem: Problem, *, geodesic: bool) -> Model:
    """The model in the smaller of the two sizes; with `geodesic`, steps have geodesic acceleration.

    Raises:
        ValueError: the objective is not an `Objective`; with `geodesic`, predict has no second derivative.
    """
    objective = problem.split_objective
    squared = objective.loss is losses.squared_error and objective.penalty is None
    small = squared and problem.output_count < problem.theta.size
    solver, diagonal = (_in_outputs if small else _in_parameters)(problem)

    def reduction(damping: Array, s: Array) -> Array:
        return 0.5 * jnp.vdot(s, damping * s - problem.gradient)

    def step(damping: Array) -> tuple[Array, Array]:
        solve, s = solver(damping)
        return accelerated(problem, s, damping, solve) if geodesic else s, reduction(damping, s)

    return Model(diagonal, step, lambda damping: reduction(damping, solver(damping)[1]))


def _in_parameters(problem: Problem) -> tuple[Callable[[Array], tuple[Solve, Array]], Array]:
    matrix = problem.gauss_newton_matrix

    def solver(damping: Array) -> tuple[Solve, Array]:
        factor = jnp.linalg.cholesky(matrix + jnp.diag(damping))
        solve = lambda b: cho_solve((factor, True), b)
        return solve, solve(-problem.gradient)

    return solver, jnp.diagonal(matrix)


def _in_outputs(problem: Problem) -> tuple[Callable[[Array], tuple[Solve, Array]], Array]:
    transposed = problem.transposed_jacobian  # (n, m)
    slope, curvature = problem.output_curvature(problem.outputs(problem.params))
    root = jnp.sqrt(jnp.diagonal(curvature, axis1=1, axis2=2)).ravel().astype(transposed.dtype)
    b = transposed * root  # Bᵀ
    r = tree.ratio(slope.ravel().astype(root.dtype), root)

    def solver(damping: Array) -> tuple[Solve, Array]:
        scaled = b / damping[:, None]
        factor = jnp.linalg.cholesky(b.T @ scaled + jnp.eye(b.shape[1], dtype=b.dtype))
        solve = lambda v: (v - b @ cho_solve((factor, True), scaled.T @ v)) / damping  # Woodbury
        return solve, -scaled @ cho_solve((factor, True), r)

    return solver, jnp.sum(b**2, axis=1)
