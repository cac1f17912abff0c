"""What is left to gain: the reduction that a quadratic model promises where nothing limits the step.

    s = -(B + ω D)⁻¹ g,   ω = 10 n ε,   D = diag |B|        promise = ½ gᵀs; ∞ where B + ω D is not positive definite

A step within a trust region, a damped one, or one that a line search has shortened may promise nothing visible far
from any minimum: only the whole step says whether something is left. ω is so much that rounding leaves the system
definite, and that the rounding of g along directions without curvature, divided by it, stays within J's. With it the
promise is the same in any units of J and of each parameter.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.optimisers.second_order import scaling
from jaxnn.optimisers.second_order.subproblems.steihaug import NEGATIVE_CURVATURE, steihaug
from jaxnn.optimisers.second_order.trials import Taken

RIDGE = 10.0  # times n ε: ω
DENSE = 256  # parameters up to which a matrix is formed of products
PRODUCTS = 200  # that conjugate gradients may take
RELAXED = 10.0  # times the region, where rounding hides what it does


def ridge(diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """ω D, and ω where D is 0."""
    size = jnp.abs(diagonal)
    return RIDGE * diagonal.size * jnp.finfo(diagonal.dtype).eps * jnp.where(size > 0, size, 1.0)


def of(matrix: Float[Array, "n n"], gradient: Float[Array, " n"]) -> Float[Array, ""]:
    """The promise of gᵀs + ½ sᵀBs; ∞ where B has a negative curvature beyond rounding, and 0 where g and it are 0."""
    diagonal = jnp.diagonal(matrix)
    d = jnp.where(diagonal != 0, jnp.abs(diagonal), 1.0)
    root = jnp.sqrt(d)
    factor = jnp.linalg.cholesky(scaling.scaled(matrix, root) + jnp.diag(ridge(diagonal) / d))
    half = solve_triangular(factor, gradient / root, lower=True)
    promise = 0.5 * jnp.vdot(half, half)
    return jnp.where(jnp.all(jnp.isfinite(factor)), promise, jnp.inf)


def by_products(
    product: Callable[[Array], Array], gradient: Float[Array, " n"], metric: Float[Array, " n"]
) -> Float[Array, ""]:
    """The promise from products B v alone.

    Up to `DENSE` parameters B is formed, by as many products. Beyond, by conjugate gradients: a lower bound where
    these are too few, with the metric times the curvature along B D⁻¹g, which is near the largest, for D.

    Args:
        product: v (n,) -> B v.
        gradient: g.
        metric: a positive diagonal that measures the parameters (n,).
    """
    if gradient.size <= DENSE:
        matrix = jax.lax.map(product, jnp.eye(gradient.size, dtype=gradient.dtype))
        return of(0.5 * (matrix + matrix.T), gradient)
    eps = jnp.finfo(gradient.dtype).eps
    steep = gradient / metric
    curved = product(steep) / metric
    largest = tree.ratio(jnp.linalg.norm(jnp.sqrt(metric) * curved), jnp.linalg.norm(jnp.sqrt(metric) * steep))
    ridge = RIDGE * gradient.size * eps * largest * metric
    found = steihaug(
        lambda v: product(v) + ridge * v,
        gradient,
        jnp.asarray(jnp.inf, gradient.dtype),
        preconditioner=metric,
        tolerance=jnp.sqrt(eps) * jnp.linalg.norm(gradient / jnp.sqrt(metric)),
        max_iterations=min(gradient.size, PRODUCTS),
    )
    return jnp.where(found.exit_code == NEGATIVE_CURVATURE, jnp.inf, found.predicted_reduction)


def with_promise(
    taken: Taken, promised: Callable[[], Array], relaxed: Callable[[Any], Any], rounding: Float[Array, ""]
) -> Taken:
    """What was taken, with all that is left to gain, and a wider region where rounding hides that.

    One that has become narrow far from the minimum would stay so, since within rounding no gain ratio says that it may
    widen. Under `vmap` the promise is computed at every step.

    Args:
        taken: the last trial.
        promised: what is left to gain.
        relaxed: region -> a wider one.
        rounding: of J.
    """
    faint = ~taken.accepted | (taken.predicted <= rounding)
    promise = jax.lax.cond(faint, lambda: jnp.asarray(promised(), taken.predicted.dtype), lambda: taken.predicted)
    whole = taken.predicted >= 0.5 * promise
    hides = taken.accepted & faint & (promise > rounding)
    return taken._replace(
        region=tree.select(hides, relaxed(taken.region), taken.region),
        within_rounding=(taken.within_rounding & whole)
        | ((taken.within_rounding | ~taken.accepted) & (promise <= rounding)),
        promised=promise,
    )
