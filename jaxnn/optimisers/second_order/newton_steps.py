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
from jaxnn.optimisers.second_order import promise, trials
from jaxnn.optimisers.second_order.backtracking import backtrack
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.scaling import scaled
from jaxnn.optimisers.second_order.subproblems import secular
from jaxnn.optimisers.second_order.subproblems.shifted import shifted_solve

TRUSTED = (
    0.1  # the least gain ratio at which a trust-region step is accepted; with 10⁻⁴, the first step may leave the basin
)

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
    root = jnp.sqrt(d)
    direction, shift, _ = shifted_solve(scaled(hessian, root), problem.gradient / root, problem.rounding)
    direction = direction / root
    s, rate, report = backtrack(problem, direction, hessian @ direction, hessian, damping=shift)
    return s, rate, region, report


def trust_region(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """The model's minimiser within |D^½ s| ≤ Δ."""
    root = jnp.sqrt(d)
    h, slope = scaled(hessian, root), problem.gradient / root

    def propose(radius: Array) -> tuple[Array, Array]:
        found = secular.trust_region(h, slope, radius)
        return found.step / root, found.predicted

    def adapt(radius: Array, gain: Array, step: Array) -> Array:
        length = jnp.linalg.norm(root * step)
        length = jnp.where(jnp.isfinite(length), length, radius)
        larger = jnp.where(length >= 0.8 * radius, 2 * radius, radius)
        return jnp.where(gain < 0.25, 0.25 * length, jnp.where(gain > 0.75, larger, radius))

    taken = trials.until_taken(propose, adapt, region, problem, acceptable=TRUSTED)
    left = lambda: promise.of(hessian, problem.gradient)
    taken = promise.with_promise(taken, left, lambda radius: promise.RELAXED * radius, problem.rounding)
    return taken.step, jnp.ones_like(region), taken.region, taken.report(taken.region)


def cubic(problem: Problem, hessian: Array, region: Array, d: Array) -> Step:
    """The minimiser of the model plus ⅓ σ |D^½ s|³."""
    root = jnp.sqrt(d)
    h, slope = scaled(hessian, root), problem.gradient / root

    def propose(sigma: Array) -> tuple[Array, Array]:
        found = secular.cubic(h, slope, sigma)
        return found.step / root, found.predicted

    def adapt(sigma: Array, gain: Array, step: Array) -> Array:
        del step
        return jnp.where(gain < 0.1, 4 * sigma, jnp.where(gain > 0.9, 0.25 * sigma, sigma))

    taken = trials.until_taken(propose, adapt, region, problem)
    left = lambda: promise.of(hessian, problem.gradient)
    taken = promise.with_promise(taken, left, lambda sigma: sigma / promise.RELAXED**2, problem.rounding)
    sigma = jnp.maximum(taken.region, jnp.finfo(region.dtype).tiny * 1e8)
    return taken.step, jnp.ones_like(region), sigma, taken.report(sigma)


STEPS: MappingProxyType[str, Callable[[Problem, Array, Array, Array], Any]] = MappingProxyType(
    {"pure": pure, "line_search": line_search, "trust_region": trust_region, "cubic": cubic}
)
