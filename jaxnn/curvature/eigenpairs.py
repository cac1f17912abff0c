"""The extreme eigenvalues of a spectrum, with their vectors and an error bound for each.

Lanczos' process with thick restarts: when the space is full, the Ritz vectors worth keeping become its first rows, and
the process goes on from where it was. Once all wanted pairs have converged, it starts again from a random vector
orthogonal to them, until that finds nothing better: a single start vector sees only one vector of each eigenspace.

For a symmetric matrix some eigenvalue lies within ‖H x - θ x‖ of θ, whatever the unit vector x: the residuals, computed
from one more product each, are bounds. With random vectors, one cannot be certain that no eigenvalue lies further out:
`outside` gives the probability.

References:
    Wu & Simon, Thick-restart Lanczos method for large symmetric eigenvalue problems, 2000.
    Parlett, The symmetric eigenvalue problem, 1980, section 4.5 (residual bounds).
    Kuczyński & Woźniakowski, Estimating the largest eigenvalue by the power and Lanczos algorithms with a random
        start, 1992, theorem 4.2.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.curvature.lanczos import Product, Space, begin, check_steps, extend

MOST_SWEEPS = 50
WHICH = {"largest": "λ", "smallest": "-λ", "magnitude": "|λ|", "both": "from either end in turn"}


class Eigenpair(NamedTuple):
    """One eigenvalue of a symmetric matrix."""

    value: Float[Array, ""]
    vector: Float[Array, " n"]  # of length 1
    residual: Float[Array, ""]  # ‖H v - λ v‖: an eigenvalue lies within it of `value`


class Eigenpairs(NamedTuple):
    """k eigenvalues of a symmetric matrix, the most wanted first."""

    values: Float[Array, " k"]
    vectors: Float[Array, "k n"]  # orthonormal rows
    residuals: Float[Array, " k"]  # ‖H v - λ v‖: for each value an eigenvalue lies within its residual
    products: Int[Array, ""]  # how many products with the matrix it took


class Extremes(NamedTuple):
    """The smallest and the largest eigenvalue of a symmetric matrix."""

    smallest: Eigenpair
    largest: Eigenpair
    products: Int[Array, ""]


class _Search(NamedTuple):
    space: Space
    values: Array  # all Ritz values of the space, (m,), in the order of preference
    coefficients: Array  # of the Ritz vectors, in columns, (m, m)
    found: Array  # the wanted values when they had last converged, (k,); infinite before
    filled: Array  # how many Ritz vectors the next sweep begins with
    sweeps: Array
    products: Array
    converged: Array  # a random vector is the next
    done: Array


def eigenpairs(
    product: Product,
    n: int,
    k: int,
    *,
    key: Any,
    dtype: Any = None,
    which: str = "largest",
    steps: int | None = None,
    tolerance: float | None = None,
    sweeps: int = MOST_SWEEPS,
) -> Eigenpairs:
    """The k most wanted eigenpairs of a symmetric matrix.

    Args:
        product: v -> H v on vectors (n,), H symmetric.
        n: the size of the matrix.
        k: how many, from 1 to n.
        key: draws the start vectors.
        dtype: of the vectors; JAX's default float if None.
        which: "largest", "smallest", "magnitude", or "both" (smallest, largest, second smallest, …).
        steps: the vectors kept in memory, more than k or n; the smaller of n and 2 k + 60 if None. With n of them,
            one sweep finds everything.
        tolerance: the residual to reach, relative to the largest eigenvalue by magnitude; eps^⅔ if None, which is
            4e-11 in float64 and 2e-5 in float32.
        sweeps: how often the space is filled at most. The residuals show the accuracy reached by then.

    Returns:
        The pairs. They are not finite if H v is not.

    Raises:
        ValueError: an argument is out of range.
    """
    checks.whole(1, n=n, k=k, sweeps=sweeps)
    checks.one_of(which, WHICH, "which")
    if k > n:
        raise ValueError(f"k must be at most the number of parameters, {n}, got {k}.")
    steps = min(n, 2 * k + 60) if steps is None else steps
    check_steps(steps, n)
    if steps < min(k + 2, n):
        raise ValueError(f"steps must be at least k + 2 = {k + 2} or the number of parameters, {n}, got {steps}.")
    dtype = jnp.result_type(float) if dtype is None else jnp.dtype(dtype)
    tolerance = float(jnp.finfo(dtype).eps) ** (2 / 3) if tolerance is None else tolerance
    checks.positive(tolerance=tolerance)
    search = _searched(product, n, k, key, dtype, _order_by(which, steps), steps, tolerance, sweeps)
    with jax.default_matmul_precision("highest"):
        vectors = search.coefficients[:, :k].T @ search.space.basis
        vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)
        images = jax.lax.map(product, vectors)
    values = jnp.sum(vectors * images, axis=1)  # Rayleigh's quotients: as good as the square of the residual
    residuals = jnp.linalg.norm(images - values[:, None] * vectors, axis=1)
    return Eigenpairs(values, vectors, residuals, search.products + k)


def extreme_eigenpairs(
    product: Product,
    n: int,
    *,
    key: Any,
    dtype: Any = None,
    steps: int | None = None,
    tolerance: float | None = None,
    sweeps: int = MOST_SWEEPS,
) -> Extremes:
    """The smallest and the largest eigenvalue of a symmetric matrix, with vectors and residuals.

    Args:
        product: v -> H v on vectors (n,), H symmetric.
        n: the size of the matrix.
        key: draws the start vectors.
        dtype: as for `eigenpairs`, like the rest.
        steps: likewise.
        tolerance: likewise.
        sweeps: likewise.

    Returns:
        Both pairs; the same pair twice if n is 1.
    """
    both = eigenpairs(
        product,
        n,
        min(2, n),
        key=key,
        dtype=dtype,
        which="both",
        steps=steps,
        tolerance=tolerance,
        sweeps=sweeps,
    )
    smallest, largest = (Eigenpair(both.values[i], both.vectors[i], both.residuals[i]) for i in (0, -1))
    return Extremes(smallest, largest, both.products)


def outside(n: int, steps: int, *, failure: float = 1e-6) -> float:
    """How far the spectrum may extend beyond the Ritz values, as a fraction of its width.

    After `steps` of Lanczos' process from a random vector the largest Ritz value θ obeys
    λ_max - θ ≤ ε (λ_max - λ_min), except with probability 1.648 √n exp(-√ε (2 steps - 1)); this is that ε, and the same
    holds at the other end. Restarts can only improve it.

    Args:
        n: the size of the matrix.
        steps: of the first sweep.
        failure: the probability in (0, 1) of being wrong.

    Returns:
        ε in [0, 1]; 0 where `steps` is n.
    """
    checks.whole(1, n=n, steps=steps)
    if not 0 < failure < 1:
        raise ValueError(f"failure must be a probability in (0, 1), got {failure!r}.")
    return 0.0 if steps >= n else min(1.0, (math.log(1.648 * math.sqrt(n) / failure) / (2 * steps - 1)) ** 2)


def _order_by(which: str, m: int) -> Callable[[Array], Array]:
    """From ascending values (m,) to their places, the most wanted first."""
    alternating = [place for pair in zip(range(m), reversed(range(m)), strict=True) for place in pair][:m]
    orders: dict[str, Callable[[Array], Array]] = {
        "smallest": lambda values: jnp.arange(m),
        "largest": lambda values: jnp.arange(m)[::-1],
        "magnitude": lambda values: jnp.argsort(-jnp.abs(values)),
        "both": lambda values: jnp.asarray(np.array(alternating)),
    }
    return orders[which]


def _searched(
    product: Product,
    n: int,
    k: int,
    key: Any,
    dtype: Any,
    order: Callable[[Array], Array],
    m: int,
    tolerance: float,
    most_sweeps: int,
) -> _Search:
    """Sweeps until the k most wanted Ritz pairs have converged, and a fresh vector finds no better ones."""
    kept = (k + m) // 2  # with the neighbours of what is wanted, which then no longer hide it
    # A single value needs one vector of its eigenspace, and all of Rⁿ leaves nothing to find.
    certain = k == 1 or m == n

    def sweep(search: _Search) -> _Search:
        drawn = jax.random.normal(jax.random.fold_in(key, search.sweeps), (n,), dtype)
        space = extend(product, _restarted(search, drawn), search.filled, drawn)
        upper = jnp.triu(space.projected)
        values, coefficients = jnp.linalg.eigh(upper + jnp.triu(upper, 1).T)
        wanted_first = order(values)
        values, coefficients = values[wanted_first], coefficients[:, wanted_first]
        bound = tolerance * jnp.max(jnp.abs(values))
        converged = jnp.all(space.betas[-1] * jnp.abs(coefficients[-1, :k]) <= bound)
        stay = jnp.all(jnp.abs(values[:k] - search.found) <= bound)
        return _Search(
            space,
            values,
            coefficients,
            found=jnp.where(converged, values[:k], search.found),
            filled=jnp.where(converged, k, kept).astype(jnp.int32),
            sweeps=search.sweeps + 1,
            products=search.products + (m - search.filled),
            converged=converged,
            done=(converged & (stay | certain)) | (m == n) | ~jnp.isfinite(bound),
        )

    zero = jnp.zeros((), jnp.int32)
    start = _Search(
        space=begin(jnp.ones(n, dtype), m),
        values=jnp.zeros(m, dtype),
        coefficients=jnp.zeros((m, m), dtype),
        found=jnp.full(k, jnp.inf, dtype),
        filled=zero,
        sweeps=zero,
        products=zero,
        converged=jnp.ones((), bool),
        done=jnp.zeros((), bool),
    )
    with jax.default_matmul_precision("highest"):
        return jax.lax.while_loop(lambda search: ~search.done & (search.sweeps < most_sweeps), sweep, start)


def _restarted(search: _Search, drawn: Array) -> Space:
    """The Ritz vectors worth keeping, and where to go on: what is left over, or if all has converged at random."""
    rows = jnp.arange(len(search.values)) < search.filled
    basis = jnp.where(rows[:, None], search.coefficients.T @ search.space.basis, 0)
    for _ in range(2):
        drawn = drawn - (basis @ drawn) @ basis
    onwards = jnp.where(search.converged, drawn / tree.norm(drawn), search.space.next)
    return Space(basis, jnp.diag(jnp.where(rows, search.values, 0)), jnp.zeros_like(search.values), onwards)
