"""The loss along lines and over planes through its parameters.

    φ(t) = f(θ + t u),   φ(x, y) = f(θ + x u + y v)

A ReLU network computes the same function after w₁ → a w₁, b₁ → a b₁, w₂ → w₂ / a, but a step of a given length changes
large weights little and small ones a lot. In a filter-normalised direction, the part that belongs to each unit is as
long as that unit's weights. The picture is then the same for both networks.

References:
    Goodfellow, Vinyals & Saxe, Qualitatively characterizing neural network optimization problems, 2015 (lines).
    Li, Xu, Taylor, Studer & Goldstein, Visualizing the loss landscape of neural nets, 2018 (planes, filters).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks, numerics, tree
from jaxnn.curvature.operator import in_chunks
from jaxnn.curvature.summary import top_eigenpairs
from jaxnn.derivatives import flat
from jaxnn.types import Batch, Params


class Plane(NamedTuple):
    """A function over a plane through its parameters, which are at (0, 0)."""

    xs: Float[Array, " n"]  # steps along the first direction
    ys: Float[Array, " m"]  # along the second
    values: Float[Array, "m n"]  # values[i, j] = f(θ + xs[j] u + ys[i] v); may be infinite or NaN


def line(f: Callable[[Params], Any], params: Params, direction: Params, ts: Float[Array, " n"]) -> Float[Array, " n"]:
    """f(θ + t u) for each t.

    Args:
        f: a scalar function of a pytree.
        params: θ.
        direction: u, like the parameters.
        ts: the steps.
    """
    return _over_line(f, params, direction, jnp.asarray(ts))


def interpolation(f: Callable[[Params], Any], a: Params, b: Params, ts: Float[Array, " n"]) -> Float[Array, " n"]:
    """f((1 - t) a + t b) for each t: from a at t = 0 to b at t = 1, exactly so at both ends.

    Args:
        f: a scalar function of a pytree.
        a: parameters.
        b: parameters of the same shapes.
        ts: the positions between (or beyond) them.
    """
    return _between(f, a, b, jnp.asarray(ts))


def plane(
    f: Callable[[Params], Any],
    params: Params,
    u: Params,
    v: Params,
    extent: float = 1.0,
    n: int = 51,
) -> Plane:
    """f(θ + x u + y v) on a square grid.

    Args:
        f: a scalar function of a pytree.
        params: θ.
        u: the first direction, like the parameters.
        v: the second.
        extent: x and y reach from minus this to this, > 0.
        n: points along each side, 2 or more; an odd number has the parameters in the middle.

    Raises:
        ValueError: an argument out of range.
    """
    checks.positive(extent=extent)
    checks.whole(2, n=n)
    # From whole numbers, so the middle is exactly 0.
    steps = extent * (2 * jnp.arange(n) - (n - 1)) / (n - 1)
    return Plane(steps, steps, _over_plane(f, params, u, v, steps))


def random_directions(key: Any, params: Params, filter_normalised: bool = True) -> tuple[Params, Params]:
    """Two random directions, like the parameters.

    Args:
        key: draws the normally distributed entries.
        params: the parameters to start from.
        filter_normalised: each unit's part has the length of its own weights: each column of an array (…, n_out) of
            two or more dimensions. Biases, the arrays of fewer, do not move, unless there is nothing else; then each
            array is one filter. If False, the whole direction has length 1.
    """
    first, second = jax.random.split(key)
    return _direction(first, params, filter_normalised), _direction(second, params, filter_normalised)


def eigen_directions(
    f: Callable[..., Any], params: Params, batch: Batch | None = None, *, key: Any
) -> tuple[Params, Params]:
    """The two directions of largest curvature by magnitude, each of length 1, like the parameters.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: the parameters to start from.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the start vectors.

    Raises:
        ValueError: as `top_eigenpairs`, and if there is only one parameter.
    """
    vectors = top_eigenpairs(f, params, 2, batch, key=key, which="magnitude").vectors
    unravel = flat.unravel(params)
    return unravel(vectors[0]), unravel(vectors[1])


@partial(jax.jit, static_argnums=0)
def _over_line(f: Any, params: Params, direction: Params, ts: Array) -> Array:
    return in_chunks(lambda t: f(_moved(params, (t, direction))), ts)


@partial(jax.jit, static_argnums=0)
def _between(f: Any, a: Params, b: Params, ts: Array) -> Array:
    return in_chunks(lambda t: f(jax.tree.map(lambda p, q: ((1 - t) * p + t * q).astype(p.dtype), a, b)), ts)


@partial(jax.jit, static_argnums=0)
def _over_plane(f: Any, params: Params, u: Params, v: Params, steps: Array) -> Array:
    x, y = jnp.meshgrid(steps, steps)
    points = jnp.stack([x.ravel(), y.ravel()], axis=1)
    return in_chunks(lambda xy: f(_moved(params, (xy[0], u), (xy[1], v))), points).reshape(x.shape)


def _moved(params: Params, *moves: tuple[Array, Params]) -> Params:
    for t, direction in moves:
        params = jax.tree.map(lambda p, d, t=t: (p + t * d).astype(p.dtype), params, direction)
    return params


def _direction(key: Any, params: Params, filter_normalised: bool) -> Params:
    leaves, structure = jax.tree.flatten(flat.floating(params))
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves, strict=True)]
    if not filter_normalised:
        length = tree.norm(drawn)
        return jax.tree.unflatten(structure, [(d / length).astype(d.dtype) for d in drawn])
    matrices = any(leaf.ndim >= 2 for leaf in leaves)
    return jax.tree.unflatten(
        structure, [_normalised(d, leaf, matrices) for d, leaf in zip(drawn, leaves, strict=True)]
    )


def _normalised(drawn: Array, leaf: Array, matrices: bool) -> Array:
    """The drawn array with each filter of the length of the parameters' own."""
    if leaf.ndim < 2 and matrices:
        return jnp.zeros_like(leaf)
    axes = tuple(range(leaf.ndim - 1)) if leaf.ndim >= 2 else None

    def length(array: Array) -> Array:
        return jnp.sqrt(jnp.sum(array**2, axis=axes, keepdims=True))

    return drawn * numerics.ratio(length(leaf), length(drawn))
