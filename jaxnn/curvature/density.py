"""The density of a Hessian's eigenvalues by stochastic Lanczos quadrature.

    ρ(λ) = (1/n) Σᵢ δ(λ - λᵢ) ≈ mean over probes v of Σⱼ (y₁ⱼ)² δ(λ - θⱼ),   T y = θ y

Lanczos' process from a random v of length 1 gives the nodes θ and weights y₁² of Gauss' quadrature for the measure that
v sees: it is exact for polynomials of degree up to 2 steps - 1, so the mean of θᵖ is the mean of vᵀ Hᵖ v. Each node is
then widened to a bell curve, all of one width.

References:
    Ubaru, Chen & Saad, Fast estimation of tr(f(A)) via stochastic Lanczos quadrature, 2017.
    Lin, Saad & Yang, Approximating spectral densities of large matrices, 2016.
    Ghorbani, Krishnan & Xiao, An investigation into neural net optimization via Hessian eigenvalue density, 2019.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks
from jaxnn.curvature.lanczos import lanczos
from jaxnn.curvature.operator import Operator, hessian_of, in_chunks
from jaxnn.types import Batch, Params

REACH = 6.0  # widths that the grid reaches beyond the nodes: the bells end there


class Density(NamedTuple):
    """The distribution of a symmetric matrix's eigenvalues."""

    grid: Float[Array, " points"]  # λ, equally spaced
    density: Float[Array, " points"]  # ρ(λ); its integral over the grid is 1
    nodes: Float[Array, " m"]  # θ of all probes
    weights: Float[Array, " m"]  # of the nodes; they sum to 1

    def share(self, low: Any = -jnp.inf, high: Any = jnp.inf) -> Array:
        """The share of the eigenvalues between two numbers, both excluded."""
        return jnp.sum(jnp.where((self.nodes > low) & (self.nodes < high), self.weights, 0))

    def negative_share(self, within: float = 1e-6) -> Array:
        """The share of eigenvalues that are below 0 by more than rounding: `within` times the largest magnitude."""
        return self.share(high=-within * jnp.max(jnp.abs(self.nodes)))


def spectral_density(
    f: Callable[..., Any],
    params: Params,
    batch: Batch | None = None,
    *,
    key: Any,
    probes: int = 10,
    steps: int = 80,
    points: int = 1024,
    width: float | None = None,
) -> Density:
    """The density of the eigenvalues of the Hessian of f.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the probes, `jax.random.rademacher(key, (probes, n))`.
        probes: random vectors; the error falls as 1/√(probes · n).
        steps: of Lanczos' process for each probe; at most the number of parameters.
        points: number of grid points, 2 or more.
        width: the standard deviation of the bells; if None, 1/150 of the range of the nodes, or of their magnitude
            if all are equal. A width below a few grid spacings is not resolved.

    Returns:
        The density on a grid that reaches beyond all nodes.

    Raises:
        ValueError: as `hessian_of`; an argument out of range.
    """
    checks.whole(1, probes=probes, steps=steps)
    checks.whole(2, points=points)
    if width is not None:
        checks.positive(width=width)
    return _of_function(f, params, batch, key, width, int(probes), int(steps), int(points))


@partial(jax.jit, static_argnames=("f", "probes", "steps", "points"))
def _of_function(
    f: Any, params: Params, batch: Any, key: Any, width: Any, probes: int, steps: int, points: int
) -> Density:
    return density_of(hessian_of(f, params, batch), key, probes=probes, steps=steps, points=points, width=width)


def density_of(operator: Operator, key: Any, *, probes: int, steps: int, points: int, width: Any) -> Density:
    """As `spectral_density`, of any symmetric matrix."""
    steps = min(steps, operator.n)
    starts = jax.random.rademacher(key, (probes, operator.n), operator.dtype)
    keys = jax.random.split(jax.random.fold_in(key, 1), probes)

    def quadrature(start: Array, key: Any) -> tuple[Array, Array]:
        ran = lanczos(operator.product, start, steps, key=key)
        beside = jnp.diag(ran.betas[:-1], 1)
        nodes, vectors = jnp.linalg.eigh(jnp.diag(ran.alphas) + beside + beside.T)
        return nodes, vectors[0] ** 2

    # One probe after another: each keeps a basis of `steps` vectors.
    nodes, weights = jax.lax.map(lambda each: quadrature(*each), (starts, keys))
    nodes, weights = nodes.ravel(), weights.ravel() / jnp.sum(weights)
    return Density(*broadened(nodes, weights, points, width), nodes, weights)


def broadened(nodes: Array, weights: Array, points: int, width: Any = None) -> tuple[Array, Array]:
    """A grid (points,) around the nodes, and on it the sum of bells whose areas are the weights."""
    low, high = jnp.min(nodes), jnp.max(nodes)
    if width is None:
        scale = jnp.maximum(jnp.abs(low), jnp.abs(high))
        several = high - low > jnp.finfo(nodes.dtype).eps ** 0.5 * scale
        width = jnp.where(several, high - low, jnp.where(scale > 0, scale, 1)) / 150
    grid = jnp.linspace(low - REACH * width, high + REACH * width, points, dtype=nodes.dtype)

    def bells(point: Array) -> Array:
        return jnp.sum(weights * jnp.exp(-0.5 * ((point - nodes) / width) ** 2)) / (width * jnp.sqrt(2 * jnp.pi))

    return grid, in_chunks(bells, grid)
