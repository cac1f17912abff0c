"""One step of Newton's method, by each of its four methods.

Every function takes J near the parameters, H, the state's region (α, Δ or σ) and D, and returns the step, its length α,
the next region and the report.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise, trials
from jaxnn.optimisers.second_order.descend import downhill
from jaxnn.optimisers.second_order.flat import Flat
from jaxnn.optimisers.second_order.subproblems import secular
from jaxnn.optimisers.second_order.subproblems.shifted import shifted_solve

TRUSTED = 0.1  # the least gain ratio of a step within the trust region; with 10⁻⁴ the first one may leave the basin

Taken: TypeAlias = tuple[Array, Array, Array, Report]


def pure(at: Flat, hessian: Array, region: Array, d: Array) -> Taken:
    """S = -(H + αI)⁻¹ g, as Algorithm 8.8 prints it; no step where that matrix is singular."""
    del d
    s = jnp.linalg.solve(hessian + region * jnp.eye(at.theta.size, dtype=hessian.dtype), -at.gradient)
    solved = jnp.all(jnp.isfinite(s))
    s = jnp.where(solved, s, 0.0)
    predicted = -jnp.vdot(at.gradient, s) - 0.5 * jnp.vdot(s, hessian @ s)
    actual = at.value - at.value_at(s)
    left = promise.of(hessian, at.gradient)
    told = Report(
        predicted_reduction=predicted,
        gain_ratio=tree.ratio(actual, predicted),
        damping=region,
        evaluations=jnp.asarray(2, jnp.int32),  # one for the rounding
        accepted=solved,
        at_limit=~solved,
        drowned=(jnp.abs(actual) <= at.rounding) & (jnp.abs(predicted) <= at.rounding),
        promised=jnp.where(jnp.isinf(left), -jnp.inf, predicted),
    )
    return s, jnp.ones_like(region), region, told


def line_search(at: Flat, hessian: Array, region: Array, d: Array) -> Taken:
    """(H + τD) s = -g with the first τ that makes it definite, then as far along s as J falls."""
    root = jnp.sqrt(d)
    direction, shift, _ = shifted_solve(hessian / (root[:, None] * root), at.gradient / root, at.rounding)
    direction = direction / root
    s, rate, told = downhill(at, direction, hessian @ direction, hessian, damping=shift)
    return s, rate, region, told


def trust_region(at: Flat, hessian: Array, region: Array, d: Array) -> Taken:
    """The model's minimiser within |D^½ s| ≤ Δ."""
    root = jnp.sqrt(d)
    scaled, slope = hessian / (root[:, None] * root), at.gradient / root

    def propose(radius: Array) -> tuple[Array, Array]:
        found = secular.trust_region(scaled, slope, radius)
        return found.step / root, found.predicted

    def adapt(radius: Array, gain: Array, step: Array) -> Array:
        length = jnp.linalg.norm(root * step)
        length = jnp.where(jnp.isfinite(length), length, radius)
        larger = jnp.where(length >= 0.8 * radius, 2 * radius, radius)
        return jnp.where(gain < 0.25, 0.25 * length, jnp.where(gain > 0.75, larger, radius))

    taken = trials.until_taken(propose, adapt, region, at, acceptable=TRUSTED)
    taken = promise.looked_through(
        taken, lambda: promise.of(hessian, at.gradient), lambda radius: promise.RELAXED * radius, at.rounding
    )
    return taken.step, jnp.ones_like(region), taken.region, taken.report(taken.region)


def cubic(at: Flat, hessian: Array, region: Array, d: Array) -> Taken:
    """The minimiser of the model plus ⅓ σ |D^½ s|³."""
    root = jnp.sqrt(d)
    scaled, slope = hessian / (root[:, None] * root), at.gradient / root

    def propose(sigma: Array) -> tuple[Array, Array]:
        found = secular.cubic(scaled, slope, sigma)
        return found.step / root, found.predicted

    def adapt(sigma: Array, gain: Array, step: Array) -> Array:
        del step
        return jnp.where(gain < 0.1, 4 * sigma, jnp.where(gain > 0.9, 0.25 * sigma, sigma))

    taken = trials.until_taken(propose, adapt, region, at)
    taken = promise.looked_through(
        taken, lambda: promise.of(hessian, at.gradient), lambda sigma: sigma / promise.RELAXED**2, at.rounding
    )
    sigma = jnp.maximum(taken.region, jnp.finfo(region.dtype).tiny * 1e8)
    return taken.step, jnp.ones_like(region), sigma, taken.report(sigma)


METHODS: MappingProxyType[str, Callable[[Flat, Array, Array, Array], Any]] = MappingProxyType(
    {"pure": pure, "line_search": line_search, "trust_region": trust_region, "cubic": cubic}
)
