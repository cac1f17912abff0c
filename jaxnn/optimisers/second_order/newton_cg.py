"""Newton-CG: Newton's step within a trust region by truncated conjugate gradients, from products B v alone.

    s ≈ argmin gᵀs + ½ sᵀB s,  ‖s‖_M ≤ Δ          Steihaug's conjugate gradients, until ‖g + B s‖ ≤ η ‖g‖
    η = min(½, √(‖g‖ / ‖g₀‖))                      g₀: the first gradient; lengths of gradients in the norm of M⁻¹
    ρ = (J(θ) - J(θ + s)) / (m(0) - m(s))          gain ratio: actual reduction over the model's
    Δ ← ¼ ‖s‖_M if ρ < ¼;  2Δ if ρ > ¾ and s is at the boundary
    θ ← θ + s   if ρ > 10⁻⁴; else again within the smaller region

B is the Hessian, whose negative curvature is followed to the boundary, or Gauss-Newton's part of it, which has none.
J is linearised once in an iteration, for all its products. The residual asked for falls with the gradient, so that
convergence is superlinear while far from the minimum few products are spent.

M is a diagonal of positive numbers: the identity, or the largest |diag ∇²J| so far. Where a step's prediction drowns in
the rounding of J and the whole Newton step's does not, Δ ← 10 Δ and η ← η/10.

References:
    Steihaug, The conjugate gradient method and trust regions in large scale optimization, 1983.
    Nocedal & Wright, Numerical Optimization, 2nd edition, 2006, Algorithms 4.1 and 7.2, equation 7.3 (forcing).
    Martens, Deep learning via Hessian-free optimization, 2010: curvature="gauss_newton".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import flat, products, promise, trials
from jaxnn.optimisers.second_order.subproblems.steihaug import BOUNDARY, NEGATIVE_CURVATURE, steihaug
from jaxnn.types import Optimiser, Params, Updates


class NewtonCGState(NamedTuple):
    """What Newton-CG carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: it has none
    radius: Float[Array, ""]  # Δ of the next step
    forcing: Float[Array, ""]  # by how much η is less than the rule says
    scale: Float[Array, " n"]  # M
    first: Float[Array, ""]  # ‖g₀‖ in the norm of M⁻¹
    report: report.Report


class _Trial(NamedTuple):
    taken: trials.Taken  # its region is Δ of the next trial
    products: Int[Array, ""]


def newton_cg(
    *,
    curvature: str = "hessian",
    preconditioner: str | Callable[..., Any] | None = None,
    radius: Any = 1.0,
    max_iterations: int | None = None,
) -> Optimiser:
    """Newton-CG with a trust region: second order for as many parameters as a gradient can be taken of.

    A full-batch method: a gain ratio compares two values of J, which must be of one batch, and Δ learns from it. It
    stays at a stationary point even if that is a saddle: where the gradient is 0 there is no first direction.
    `report.evaluations` counts values of J and products B v, those of the exact diagonal included.

    Args:
        curvature: B, "hessian" or "gauss_newton"; the latter needs an `Objective`.
        preconditioner: None; "diagonal", |diag ∇²J| of any function, at the price of n products, as many as conjugate
            gradients take at worst, so that it pays only for few parameters of very different scales; or a function
            (objective, params, batch) -> (n,), whose magnitudes are taken, for a diagonal that costs less, as
            `derivatives.mlp_hessian_diagonal` does.
        radius: the first Δ > 0, in units of ‖θ‖_M, or of 1 where that is 0.
        max_iterations: ≥ 1, of conjugate gradients in one trial; None: n, at most 1000.

    Raises:
        ValueError: an argument out of range; at the update, no parameters or no `value_fn`; for "gauss_newton", an
            objective that does not keep prediction and loss apart; a chain that changed the gradient before.
    """
    product_of = checks.one_of(curvature, products.CURVATURES, "curvature")
    diagonal_of = products.diagonal(preconditioner)
    checks.positive(radius=radius)
    checks.whole(1, max_iterations=1 if max_iterations is None else max_iterations)

    def init(params: Params) -> NewtonCGState:
        n, dtype = flat.size(params)
        start, one = jnp.asarray(radius, dtype), jnp.ones((), dtype)
        told = report.start(dtype, damping=start, promised=jnp.nan)
        return NewtonCGState(tree.start(), one, start, one, jnp.zeros(n, dtype), one, told)

    def update(
        grads: Updates,
        state: NewtonCGState,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        key: Any = None,
        **words: Any,
    ) -> tuple[Updates, NewtonCGState]:
        del words
        at = flat.problem(grads, params, value, value_fn, "newton_cg", grad=grad)
        g, n = at.gradient, at.theta.size
        product = product_of(at, params, value_fn, objective, batch, key)
        seen = products.largest(state.scale, diagonal_of(at, params, value_fn, objective, batch))
        m = jnp.where(seen > 0, seen, 1.0)
        norm, size = tree.norm(g / jnp.sqrt(m)), tree.norm(jnp.sqrt(m) * at.theta)
        begins = state.step == 0
        first = jnp.where(begins, norm, state.first)
        forcing = state.forcing * jnp.minimum(0.5, jnp.sqrt(tree.ratio(norm, first)))
        radius = state.radius * jnp.where(begins & (size > 0), size, 1.0)

        def trial(last: _Trial) -> _Trial:
            delta, tries = last.taken.region, last.taken.trials
            most = max_iterations or min(n, 1000)
            solved = steihaug(product, g, delta, preconditioner=m, tolerance=forcing * norm, max_iterations=most)
            gain, drowned = trials.gain_ratio(at, at.value_at(solved.step), solved.predicted_reduction, solved.step)
            length = tree.norm(jnp.sqrt(m) * solved.step)
            edge = (solved.exit_code == BOUNDARY) | (solved.exit_code == NEGATIVE_CURVATURE)
            shorter = 0.25 * jnp.where(jnp.isfinite(length), length, delta)
            delta = jnp.where(gain < 0.25, shorter, jnp.where((gain > 0.75) & edge, 2 * delta, delta))
            accepted = gain > trials.ACCEPTABLE
            predicted = solved.predicted_reduction
            taken = trials.Taken(solved.step, predicted, gain, delta, tries + 1, accepted, drowned, predicted)
            return _Trial(taken, last.products + solved.iterations)

        nan, none = jnp.asarray(jnp.nan, g.dtype), jnp.zeros((), jnp.int32)
        spent = jnp.asarray(n if preconditioner == "diagonal" else 0, jnp.int32)
        start = _Trial(trials.Taken(jnp.zeros_like(g), nan, nan, radius, none, none > 0, none > 0, nan), spent)
        taken, spent = jax.lax.while_loop(
            lambda last: ~last.taken.accepted & (last.taken.trials < trials.TRIALS), trial, start
        )
        taken = promise.looked_through(
            taken._replace(region=(taken.region, state.forcing)),
            lambda: promise.by_products(product, g, m),
            lambda region: (promise.RELAXED * region[0], region[1] / promise.RELAXED),
            at.rounding,
        )
        radius, forcing = taken.region
        step = jnp.where(taken.accepted, taken.step, 0.0)
        after = NewtonCGState(
            tree.increment(state.step), state.learning_rate, radius, forcing, seen, first, taken.report(radius, spent)
        )
        return at.updates(step), after

    return Optimiser(init, update)
