"""Newton-CG: Newton's step within a trust region by truncated conjugate gradients, with products B v only.

    s ≈ argmin gᵀs + ½ sᵀB s,  ‖s‖_M ≤ Δ          Steihaug's conjugate gradients, until ‖g + B s‖ ≤ η ‖g‖
    η = min(½, √(‖g‖ / ‖g₀‖))                      g₀: the first gradient; lengths of gradients in the norm of M⁻¹
    ρ = (J(θ) - J(θ + s)) / (m(0) - m(s))          gain ratio: actual reduction over the model's
    Δ ← ¼ ‖s‖_M if ρ < ¼;  2Δ if ρ > ¾ and s is at the boundary
    θ ← θ + s   if ρ > 10⁻⁴; else again within the smaller region

B is the Hessian, whose negative curvature is followed to the boundary, or the Gauss-Newton matrix, which has none. J is
linearised once per iteration, for all products. The tolerance η falls with the gradient, so convergence is superlinear,
yet few products are spent far from the minimum.

M is a positive diagonal: the identity, or the largest |diag ∇²J| so far. If a step's predicted reduction is within J's
rounding error, but that of the full Newton step is not, Δ ← 10 Δ and η ← η/10.

References:
    Steihaug, The conjugate gradient method and trust regions in large scale optimization, 1983.
    Nocedal & Wright, Numerical Optimization, 2nd edition, 2006, Algorithms 4.1 and 7.2, equation 7.3 (forcing).
    Martens, Deep learning via Hessian-free optimization, 2010: curvature="gauss_newton".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order import products, promise, scaling
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.regions import FORCED, Forced, Proposal
from jaxnn.optimisers.second_order.subproblems.steihaug import steihaug
from jaxnn.optimisers.second_order.trials import until_taken
from jaxnn.types import Optimiser, Scalar


class NewtonCGState(NamedTuple):
    """What Newton-CG carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # 1: the method has none
    radius: Float[Array, ""]  # Δ of the next step
    forcing: Float[Array, ""]  # the factor on η
    scale: Float[Array, " n"]  # M
    first: Float[Array, ""]  # ‖g₀‖ in the norm of M⁻¹
    report: report.Report


@factories.optimiser
def newton_cg(
    *,
    curvature: str = "hessian",
    preconditioner: str | Callable[..., Any] | None = None,
    radius: Scalar = 1.0,
    max_iterations: int | None = None,
) -> Optimiser:
    """Newton-CG with a trust region: a second-order method for any number of parameters.

    A full-batch method: the gain ratio that adapts Δ compares two values of J, which must be of the same batch. It
    stays at a stationary point even if that is a saddle point, because a gradient of 0 gives no first direction.
    `report.evaluations` counts values of J and products B v, including those for the exact diagonal.

    Args:
        curvature: B, "hessian" or "gauss_newton"; the latter needs an `Objective`.
        preconditioner: None; "diagonal" for |diag ∇²J|, which costs n products, as many as conjugate gradients need at
            worst, so it pays only for few parameters on very different scales; or a function (objective, params, batch)
            -> (n,) that returns a cheaper diagonal, whose absolute values are used, such as
            `derivatives.mlp_hessian_diagonal`.
        radius: the first Δ > 0, in units of ‖θ‖_M, or of 1 if that is 0.
        max_iterations: the maximum number of conjugate-gradient iterations per trial, ≥ 1; None for n, at most 1000.

    Raises:
        ValueError: an argument is out of range; at the update, with "gauss_newton" the objective is not an `Objective`.
    """
    product_of = checks.one_of(curvature, products.CURVATURES, "curvature")
    diagonal_of = products.diagonal(preconditioner)
    checks.positive(radius=radius)
    checks.whole(1, max_iterations=1 if max_iterations is None else max_iterations)

    def start(n: int, one: Array) -> Fields:
        delta = jnp.asarray(radius, one.dtype)
        first = report.start(one.dtype, damping=delta, promised=jnp.nan)
        return {"radius": delta, "forcing": one, "scale": jnp.zeros(n, one.dtype), "first": one, "report": first}

    def step(problem: Problem, state: NewtonCGState) -> tuple[Array, NewtonCGState]:
        g, product = problem.gradient, product_of(problem)
        seen = scaling.largest(state.scale, diagonal_of(problem))
        m = scaling.positive(seen)
        root = jnp.sqrt(m)
        norm, length = tree.norm(g / root), tree.norm(root * problem.theta)
        begins, most = state.step == 0, max_iterations or min(g.size, 1000)
        first = jnp.where(begins, norm, state.first)
        eta = state.forcing * jnp.minimum(0.5, jnp.sqrt(tree.ratio(norm, first)))
        radius = state.radius * jnp.where(begins & (length > 0), length, 1.0)

        def propose(region: Forced) -> Proposal:
            s = steihaug(product, g, region[0], preconditioner=m, tolerance=eta * norm, max_iterations=most)
            return Proposal(s.step, s.predicted_reduction, tree.norm(root * s.step), s.at_boundary, s.iterations)

        promised = lambda: promise.by_products(product, g, m)
        taken = until_taken(propose, FORCED, (radius, state.forcing), problem, promised)
        radius, forcing = taken.region
        evaluations = taken.report.evaluations + (g.size if preconditioner == "diagonal" else 0)
        report = taken.report._replace(damping=radius, evaluations=evaluations)
        return taken.step, state._replace(radius=radius, forcing=forcing, scale=seen, first=first, report=report)

    return optimiser_of("newton_cg", NewtonCGState, step, start)
