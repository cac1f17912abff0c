"""Bayesian regularisation: Levenberg-Marquardt that determines its own weight decay, as MATLAB's `trainbr`.

With J = Σ r²/B over the N residuals of B rows, the outputs' Jacobian A = ∂o/∂θ, and a penalty λ_w |θ|² of the n
parameters:

    F = J + λ_w |θ|²,   G = AᵀΛA + 2 λ_w I                   as Levenberg-Marquardt sees them
    γ = n - 2 λ_w tr G⁻¹                                     effective number of parameters, from 0 to n
    λ_w ← γ J / (|θ|² (N - γ))                               the evidence's own choice (`evidence`)

References:
    MacKay, A practical Bayesian framework for backpropagation networks, 1992.
    Foresee & Hagan, Gauss-Newton approximation to Bayesian learning, 1997.
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, losses
from jaxnn.objective import Objective
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import evidence
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.regions import NIELSEN, Damping, Proposal
from jaxnn.optimisers.second_order.trials import until_taken
from jaxnn.types import Optimiser, Scalar


class BayesianRegularisationState(NamedTuple):
    """What Bayesian regularisation carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: the method has none
    damping: Float[Array, ""]  # λ of the next step
    growth: Float[Array, ""]  # ν
    decay: Float[Array, ""]  # λ_w of the next step
    effective_parameters: Float[Array, ""]  # γ
    report: Report  # of F, not of J


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

    def start(n: int, one: Array) -> Fields:
        return {"damping": one, "growth": 2 * one, "decay": one, "effective_parameters": n * one}

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

        def propose(region: Damping) -> Proposal:
            factor = jnp.linalg.cholesky(g + region[0] * identity)
            s = cho_solve((factor, True), -f.gradient)
            return Proposal(s, 0.5 * jnp.vdot(s, region[0] * s - f.gradient))

        region = (jnp.where(first, damping * largest, state.damping), state.growth)
        taken = until_taken(propose, NIELSEN, region, f)
        lam = jnp.maximum(taken.region[0], jnp.finfo(g.dtype).eps ** 2 * largest)

        gamma = evidence.effective_parameters(g, decays)
        gamma = jnp.where(jnp.isfinite(gamma), gamma, state.effective_parameters)
        best = evidence.best_decay(problem, taken.step, gamma)
        decays = jnp.where(jnp.isfinite(best) & (best > 0), best, decays)
        growth = taken.region[1]
        report = taken.report._replace(damping=lam, evaluations=taken.report.evaluations + 1)
        after = state._replace(damping=lam, growth=growth, decay=decays, effective_parameters=gamma, report=report)
        return taken.step, after

    return optimiser_of("bayesian_regularisation", BayesianRegularisationState, step, start, row_by_row=True)


def _check(objective: Objective) -> None:
    """Raises ValueError unless J is a squared error without a penalty, which the method adds itself."""
    if objective.loss is not losses.squared_error or objective.penalty is not None:
        raise ValueError(
            "bayesian_regularisation chooses the penalty of a squared error itself: pass Objective(predict, "
            "losses.squared_error) without a penalty."
        )
