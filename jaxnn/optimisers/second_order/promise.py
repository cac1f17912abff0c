"""The promise: the reduction that a quadratic model predicts for a step without any limit.

    s = -(B + ω D)⁻¹ g,   ω = 10 n ε,   D = diag |B|        promise = ½ gᵀs; ∞ if B + ω D is not positive definite

A step that is damped, limited by a trust region or shortened by a line search may predict a reduction below rounding
even far from any minimum; only the full step shows whether J can still be reduced. ω is large enough that rounding
leaves the system positive definite, and that the rounding error of g along directions without curvature, divided by ω,
stays within J's. The promise does not depend on the units of J and of the parameters.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.optimisers.second_order import scaling
from jaxnn.optimisers.second_order.subproblems.steihaug import NEGATIVE_CURVATURE, steihaug

RIDGE = 10.0  # ω in units of n ε
DENSE = 256  # the most parameters for which the matrix is formed from products
PRODUCTS = 200  # the most products for conjugate gradients


def ridge(diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """ω D, or ω where D is 0."""
    size = jnp.abs(diagonal)
    return RIDGE * diagonal.size * jnp.finfo(diagonal.dtype).eps * jnp.where(size > 0, size, 1.0)


def of(matrix: Float[Array, "n n"], gradient: Float[Array, " n"]) -> Float[Array, ""]:
    """The promise of gᵀs + ½ sᵀBs; ∞ if B has negative curvature beyond rounding, and 0 if g is 0."""
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

    Up to `DENSE` parameters, B is formed by n products. For more, conjugate gradients give a lower bound if they do not
    converge; D is then the metric times the curvature along B D⁻¹g, which is close to the largest.

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
