"""Bayesian regularisation: Levenberg-Marquardt that determines its own weight decay, as MATLAB's `trainbr`.

With J = E/B, E = Σ r² over the N residuals of B rows, the outputs' Jacobian A = ∂o/∂θ, and a penalty λ_w |θ|² of the n
parameters:

    F = J + λ_w |θ|²,   G = AᵀΛA + 2 λ_w I                   as Levenberg-Marquardt sees them
    γ = n - 2 λ_w tr G⁻¹                                     effective number of parameters, from 0 to n
    α = γ / 2|θ|²,  β = (N - γ) / 2E,  λ_w ← α / (βB)        the evidence's own choice of the two precisions

α and β are the precisions, up to ½, of a Gaussian prior of the parameters and of Gaussian noise on the targets. The
trace is |L⁻¹|² of the Cholesky factor, by one triangular system.

References:
    MacKay, A practical Bayesian framework for backpropagation networks, 1992.
    Foresee & Hagan, Gauss-Newton approximation to Bayesian learning, 1997.
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, losses, tree
from jaxnn.objective import Objective, split
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import trials
from jaxnn.optimisers.second_order.damping_rules import nielsen
from jaxnn.optimisers.second_order.optimiser import optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser, Scalar


class BayesianRegularisationState(NamedTuple):
    """What Bayesian regularisation carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: the method has none
    damping: Float[Array, ""]  # λ of the next step
    growth: Float[Array, ""]  # ν
    decay: Float[Array, ""]  # λ_w of the next step
    effective_parameters: Float[Array, ""]  # γ
    report: report.Report  # of F, not of J


@factories.optimiser
def bayesian_regularisation(*, damping: Scalar = 1e-3, decay: Scalar = 1e-6) -> Optimiser:
    """Levenberg-Marquardt on the squared error plus a penalty whose strength follows the evidence.

    It does not minimise J alone: J's gradient is not 0 at the end, so `training.minimise` stops by its other rules.

    Args:
        damping: τ > 0; the first λ is τ max diag G.
        decay: the first λ_w > 0, relative to J / |θ|².

    Raises:
        ValueError: a number is out of range; at the update, the objective is not a squared error without penalty.
    """
    checks.positive(damping=damping, decay=decay)

    def init(n: int, one: Array) -> BayesianRegularisationState:
        start = report.start(one.dtype, promised=jnp.nan)
        return BayesianRegularisationState(tree.start(), one, one, 2 * one, one, n * one, start)

    def step(problem: Problem, state: BayesianRegularisationState) -> tuple[Array, BayesianRegularisationState]:
        _check(problem.split_objective)
        theta, n, first = problem.theta, problem.theta.size, state.step == 0
        squares = jnp.vdot(theta, theta)
        decays = jnp.where(first, decay * problem.value / jnp.maximum(squares, 1.0), state.decay)
        f = replace(
            problem,
            gradient=problem.gradient + 2 * decays * theta,
            value=problem.value + decays * squares,
            value_at=lambda s: problem.value_at(s) + decays * jnp.sum((theta + s) ** 2),
        )
        identity = jnp.eye(n, dtype=theta.dtype)
        g = problem.gauss_newton_matrix + 2 * decays * identity
        largest = jnp.max(jnp.diagonal(g))

        def propose(region: tuple[Array, Array]) -> tuple[Array, Array]:
            factor = jnp.linalg.cholesky(g + region[0] * identity)
            s = cho_solve((factor, True), -f.gradient)
            return s, 0.5 * jnp.vdot(s, region[0] * s - f.gradient)

        region = (jnp.where(first, damping * largest, state.damping), state.growth)
        taken = trials.until_taken(propose, lambda region, gain, _: nielsen(region[0], region[1], gain), region, f)
        lam = jnp.maximum(taken.region[0], jnp.finfo(g.dtype).eps ** 2 * largest)

        root = solve_triangular(jnp.linalg.cholesky(g), identity, lower=True)
        gamma = jnp.clip(n - 2 * decays * jnp.sum(root**2), 0.0, n)
        gamma = jnp.where(jnp.isfinite(gamma), gamma, state.effective_parameters)
        evident = _evident_decay(problem, taken.step, gamma)
        decays = jnp.where(jnp.isfinite(evident) & (evident > 0), evident, decays)
        growth, report = taken.region[1], taken.report(lam, 1)
        after = state._replace(damping=lam, growth=growth, decay=decays, effective_parameters=gamma, report=report)
        return taken.step, after

    return optimiser_of("bayesian_regularisation", init, step, row_by_row=True)


def _evident_decay(problem: Problem, step: Array, gamma: Array) -> Array:
    """α/(βB) after the step, from the residuals and parameters there."""
    squares, mean_square = jnp.sum((problem.theta + step) ** 2), problem.value_at(step)
    weight = split(problem.batch)[2]
    counted = 1.0 if weight is None else jnp.mean(jnp.asarray(weight) > 0)  # rows of weight 0 do not count as data
    count = problem.output_count * counted
    return gamma * mean_square / (squares * jnp.maximum(count - gamma, 1.0))


def _check(objective: Objective) -> None:
    """Raises ValueError unless J is a squared error without a penalty, which the method adds itself."""
    if objective.loss is not losses.squared_error or objective.penalty is not None:
        raise ValueError(
            "bayesian_regularisation chooses the penalty of a squared error itself: pass Objective(predict, "
            "losses.squared_error) without a penalty."
        )
