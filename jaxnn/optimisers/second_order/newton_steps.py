"""One step of each of the four variants of Newton's method.

Every function takes the problem, H, the state's region (α, Δ or σ) and D, and returns the step, its length α, the next
region and the report.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise
from jaxnn.optimisers.second_order.backtracking import shifted_search
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.regions import RADIUS, SIGMA, Proposal, Rule
from jaxnn.optimisers.second_order.scaling import scaled
from jaxnn.optimisers.second_order.subproblems import secular
from jaxnn.optimisers.second_order.trials import Taken, until_taken

Step: TypeAlias = tuple[Array, Array, Array, Report]


def pure(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """S = -(H + αI)⁻¹ g, as in Algorithm 8.8; no step if that matrix is singular."""
    del d
    g, rounding = problem.gradient, problem.rounding
    s = jnp.linalg.solve(hessian + region * jnp.eye(g.size, dtype=hessian.dtype), -g)
    solved = jnp.all(jnp.isfinite(s))
    s = jnp.where(solved, s, 0.0)
    predicted = -jnp.vdot(g, s) - 0.5 * jnp.vdot(s, hessian @ s)
    actual = problem.value - problem.value_at(s)
    left = promise.of(hessian, g)
    report = Report(
        predicted_reduction=predicted,
        gain_ratio=tree.ratio(actual, predicted),
        damping=region,
        evaluations=jnp.asarray(2, jnp.int32),  # one for the rounding error
        accepted=solved,
        at_limit=~solved,
        within_rounding=(jnp.abs(actual) <= rounding) & (jnp.abs(predicted) <= rounding),
        promised=jnp.where(jnp.isinf(left), -jnp.inf, predicted),
    )
    return s, jnp.ones_like(region), region, report


def line_search(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """(H + τD) s = -g with the first τ that makes it positive definite, then backtracking along s."""
    step, rate, report = shifted_search(problem, hessian, hessian, d)
    return step, rate, region, report


def trust_region(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """The model's minimiser within |D^½ s| ≤ Δ."""
    taken = _limited(problem, hessian, region, d, secular.trust_region, RADIUS)
    return taken.step, jnp.ones_like(region), taken.region, taken.report._replace(damping=taken.region)


def cubic(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """The minimiser of the model plus ⅓ σ |D^½ s|³."""
    taken = _limited(problem, hessian, region, d, secular.cubic, SIGMA)
    sigma = jnp.maximum(taken.region, jnp.finfo(region.dtype).tiny * 1e8)
    return taken.step, jnp.ones_like(region), sigma, taken.report._replace(damping=sigma)


def _limited(
    problem: Problem, hessian: Array, region: Array, d: Array, minimiser: Callable[..., Any], rule: Rule
) -> Taken:
    """Trials of the minimiser of the model of D^½ s, whose length is limited by the region."""
    root = jnp.sqrt(d)
    h, slope = scaled(hessian, root), problem.gradient / root

    def propose(region: Array) -> Proposal:
        found = minimiser(h, slope, region)
        s = found.step / root
        length = jnp.linalg.norm(root * s)
        return Proposal(s, found.predicted, length, at_boundary=length >= 0.8 * region)

    return until_taken(propose, rule, region, problem, lambda: promise.of(hessian, problem.gradient))


STEPS: MappingProxyType[str, Callable[[Problem, Array, Array, Array], Any]] = MappingProxyType(
    {"pure": pure, "line_search": line_search, "trust_region": trust_region, "cubic": cubic}
)
