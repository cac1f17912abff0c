"""Curvature in a few numbers: the sharpest directions, the condition number, and the curvature of each layer."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks
from jaxnn.curvature.eigenpairs import (
    MOST_SWEEPS,
    WHICH,
    Eigenpairs,
    Extremes,
    eigenpairs,
    extreme_eigenpairs,
)
from jaxnn.curvature.operator import Operator, hessian_of
from jaxnn.curvature.trace import trace_of
from jaxnn.types import Batch, Params

DENSE = 256  # a block of at most so many rows is cheaper to form than to estimate


class LayerCurvature(NamedTuple):
    """The diagonal block of the Hessian that belongs to one part of the parameters."""

    trace: Float[Array, ""]
    trace_error: Float[Array, ""]  # the standard error of `trace`; 0 where it is exact
    smallest: Float[Array, ""]  # eigenvalue of the block
    largest: Float[Array, ""]
    residual: Float[Array, ""]  # the larger of the two eigenvalues' error bounds


def top_eigenpairs(
    f: Callable[..., Any],
    params: Params,
    k: int,
    batch: Batch | None = None,
    *,
    key: Any,
    which: str = "largest",
    steps: int | None = None,
    tolerance: float | None = None,
    sweeps: int = MOST_SWEEPS,
) -> Eigenpairs:
    """The k most wanted eigenpairs of the Hessian of f, with error bounds.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        k: how many, from 1 to the number of parameters.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the start vectors.
        which: "largest", "smallest", "magnitude", or "both" (smallest, largest, second smallest, …).
        steps: as for `eigenpairs`, like the rest.
        tolerance: likewise.
        sweeps: likewise.

    Returns:
        Values (k,), vectors (k, n) in ravel order, residuals (k,).

    Raises:
        ValueError: as `hessian_of` and `eigenpairs`.
    """
    checks.one_of(which, WHICH, "which")
    return _top(f, params, batch, key, k=k, which=which, steps=steps, tolerance=tolerance, sweeps=sweeps)


@partial(jax.jit, static_argnames=("f", "k", "which", "steps", "tolerance", "sweeps"))
def _top(f: Any, params: Params, batch: Any, key: Any, *, k: int, **options: Any) -> Eigenpairs:
    operator = hessian_of(f, params, batch)
    return eigenpairs(operator.product, operator.n, k, key=key, dtype=operator.dtype, **options)


@partial(jax.jit, static_argnames=("f",))
def extremes(f: Callable[..., Any], params: Params, batch: Batch | None = None, *, key: Any) -> Extremes:
    """The smallest and the largest eigenvalue of the Hessian of f, with vectors and error bounds.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the start vectors.

    Raises:
        ValueError: as `hessian_of`.
    """
    operator = hessian_of(f, params, batch)
    return extreme_eigenpairs(operator.product, operator.n, key=key, dtype=operator.dtype)


def sharpness(f: Callable[..., Any], params: Params, batch: Batch | None = None, *, key: Any) -> Float[Array, ""]:
    """The largest eigenvalue λ of the Hessian of f.

    Gradient descent on a quadratic multiplies the error along each eigenvector by 1 - η λᵢ in each step, and so
    diverges where the learning rate η exceeds 2 / λ; with momentum μ, where it exceeds (2 + 2 μ) / λ. On networks,
    full-batch gradient descent typically sharpens the loss until λ hovers around 2 / η.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the start vector.

    Raises:
        ValueError: as `hessian_of`.

    References:
        Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, 2021.
    """
    return top_eigenpairs(f, params, 1, batch, key=key).values[0]


def condition_number(
    f: Callable[..., Any], params: Params, batch: Batch | None = None, *, key: Any
) -> Float[Array, ""]:
    """The condition number of a minimum: largest over smallest eigenvalue of the Hessian of f.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the start vectors.

    Returns:
        The quotient; infinity if the smallest eigenvalue is negative or cannot be distinguished from 0, as at a
        saddle or along a flat direction.

    Raises:
        ValueError: as `hessian_of`.
    """
    return condition_of(extremes(f, params, batch, key=key))


def condition_of(extreme: Extremes) -> Float[Array, ""]:
    """The condition number from the smallest and the largest eigenvalue."""
    value = extreme.smallest.value
    rounding = jnp.finfo(value.dtype).eps * jnp.abs(extreme.largest.value)
    definite = value > jnp.maximum(extreme.smallest.residual, rounding)
    unknown = ~jnp.isfinite(value)
    quotient = jnp.where(definite, extreme.largest.value / jnp.where(definite, value, 1), jnp.inf)
    return jnp.where(unknown, jnp.nan, quotient)


def layer_curvature(
    f: Callable[..., Any], params: Params, batch: Batch | None = None, *, key: Any, products: int = 60
) -> tuple[LayerCurvature, ...]:
    """The trace, smallest and largest eigenvalue of each diagonal block of the Hessian of f.

    A block belongs to one top-level part of the parameters: a layer of an MLP, an entry of a dictionary. Coupling
    between parts is left out. By Cauchy's interlacing theorem, no block's spectrum exceeds that of the whole Hessian.

    Args:
        f: a scalar function of a pytree; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        key: draws the random vectors.
        products: for the trace of a block of more than 256 parameters; smaller blocks are computed whole.

    Returns:
        One for each part, in the order of `parts_of`.

    Raises:
        ValueError: as `hessian_of` and `trace`.
    """
    checks.whole(6, products=products)
    pieces, _ = _parts(params)
    return tuple(
        _layer(f, params, batch, jax.random.fold_in(key, index), index, int(products))
        for index, piece in enumerate(pieces)
        if jax.tree.leaves(piece)
    )


def parts_of(params: Params) -> tuple[Params, ...]:
    """The top-level parts of the parameters that are not empty: the layers of an MLP."""
    return tuple(piece for piece in _parts(params)[0] if jax.tree.leaves(piece))


@partial(jax.jit, static_argnames=("f", "index", "products"))
def _layer(f: Any, params: Params, batch: Any, key: Any, index: int, products: int) -> LayerCurvature:
    pieces, structure = _parts(params)

    def within(piece: Params, *batch: Any) -> Array:
        whole = jax.tree.unflatten(structure, [*pieces[:index], piece, *pieces[index + 1 :]])
        return f(whole, *batch)

    operator = hessian_of(within, pieces[index], batch)
    if operator.n <= DENSE:
        return _whole(operator)
    estimate = trace_of(operator, jax.random.fold_in(key, 1), products, "xtrace")
    extreme = extreme_eigenpairs(operator.product, operator.n, key=key, dtype=operator.dtype)
    return LayerCurvature(
        estimate.value,
        estimate.standard_error,
        extreme.smallest.value,
        extreme.largest.value,
        jnp.maximum(extreme.smallest.residual, extreme.largest.residual),
    )


def _whole(operator: Operator) -> LayerCurvature:
    """From the block itself; the bound is what rounding does to the eigenvalues of a symmetric matrix."""
    block = operator.products(jnp.eye(operator.n, dtype=operator.dtype))
    values = jnp.linalg.eigvalsh((block + block.T) / 2)
    rounding = operator.n * jnp.finfo(operator.dtype).eps * jnp.max(jnp.abs(values))
    return LayerCurvature(jnp.trace(block), jnp.zeros((), operator.dtype), values[0], values[-1], rounding)


def _parts(params: Params) -> tuple[list[Any], Any]:
    """The children of the root; a lone array is its own."""
    return jax.tree.flatten(params, is_leaf=lambda node: node is not params)
