"""Bayesian regularisation: Levenberg-Marquardt that finds its own weight decay, MATLAB's `trainbr`.

With J = E/B, E = Σ r² over the N residuals of B rows, and a penalty λ_w |θ|² of the n parameters:

    F = J + λ_w |θ|²,   G = JᵀΛJ + 2 λ_w I                   as Levenberg-Marquardt sees them
    γ = n - 2 λ_w tr G⁻¹                                     effective number of parameters, from 0 to n
    α = γ / 2|θ|²,  β = (N - γ) / 2E,  λ_w ← α / (βB)        the evidence's own choice of the two precisions

α and β are the precisions, up to ½, of a Gaussian prior of the parameters and of Gaussian noise on the targets. The
trace is |L⁻¹|² of the Cholesky factor, by one triangular system.

References:
    MacKay, A practical Bayesian framework for backpropagation networks, 1992.
    Foresee & Hagan, Gauss-Newton approximation to Bayesian learning, 1997.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float, Int

from jaxnn import checks, losses, tree
from jaxnn.derivatives import gauss_newton_matrix
from jaxnn.derivatives.jacobians import needs_split
from jaxnn.objective import split
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import flat, trials
from jaxnn.optimisers.second_order.damping_rules import nielsen
from jaxnn.optimisers.words import row_by_row
from jaxnn.types import Optimiser, Params, Updates


class BayesianRegularisationState(NamedTuple):
    """What Bayesian regularisation carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: it has none
    damping: Float[Array, ""]  # λ of the next step
    growth: Float[Array, ""]  # ν
    decay: Float[Array, ""]  # λ_w of the next step
    effective_parameters: Float[Array, ""]  # γ
    report: report.Report  # of F, not of J


def bayesian_regularisation(*, damping: Any = 1e-3, decay: Any = 1e-6) -> Optimiser:
    """Levenberg-Marquardt on the squared error plus a penalty whose strength follows the evidence.

    J alone is not minimised: its gradient does not vanish at the end, and `training.minimise` ends by its other rules.

    Args:
        damping: τ > 0; the first λ is τ max diag G.
        decay: the first λ_w > 0, relative to J / |θ|².

    Raises:
        ValueError: a number out of range; at the update, an objective that is not a plain squared error.
    """
    checks.positive(damping=damping, decay=decay)

    def init(params: Params) -> BayesianRegularisationState:
        n, dtype = flat.size(params)
        one = jnp.ones((), dtype)
        told = report.start(dtype, promised=jnp.nan)
        return BayesianRegularisationState(tree.start(), one, one, 2 * one, one, n * one, told)

    @row_by_row
    def update(
        grads: Updates,
        state: BayesianRegularisationState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        key: Any = None,
        **words: Any,
    ) -> tuple[Updates, BayesianRegularisationState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "bayesian_regularisation", grad=grad)
        _check(objective)
        n = at.theta.size
        first = state.step == 0
        prior = decay * at.value / jnp.maximum(jnp.vdot(at.theta, at.theta), 1.0)
        decays = jnp.where(first, prior, state.decay)

        f = at._replace(
            gradient=at.gradient + 2 * decays * at.theta,
            value=at.value + decays * jnp.vdot(at.theta, at.theta),
            value_at=lambda s: at.value_at(s) + decays * jnp.sum((at.theta + s) ** 2),
        )
        g = gauss_newton_matrix(objective, params, batch, key=key).astype(f.gradient.dtype)
        g = g + 2 * decays * jnp.eye(n, dtype=g.dtype)
        largest = jnp.max(jnp.diagonal(g))
        region = (jnp.where(first, damping * largest, state.damping), state.growth)

        def propose(region: tuple[Array, Array]) -> tuple[Array, Array]:
            factor = jnp.linalg.cholesky(g + region[0] * jnp.eye(n, dtype=g.dtype))
            s = cho_solve((factor, True), -f.gradient)
            return s, 0.5 * jnp.vdot(s, region[0] * s - f.gradient)

        taken = trials.until_taken(propose, lambda region, gain, _: nielsen(*region, gain), region, f)
        lam = jnp.maximum(taken.region[0], jnp.finfo(g.dtype).eps ** 2 * largest)

        root = solve_triangular(jnp.linalg.cholesky(g), jnp.eye(n, dtype=g.dtype), lower=True)
        gamma = jnp.clip(n - 2 * decays * jnp.sum(root**2), 0.0, n)
        gamma = jnp.where(jnp.isfinite(gamma), gamma, state.effective_parameters)
        squares, mean_square = jnp.sum((at.theta + taken.step) ** 2), at.value_at(taken.step)
        x, _, weight = split(batch)
        outputs = jax.eval_shape(lambda p: objective.outputs(p, x, key), params)
        counted = 1.0 if weight is None else jnp.mean(jnp.asarray(weight) > 0)  # a row of weight 0 is no datum
        count = outputs.size * counted
        evident = gamma * mean_square / (squares * jnp.maximum(count - gamma, 1.0))
        decays = jnp.where(jnp.isfinite(evident) & (evident > 0), evident, decays)
        after = BayesianRegularisationState(
            tree.increment(state.step), state.learning_rate, lam, taken.region[1], decays, gamma, taken.report(lam, 1)
        )
        return at.updates(taken.step), after

    return Optimiser(init, update)


def _check(objective: Any) -> None:
    """Raises ValueError unless J is a squared error without a penalty: the penalty is what is sought."""
    needs_split(objective, "bayesian_regularisation")
    if objective.loss is not losses.squared_error or objective.penalty is not None:
        raise ValueError(
            "bayesian_regularisation chooses the penalty of a squared error: pass Objective(predict, "
            "losses.squared_error) without a penalty."
        )
