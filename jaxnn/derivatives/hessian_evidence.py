"""The evidence on a given Hessian: differences of gradients along directions, and products with vectors.

`hessian_check` has the formulae and draws the conclusions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.derivatives import dense, flat
from jaxnn.derivatives.differences import DIRECTIONS
from jaxnn.derivatives.extrapolation import Slopes, slopes
from jaxnn.derivatives.lines import Lines, Values
from jaxnn.derivatives.products import hvp
from jaxnn.types import Params

ROUNDINGS = 1e3  # of the arithmetic of a Hessian or a product, in ε of its scale

_SAFETY = 16.0  # an error of differences is at most so many times its estimate


class Products(NamedTuple):
    """Comparison of the given Hessian with products with vectors."""

    error: float
    row: int  # of the worst entry of H v
    trace_error: float
    trace: float  # by products


def _tree_of(params: Params, rows: np.ndarray) -> Params:
    """Rows of vectors as a tree like the parameters, with a leading axis."""
    return jax.vmap(flat.unravel(params))(jnp.asarray(rows, flat.dtype(params)))


def differences(lines: Lines, rows: np.ndarray) -> Slopes:
    """The slope of every entry of the gradient along every direction: (directions · n,), direction after direction."""
    directions = _tree_of(lines.params, rows)
    signed = lines.steps(directions)
    count = signed.shape[1] // 2

    def value(v: Params, step: Any) -> tuple[Any, Any]:
        point, taken = lines.moved(v, step)
        return flat.ravel(jax.grad(lines.f)(point)), taken

    along = jax.jit(lambda d, s: jax.lax.map(lambda row: jax.lax.map(lambda h: value(row[0], h), row[1]), (d, s)))
    gradients, taken = (np.asarray(a, np.float64) for a in along(directions, jnp.asarray(signed, lines.finest)))
    n = gradients.shape[2]
    values = gradients.swapaxes(1, 2).reshape(len(rows) * n, -1)
    steps = np.repeat(np.where(taken[:, :count] > 0, taken[:, :count], np.nan), n, axis=0)
    return slopes(Values(steps, values[:, :count], values[:, count:-1], values[:, -1:]), lines.eps)


def products(f: Callable[[Params], Any], params: Params, stated: np.ndarray, key: Any) -> Products:
    """The stated Hessian against products with random vectors, and its trace against that in a random basis."""
    n, kind, back = len(stated), flat.dtype(params), flat.unravel(params)
    drawn = np.array(jax.random.normal(jax.random.fold_in(key, 1), (DIRECTIONS + 1, n)), np.float64)
    vectors, u = drawn[:-1].astype(kind).astype(np.float64), drawn[-1] / np.linalg.norm(drawn[-1])

    @jax.jit
    def times(vectors: Any, u: Any) -> tuple[Any, Any]:
        product = lambda v: flat.ravel(hvp(f, params, back(v)))

        def form(i: Any) -> Any:  # qᵢᵀ H qᵢ with qᵢ = eᵢ - 2 uᵢ u, a column of a reflection
            q = (jnp.arange(n) == i) - 2 * u[i] * u
            return q @ product(q)

        each = jax.lax.map(form, jnp.arange(n), batch_size=min(n, dense.TANGENTS))
        return jax.lax.map(product, vectors), jnp.sum(each)

    found, trace = (np.asarray(a, np.float64) for a in times(jnp.asarray(vectors, kind), jnp.asarray(u, kind)))
    sizes = np.abs(vectors) @ np.abs(stated).T
    leaf = _leaf_of(params)
    scale = np.array([sizes[:, leaf == k].max(initial=0.0) for k in range(leaf.max() + 1)])[leaf]
    scale = np.maximum(scale, np.sqrt(float(jnp.finfo(kind).eps)) * sizes.max())
    errors = np.abs(vectors @ stated.T - found).max(axis=0) / np.where(scale > 0, scale, 1.0)
    diagonal = np.diag(stated)
    lengths = max(np.abs(diagonal).sum(), np.abs(stated).max(initial=0.0)) or 1.0
    worst = int(np.argmax(errors))
    return Products(float(errors[worst]), worst, float(abs(diagonal.sum() - trace) / lengths), float(trace))


def _leaf_of(params: Params) -> np.ndarray:
    """The number of the leaf that each entry is in, (n,)."""
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    return np.repeat(np.arange(len(sizes)), sizes)


class Compared(NamedTuple):
    """The stated Hessian against differences along some directions; arrays (directions, n)."""

    stated: np.ndarray
    numerical: np.ndarray
    apart: np.ndarray
    bound: np.ndarray  # what `apart` is at most if H is right
    scale: np.ndarray
    below_noise: np.ndarray  # the entry is below the rounding noise of the differences


def compare(
    lines: Lines, gradient: np.ndarray, stated: np.ndarray, rows: np.ndarray, found: Slopes, every: bool
) -> Compared:
    """Both along each direction, `rows`, and what they may differ by; `every` where the directions are the entries."""
    n = len(stated)
    slope, error, jump = (a.reshape(len(rows), n) for a in (found.slope, found.error, found.jump))
    along = rows @ stated.T
    leaf = _leaf_of(lines.params)
    steepness = np.fmax(np.abs(along), np.abs(slope))
    by_row = leaf if every else np.zeros(len(rows), int)
    largest = np.zeros((by_row.max() + 1, leaf.max() + 1))
    np.maximum.at(largest, (by_row[:, None], leaf[None, :]), np.nan_to_num(steepness, nan=0.0))
    scale = largest[by_row[:, None], leaf[None, :]]
    # A gradient that hardly changes has slope 0, rather than one that cannot be decided.
    steepest = np.array([np.abs(gradient[leaf == k]).max(initial=0.0) for k in range(leaf.max() + 1)])[leaf]
    lengths = np.maximum(lines.sizes(_tree_of(lines.params, rows)), 1.0)
    noise = 4 * np.sqrt(lines.eps) * steepest / lengths[:, None]
    below_noise = noise > scale
    scale = np.maximum(scale, noise)
    scale = np.where(scale > 0, scale, 1.0)
    bound = np.maximum(_SAFETY * error + 64 * lines.eps * scale, np.abs(jump))
    return Compared(along, slope, np.abs(along - slope), bound, scale, below_noise)


def order(found: Slopes, compared: Compared) -> float:
    """The power of h with which central differences approach the stated Hessian, where they still approach their limit.

    Over the last eight steps whose truncation is well above their rounding; NaN where there are not three.
    """
    reached = _norms(found.central - compared.numerical.ravel()[:, None])
    errors = _norms(found.central - compared.stated.ravel()[:, None])
    if not np.isfinite(reached).any():
        return float("nan")
    end = int(np.nanargmin(reached))
    floor = max(30 * reached[end], 1e-3 * np.sqrt(np.finfo(float).eps) * np.nanmax(np.abs(compared.stated)))
    falling = np.flatnonzero(reached[:end] > floor)[-8:]
    if len(falling) < 3:
        return float("nan")
    halvings = -np.log2(np.maximum(errors[falling], np.finfo(float).tiny))
    return float(np.polyfit(falling, halvings, 1)[0])


def _norms(rows: np.ndarray) -> np.ndarray:
    """The norm over all entries at each step; NaN where one of them is not finite."""
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(rows, axis=0)
    return np.where(np.isfinite(norms), norms, np.nan)
