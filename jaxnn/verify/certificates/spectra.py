"""The Hessian's eigenvalues at a point, and what they say of the Newton step, each with its error bound.

    dense           from the whole Hessian, decomposed: every eigenvalue
    extremes_only   from products with vectors: the spectrum's ends by Lanczos' process, the step by conjugate gradients

References:
    Ruiz, A scaling algorithm to equilibrate both rows and columns norms in matrices, 2001.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import curvature
from jaxnn.verify.certificates.neighbourhood import Neighbourhood, Rounding

SAFETY = 4.0  # of what rounding is estimated to do
EVENINGS = 20  # of the units; each halves, in decades, what is above 1
PRODUCTS = 500  # that conjugate gradients may take for the Newton step


class Curvature(NamedTuple):
    """What is known of the Hessian at a point: as it stands, and with the parameters in their units."""

    min_eigenvalue: float  # as it stands
    max_eigenvalue: float
    bound: float  # δ of these
    diagonal: np.ndarray  # of the Hessian (n,)
    unit: np.ndarray  # u (n,)
    least: float  # the smallest eigenvalue in these units
    most: float
    sure: float  # δ of these
    lowest: np.ndarray  # the eigenvector of the smallest eigenvalue, back in the parameters, as the next two (n,)
    null: np.ndarray  # null vectors in columns, (n, k); of those that are known
    inverse: np.ndarray  # columns v/√λ of the positive directions that are known, (n, r)
    outside: np.ndarray  # g along null directions, back in the parameters (n,)
    decrement: float
    distance: float  # ‖H⁻¹g‖, as the parameters stand
    reach: float  # the same, in their units
    condition: float
    rank: int | None


def _units(matrix: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """|Hᵢᵢ|^-½; without a curvature of its own, the parameter itself, or 1 where that is 0.

    Where mixed curvatures exceed the parameters' own, as at a saddle, or where one's own is rounding, the units are
    evened out (Ruiz 2001) until next to none does.
    """
    diagonal, mixed = np.abs(np.diagonal(matrix)), np.abs(matrix)
    unit = np.where(theta != 0, np.abs(theta), 1.0)
    unit = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), unit)
    for _ in range(EVENINGS):
        largest = unit * np.max(mixed * unit, axis=1)
        unit = unit / np.sqrt(np.maximum(largest, 1.0))
    return unit


def dense(neighbourhood: Neighbourhood, rounding: Rounding) -> Curvature | None:
    """From the whole Hessian, decomposed in float64 whatever it was computed in."""
    theta = np.asarray(neighbourhood.theta, np.float64)
    matrix = neighbourhood.hessian(neighbourhood.theta)
    if not np.isfinite(matrix).all():
        return None
    unit = _units(matrix, theta)
    outer = unit[:, None] * unit
    scaled, g = matrix * outer, rounding.gradient * unit
    values, vectors = np.linalg.eigh(scaled)
    rounded = len(g) ** 0.5 * neighbourhood.eps * float(np.abs(values).max())
    along = vectors.T @ g
    step = -vectors @ np.where(np.abs(values) > rounded, along / np.where(values == 0, 1, values), 0)
    near = np.linalg.norm(step) <= neighbourhood.eps**0.5 * np.linalg.norm(theta / unit)
    other = neighbourhood.hessian(neighbourhood.point(neighbourhood.neighbours(1)[0] + (unit * step if near else 0)))
    sure = SAFETY * rounded + 2 * _norm((other - matrix) * outer)
    null, positive = np.abs(values) <= sure, values > sure
    size = np.where(null, np.inf, np.abs(values))
    move = -vectors @ (along / size)
    raw = np.linalg.eigvalsh(matrix)
    bound = SAFETY * len(g) ** 0.5 * neighbourhood.eps * float(np.abs(raw).max()) + 2 * _norm(other - matrix)
    least, most = float(np.abs(raw).min()), float(np.abs(raw).max())
    return Curvature(
        min_eigenvalue=float(raw[0]),
        max_eigenvalue=float(raw[-1]),
        bound=bound,
        unit=unit,
        diagonal=np.diagonal(matrix),
        least=float(values[0]),
        most=float(values[-1]),
        sure=sure,
        lowest=unit * vectors[:, 0],
        null=unit[:, None] * vectors[:, null],
        inverse=unit[:, None] * vectors[:, positive] / np.sqrt(values[positive]),
        outside=vectors[:, null] @ along[null] / unit,
        decrement=float(0.5 * np.sum(along**2 / size)),
        distance=float(np.linalg.norm(unit * move)),
        reach=float(np.linalg.norm(move)),
        condition=np.inf if null.any() or least <= bound else most / least,
        rank=int((~null).sum()),
    )


def _norm(matrix: np.ndarray) -> float:
    """The largest magnitude of an eigenvalue."""
    return float(np.abs(np.linalg.eigvalsh(matrix)).max()) if np.isfinite(matrix).all() else np.inf


def extremes_only(neighbourhood: Neighbourhood, rounding: Rounding) -> Curvature | None:
    """From products with vectors: the spectrum's ends by Lanczos' process, the Newton step by conjugate gradients.

    The decrement of conjugate gradients only grows with their steps: it is a lower bound where they did not converge.
    """
    n = neighbourhood.size

    def extremes(theta: Any, given: Any) -> Any:
        def product(v: Any) -> Any:
            return neighbourhood.traced_product(theta, v, given)

        return curvature.extreme_eigenpairs(product, n, key=jax.random.key(0), dtype=theta.dtype)

    found = neighbourhood.compiled(extremes)(neighbourhood.theta)
    low, high = float(found.smallest.value), float(found.largest.value)
    if not np.isfinite((low, high)).all():
        return None
    lowest, scale = found.smallest.vector, max(abs(low), abs(high))
    here, moved = (
        neighbourhood.product(neighbourhood.point(theta), neighbourhood.point(lowest))
        for theta in (neighbourhood.theta, neighbourhood.neighbours(1)[0])
    )
    residual = max(float(found.smallest.residual), float(found.largest.residual))
    bound = residual + 2 * float(np.linalg.norm(moved - here)) + SAFETY * n**0.5 * neighbourhood.eps * scale
    g, definite = rounding.gradient, low > bound
    step = _newton_step(neighbourhood, g) if definite else np.full(n, np.nan)
    null = np.zeros((n, 0)) if abs(low) > bound else lowest[:, None]
    return Curvature(
        min_eigenvalue=low,
        max_eigenvalue=high,
        bound=bound,
        unit=np.ones(n),
        diagonal=np.full(n, scale),  # at most: the exact one would take n products
        least=low,
        most=high,
        sure=bound,
        lowest=lowest,
        null=null,
        inverse=np.zeros((n, 1)),
        outside=np.zeros(n) if definite else g,
        decrement=float(-0.5 * g @ step),
        distance=float(np.linalg.norm(step)),
        reach=float(np.linalg.norm(step)),
        condition=high / low if definite else np.inf if null.size else np.nan,
        rank=n if definite else None,
    )


def _newton_step(neighbourhood: Neighbourhood, g: np.ndarray) -> np.ndarray:
    """-H⁻¹ g by conjugate gradients, H positive definite."""

    def solve(theta: Any, g: Any, given: Any) -> Any:
        product = lambda v: neighbourhood.traced_product(theta, v, given)
        return jax.scipy.sparse.linalg.cg(product, -g, tol=1e-6, maxiter=min(2 * neighbourhood.size, PRODUCTS))[0]

    return neighbourhood.compiled(solve)(neighbourhood.theta, neighbourhood.point(g))
