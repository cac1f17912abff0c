"""The trace of a Hessian from products with random vectors, with a standard error.

    hutchinson    tr H ≈ mean of ωᵀ H ω                                           error ∝ ‖H‖_F / √m
    hutch++       tr H = tr QᵀHQ + tr (I - QQᵀ) H (I - QQᵀ), the second by hutchinson; Q spans H S      error ∝ 1 / m
    xtrace        hutch++ with every ω in turn left out of Q, and the mean over all           smaller by a constant

Where eigenvalues fall quickly, as a network's do, Q captures nearly all of the trace and little is left to chance. All
are unbiased, and the last two are exact for a matrix of lower rank than Q has columns.

XTrace in k products for Y = H Ω = Q R and k more for H Q. Leaving column i out of Y leaves P = Q (I - s sᵀ) Qᵀ of the
projection QQᵀ, where s is column i of R⁻ᵀ scaled to length 1, for that is orthogonal to all other columns of R. With
G = QᵀHQ, w = Qᵀω, r = R eᵢ = QᵀHω, σ = s·w and u = w - σ s, so P ω = Q u,

    estimate i = tr G - sᵀGs + c (-w·r + 2 σ r·s + uᵀGu),   c = (n - k + 1) / (n - ‖u‖²)

where c turns (I - P) ω, of length² n - ‖u‖², into a vector of the length that it has in the mean.

References:
    Hutchinson, A stochastic estimator of the trace of the influence matrix, 1989.
    Meyer, Musco, Musco & Woodruff, Hutch++: optimal stochastic trace estimation, 2021.
    Epperly, Tropp & Webber, XTrace: making the most of every sample in stochastic trace estimation, 2024.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks
from jaxnn.curvature.operator import Operator, hessian_of, in_chunks
from jaxnn.types import Batch, Params


class Estimate(NamedTuple):
    """A number that was estimated from random vectors."""

    value: Float[Array, ""]
    standard_error: Float[Array, ""]  # of `value`; 0 where it is exact
    products: Int[Array, ""]  # how many products with the Hessian it took


def trace(
    f: Callable[..., Any],
    params: Params,
    batch: Batch | None = None,
    *,
    key: Any,
    products: int = 60,
    method: str = "xtrace",
) -> Estimate:
    """The trace of the Hessian of f: the sum of its eigenvalues.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the random vectors.
        products: the most products with the Hessian, 6 or more. If there are at least as many as parameters, the exact
            trace is computed.
        method: "xtrace", "hutch++", "hutchinson" or "exact" (one product for each parameter, not random).

    Returns:
        The estimate with its standard error. That of XTrace is rough, because its estimates share most of their
        vectors.

    Raises:
        ValueError: as `hessian_of`; an argument out of range.
    """
    checks.whole(6, products=products)
    checks.one_of(method, METHODS | {"exact": _exact}, "method")
    return _of_function(f, params, batch, key, int(products), method)


@partial(jax.jit, static_argnames=("f", "products", "method"))
def _of_function(f: Any, params: Params, batch: Any, key: Any, products: int, method: str) -> Any:
    operator = hessian_of(f, params, batch)
    return trace_of(operator, key, products, method)


def trace_of(operator: Operator, key: Any, products: int, method: str) -> Estimate:
    """As `trace`, of any symmetric matrix."""
    with jax.default_matmul_precision("highest"):
        if method == "exact" or products >= operator.n:
            return _exact(operator)
        return METHODS[method](operator, key, products)


def _exact(operator: Operator) -> Estimate:
    n, dtype = operator.n, operator.dtype
    diagonal = in_chunks(lambda i: operator.product(jnp.zeros(n, dtype).at[i].set(1))[i], jnp.arange(n))
    return Estimate(jnp.sum(diagonal), jnp.zeros((), dtype), jnp.asarray(n, jnp.int32))


def _hutchinson(operator: Operator, key: Any, products: int) -> Estimate:
    signs = jax.random.rademacher(key, (products, operator.n), operator.dtype)
    return _mean(jnp.sum(signs * operator.products(signs), axis=1), 0.0, products)


def _hutch_plus_plus(operator: Operator, key: Any, products: int) -> Estimate:
    k = products // 3
    signs = jax.random.rademacher(key, (2 * k, operator.n), operator.dtype)
    q, _ = jnp.linalg.qr(operator.products(signs[:k]).T)
    within = jnp.sum(q.T * operator.products(q.T))
    rest = signs[k:] - (signs[k:] @ q) @ q.T
    return _mean(jnp.sum(rest * operator.products(rest), axis=1), within, 3 * k)


def _xtrace(operator: Operator, key: Any, products: int) -> Estimate:
    k, n = products // 2, operator.n
    drawn = jax.random.normal(key, (k, n), operator.dtype)
    omega = jnp.sqrt(n) * drawn / jnp.linalg.norm(drawn, axis=1, keepdims=True)  # on the sphere of radius √n
    q, r = jnp.linalg.qr(operator.products(omega).T)
    g = operator.products(q.T) @ q
    g, w, s = (g + g.T) / 2, q.T @ omega.T, _left_out(r)
    sigma = jnp.sum(s * w, axis=0)
    u = w - sigma * s
    scale = (n - k + 1) / (n - jnp.sum(u**2, axis=0))
    within = jnp.trace(g) - jnp.sum(s * (g @ s), axis=0)
    beyond = -jnp.sum(w * r, axis=0) + 2 * sigma * jnp.sum(r * s, axis=0) + jnp.sum(u * (g @ u), axis=0)
    return _mean(within + scale * beyond, 0.0, 2 * k)


def _left_out(r: Array) -> Array:
    """For each column of R, in columns: the unit vector orthogonal to all the others.

    R is singular if the Hessian's rank is less than k. Then many vectors will do, and rounding may choose.
    """
    diagonal = jnp.diagonal(r)
    largest = jnp.max(jnp.abs(r))
    least = jnp.finfo(r.dtype).eps * jnp.where(largest > 0, largest, 1)
    lifted = r + jnp.diag(jnp.where(jnp.abs(diagonal) < least, least, 0))
    s = jax.scipy.linalg.solve_triangular(lifted, jnp.eye(len(r), dtype=r.dtype), trans="T")
    return s / jnp.linalg.norm(s, axis=0)


def _mean(samples: Array, added: Any, products: int) -> Estimate:
    """The mean and its standard error, from samples (m,)."""
    m = samples.shape[0]
    error = jnp.std(samples, ddof=1) / m**0.5
    return Estimate(added + jnp.mean(samples), error, jnp.asarray(products, jnp.int32))


METHODS: dict[str, Callable[[Operator, Any, int], Estimate]] = {
    "xtrace": _xtrace,
    "hutch++": _hutch_plus_plus,
    "hutchinson": _hutchinson,
}
