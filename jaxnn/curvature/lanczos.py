"""Lanczos' process: the extreme eigenvalues of a symmetric matrix, from products with vectors alone.

    H Vᵀ = Vᵀ T + βₘ v_{m+1} eₘᵀ,   V Vᵀ = I       T tridiagonal: α on its diagonal, β beside it
    ‖H x - θ x‖ = βₘ |yₘ|                           of a Ritz pair, T y = θ y, x = Vᵀ y

Without care the rows of V lose their orthogonality as soon as a Ritz pair converges, and copies of it appear. Here each
new vector is made orthogonal to all rows before it, twice, which costs 4 j n operations in step j and is enough.

If β is only rounding, the vectors so far span an invariant space. It is set to 0, and the process goes on with
a fresh random vector orthogonal to that space: T falls into blocks, as H does, and repeated eigenvalues
are found that one start vector cannot see.

References:
    Lanczos, An iteration method for the solution of the eigenvalue problem, 1950.
    Parlett, The symmetric eigenvalue problem, 1980, chapters 6 and 13 (twice is enough: section 6.9).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks, numerics, tree

Product: TypeAlias = Callable[[Any], Any]  # v -> H v, both (n,); H symmetric


class Lanczos(NamedTuple):
    """The result of m steps."""

    alphas: Float[Array, " m"]  # the diagonal of T
    betas: Float[Array, " m"]  # beside it; the last one is the norm of what is left over
    basis: Float[Array, "m n"]  # V: orthonormal rows


class Space(NamedTuple):
    """A subspace on its way, and H projected on it."""

    basis: Float[Array, "m n"]  # orthonormal rows, followed by zeros
    projected: Float[Array, "m m"]  # the upper triangle of V H Vᵀ
    betas: Float[Array, " m"]
    next: Float[Array, " n"]  # a unit vector orthogonal to the basis


def lanczos(product: Product, start: Float[Array, " n"], steps: int, *, key: Any = None) -> Lanczos:
    """Runs Lanczos' process with full reorthogonalisation.

    Args:
        product: v -> H v on vectors (n,), H symmetric.
        start: (n,), not 0; its length does not matter.
        steps: m, from 1 to n.
        key: draws the random vectors after a breakdown; `jax.random.key(0)` if None.

    Returns:
        T and V. Where β is 0 the process broke down, and what follows belongs to another invariant space.

    Raises:
        ValueError: `steps` is out of range.
    """
    check_steps(steps, start.shape[0])
    drawn = jax.random.normal(jax.random.key(0) if key is None else key, start.shape, start.dtype)
    space = extend(product, begin(start, steps), 0, drawn)
    return Lanczos(jnp.diagonal(space.projected), space.betas, space.basis)


def begin(start: Float[Array, " n"], steps: int) -> Space:
    """An empty space that is going to hold `steps` vectors, the direction of `start` first."""
    dtype, n, unit = start.dtype, start.shape[0], start / tree.norm(start)
    return Space(
        jnp.zeros((steps, n), dtype),
        jnp.zeros((steps, steps), dtype),
        jnp.zeros(steps, dtype),
        unit,
    )


def extend(product: Product, space: Space, filled: Any, drawn: Float[Array, " n"]) -> Space:
    """Fills the space, whose first `filled` rows are there: each new one is H times the one before, made orthogonal.

    After a breakdown it is a random vector: `drawn`, shifted by as many places as there are rows. Shifts of one vector
    are independent, almost surely, and need no random numbers in the loop.
    """
    m = space.basis.shape[0]
    # The basis is orthonormal to δ ≈ eps √m. What remains of H v is so to δ² / β, which must stay below δ.
    least = 10 * math.sqrt(m) * float(jnp.finfo(space.basis.dtype).eps)

    def step(j: Any, space: Space) -> Space:
        basis = space.basis.at[j].set(space.next)
        both = jnp.stack([product(space.next), jnp.roll(drawn, j + 1)])
        (rest, fresh), (along, _) = _orthogonal(both, basis)
        projected = space.projected.at[:, j].set(along)
        beta = tree.norm(rest)
        broken = beta <= least * jnp.max(jnp.abs(projected))
        direction = jnp.where(broken, numerics.ratio(fresh, tree.norm(fresh)), numerics.ratio(rest, beta))
        return Space(basis, projected, space.betas.at[j].set(jnp.where(broken, 0, beta)), direction)

    # A GPU's reduced precision in matrix products would destroy the orthogonality, and all results with it.
    with jax.default_matmul_precision("highest"):
        return jax.lax.fori_loop(filled, m, step, space)


def check_steps(steps: int, n: int) -> None:
    """Raises ValueError unless `steps` is in 1..n."""
    checks.whole(1, steps=steps)
    if steps > n:
        raise ValueError(f"steps must be at most the number of parameters, {n}, got {steps}.")


def _orthogonal(vectors: Array, basis: Array) -> tuple[Array, Array]:
    """The parts of vectors (k, n) orthogonal to the rows of a basis (m, n), and the coefficients (k, m) of the rest."""
    along = vectors @ basis.T
    vectors = vectors - along @ basis
    again = vectors @ basis.T
    return vectors - again @ basis, along + again
