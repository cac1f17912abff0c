"""Is a Hessian right? Differences of the gradient, products with vectors, symmetry and the trace say so.

    differences    H v ≈ (∇f(θ + h v) - ∇f(θ - h v)) / 2h      error ⅙ h² ∇⁴f v³, then Richardson's; by `extrapolation`
    products       H v = d/dt ∇f(θ + t v), to rounding          random v
    symmetry       Hᵢⱼ = Hⱼᵢ, to rounding
    trace          Σ Hᵢᵢ = Σ qᵢᵀ (H qᵢ) for any orthonormal q   I - 2 u uᵀ with a random unit vector u, by products

Differences need nothing but the gradient, and see errors down to their own: some 1e-9 in float64, 1e-3 in float32. The
other three see errors of a few roundings in either, but believe the derivatives of the gradient that jax takes.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.derivatives import dense, flat
from jaxnn.derivatives.differences import (
    AGREES,
    DIRECTIONS,
    DISAGREES,
    EVERY_COORDINATE,
    KINK,
    NOT_FINITE,
    UNDECIDED,
    Curve,
)
from jaxnn.derivatives.extrapolation import Slopes, slopes
from jaxnn.derivatives.lines import Lines, Values
from jaxnn.derivatives.products import hvp
from jaxnn.types import Params

_SAFETY = 16.0  # an error of differences is at most so many times its estimate
_ROUNDINGS = 1e3  # of the arithmetic of a Hessian or a product, in ε of its scale
_DECIDABLE = 0.02  # of the scale: what differences have to be sure of
_FACTOR = 1e-3  # the rest that is left of a Hessian which is a multiple of the right one


@dataclass(frozen=True, eq=False)
class HessianCheck:
    """What `check_hessian` found, and the entry that decided it. `print(report)` says it in words.

    Errors are over `scale`, the largest entry of the same leaf by the same leaf.
    """

    verdict: str  # AGREES, DISAGREES, KINK, UNDECIDED or NOT_FINITE, as in `differences`
    why: str  # in a sentence
    where: str  # the worst entry, such as "params[0].w[1, 2] × params[1].b[0]", or a direction instead of the second
    stated: float  # the Hessian's entry there
    numerical: float  # that of differences; NaN where there are none
    error: float  # |stated - numerical| over `scale`
    step: float  # that gave it: the longest of the extrapolation
    slope: float  # the power of h with which central differences approach H: 2; NaN where they are exact at once
    resolution: float  # over `scale`: differences would not notice a smaller error
    scale: float
    product_error: float  # the largest entry of H v less that of products with random vectors, over the largest of H v
    asymmetry: float  # the largest |Hᵢⱼ - Hⱼᵢ| over the largest |H|
    trace_error: float  # |Σ Hᵢᵢ - Σ qᵢᵀ H qᵢ| over Σ |Hᵢᵢ|
    rounding: float  # up to which the last three are rounding
    directions: int  # of differences
    every_coordinate: bool  # whether they were all of them
    dtype: str
    curve: Curve | None  # of the worst entry

    @property
    def ok(self) -> bool:
        """Whether the Hessian was found right; what could not be decided was not."""
        return self.verdict == AGREES

    def __str__(self) -> str:
        lines = [f"Hessian       {self.verdict}: {self.why}"]
        if self.curve is not None:
            compared = "every column" if self.every_coordinate else f"{self.directions} directions"
            slope = "exact at every step" if np.isnan(self.slope) else f"error falls as h^{self.slope:.2f}"
            lines += [
                f"compared      {compared} with differences of gradients, in {self.dtype}; {slope}",
                f"worst         {self.where}: stated {self.stated:.10g}, by differences {self.numerical:.10g}",
                f"error         {self.error:.2g} of {self.scale:.3g}, at step {self.step:.2g}",
                f"resolution    {self.resolution:.2g}: differences would not notice a smaller error",
                f"products      {self.product_error:.2g}, with random vectors",
                f"asymmetry     {self.asymmetry:.2g}",
                f"trace         {self.trace_error:.2g}, in a random orthonormal basis",
                f"rounding      up to {self.rounding:.2g} in the last three",
            ]
        return "\n".join(lines)


def check_hessian(f: Callable[[Params], Any], params: Params, *, hessian: Any = None, key: Any = None) -> HessianCheck:
    """Compares a Hessian with differences of gradients, with products, with its transpose, and its trace.

    Args:
        f: a real scalar function of the parameters, that jax can differentiate.
        params: a pytree of n floating-point arrays: where the Hessian is checked.
        hessian: (n, n) in ravel order, or a function of the parameters that gives it; `derivatives.hessian` if None.
        key: a PRNG key for the random vectors; jax.random.key(0) if None.

    Returns:
        The report: `ok`, the verdict, the worst entry, its error and the step that gave it, the order in h of central
        differences. Each direction takes some 110 gradients in float64, 50 in float32; there are n of them up to 128
        parameters, 8 random ones beyond. The trace takes n products with vectors.

    Raises:
        ValueError: parameters that are not floating point, f not scalar, a Hessian of another shape.
        MemoryBudgetError: `hessian` is None, and the matrix takes more than half of this machine's memory.
    """
    params = flat.floating(params)
    n = int(flat.ravel(params).size)
    key = jax.random.key(0) if key is None else key
    with jax.debug_nans(False), jax.debug_infs(False), jax.default_matmul_precision("highest"):
        stated = _stated(f, params, hessian, n)
        lines = Lines(f, params)
        gradient = np.asarray(jax.jit(lambda p: flat.ravel(jax.grad(f)(p)))(params), np.float64)
        for name, values in (("the gradient", gradient), ("the Hessian", stated)):
            if not np.isfinite(values).all():
                row = int(np.argwhere(~np.isfinite(values))[0][0])
                return _unchecked(lines, f"{name} is not finite at {flat.entry(params, row)}")
        every = n <= EVERY_COORDINATE
        rows = np.eye(n) if every else _unit(jax.random.normal(key, (DIRECTIONS, n)))
        found = _differences(lines, rows)
        products = _products(f, params, stated, key)
        return _judge(lines, gradient, stated, rows, found, products, every)


class _Products(NamedTuple):
    """What products with vectors say of the stated Hessian."""

    error: float
    row: int  # of the worst entry of H v
    trace_error: float
    trace: float  # by products


def _stated(f: Callable[[Params], Any], params: Params, hessian: Any, n: int) -> np.ndarray:
    if hessian is None:
        hessian = functools.partial(dense.hessian, f)
    stated = np.asarray(jax.jit(hessian)(params) if callable(hessian) else hessian)
    if stated.shape != (n, n):
        raise ValueError(f"hessian must have shape {(n, n)}, a row for each parameter, got {stated.shape}.")
    return stated.astype(np.float64)


def _unit(rows: Any) -> np.ndarray:
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _tree_of(params: Params, rows: np.ndarray) -> Params:
    """Rows of vectors as a tree like the parameters, with a leading axis."""
    return jax.vmap(flat.unravel(params))(jnp.asarray(rows, flat.dtype(params)))


def _differences(lines: Lines, rows: np.ndarray) -> Slopes:
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


def _products(f: Callable[[Params], Any], params: Params, stated: np.ndarray, key: Any) -> _Products:
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
    scale = np.array([sizes[:, leaf == k].max() for k in leaf])
    scale = np.maximum(scale, np.sqrt(float(jnp.finfo(kind).eps)) * sizes.max())
    errors = np.abs(vectors @ stated.T - found).max(axis=0) / np.where(scale > 0, scale, 1.0)
    diagonal = np.diag(stated)
    lengths = max(np.abs(diagonal).sum(), np.abs(stated).max(initial=0.0)) or 1.0
    worst = int(np.argmax(errors))
    return _Products(float(errors[worst]), worst, float(abs(diagonal.sum() - trace) / lengths), float(trace))


def _leaf_of(params: Params) -> np.ndarray:
    """The number of the leaf that each entry is in, (n,)."""
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    return np.repeat(np.arange(len(sizes)), sizes)


class _Compared(NamedTuple):
    """The stated Hessian against differences along some directions; arrays (directions, n)."""

    stated: np.ndarray
    numerical: np.ndarray
    apart: np.ndarray
    bound: np.ndarray  # what `apart` is at most if H is right
    scale: np.ndarray
    drowned: np.ndarray  # the entry is less than what the rounding of the gradient makes of it


def _compare(
    lines: Lines, gradient: np.ndarray, stated: np.ndarray, rows: np.ndarray, found: Slopes, every: bool
) -> _Compared:
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
    steepest = np.array([np.abs(gradient[leaf == k]).max() for k in range(leaf.max() + 1)])[leaf]
    lengths = np.maximum(lines.sizes(_tree_of(lines.params, rows)), 1.0)
    noise = 4 * np.sqrt(lines.eps) * steepest / lengths[:, None]
    drowned = noise > scale
    scale = np.maximum(scale, noise)
    scale = np.where(scale > 0, scale, 1.0)
    bound = np.maximum(_SAFETY * error + 64 * lines.eps * scale, np.abs(jump))
    return _Compared(along, slope, np.abs(along - slope), bound, scale, drowned)


def _judge(
    lines: Lines,
    gradient: np.ndarray,
    stated: np.ndarray,
    rows: np.ndarray,
    found: Slopes,
    products: _Products,
    every: bool,
) -> HessianCheck:
    """The report: what is wrong comes first, what cannot be decided last."""
    compared = _compare(lines, gradient, stated, rows, found, every)
    rounding = _ROUNDINGS * lines.eps
    size = np.abs(stated).max(initial=0.0) or 1.0
    skew = np.abs(stated - stated.T) / size
    order = _order(found, compared)
    directions = len(rows)

    jump = found.jump.reshape(compared.apart.shape)
    small = compared.drowned & (compared.apart > 0.5 * np.abs(compared.stated)) & (compared.stated != 0)
    unsure = ~(compared.bound <= _DECIDABLE * compared.scale) | small
    wrong = compared.apart > compared.bound
    kink = unsure & (jump != 0)
    blank = ~np.isfinite(found.central).any(axis=1).reshape(wrong.shape)

    such, why = compared.apart >= 0, ""
    if wrong.any():
        verdict, such, why = DISAGREES, wrong, "differences of gradients say otherwise"
        factor = np.nansum(compared.stated * compared.numerical) / np.nansum(compared.numerical**2)
        rest = np.nanmax(np.abs(compared.stated - factor * compared.numerical))
        if abs(factor - 1) > _FACTOR and rest <= _FACTOR * np.abs(compared.stated).max():
            why += f"; all of it is {factor:.4g} times what they give"
    elif products.error > rounding:
        verdict, why = DISAGREES, "products with random vectors say otherwise, too little for differences to see"
    elif skew.max(initial=0.0) > rounding:
        verdict, why = DISAGREES, "it is not symmetric"
    elif products.trace_error > rounding:
        verdict, why = DISAGREES, f"its trace is {np.trace(stated):.10g}, by products {products.trace:.10g}"
    elif kink.any():
        verdict, such, why = KINK, kink, "the gradient's slopes on the two sides differ: there is no second derivative"
    elif blank.any():
        verdict, such, why = NOT_FINITE, blank, "the gradient is not finite on both sides: there are no differences"
    elif unsure.any():
        remedy = "try float64, with jax.enable_x64(True)" if lines.eps > 1e-15 else "the gradient is too rough"
        verdict, such, why = (
            UNDECIDED,
            unsure,
            f"differences of gradients are not sure enough in {lines.dtype}: {remedy}",
        )
    else:
        verdict = AGREES

    by_products = verdict == DISAGREES and not wrong.any() and products.error > rounding
    if by_products or (wrong.any() and not every):
        # The exact column of the worst row: what is wrong there is an entry.
        row = products.row if not wrong.any() else int(np.argmax((compared.apart / compared.scale * wrong).max(axis=0)))
        rows = np.eye(len(stated))[row : row + 1]
        found = _differences(lines, rows)
        compared = _compare(lines, gradient, stated.T, rows, found, False)
        such = compared.apart >= 0
        entries: list[int] | None = [row]
    else:
        entries = list(range(len(stated))) if every else None
    badness = compared.bound if verdict in (UNDECIDED, KINK, NOT_FINITE) else compared.apart
    d, j = np.unravel_index(np.argmax(np.where(such, np.nan_to_num(badness / compared.scale), -1.0)), such.shape)
    if why == "it is not symmetric" and entries is not None:
        d, j = np.unravel_index(np.argmax(skew), skew.shape)
    error, resolution = (float(a[d, j] / compared.scale[d, j]) for a in (compared.apart, compared.bound))
    other = flat.entry(lines.params, entries[d]) if entries is not None else f"random direction {d}"
    where = f"{flat.entry(lines.params, int(j))} × {other}"
    if verdict == AGREES:
        why = f"the worst entry differs by {error:.2g}, where {resolution:.2g} would be noticed"
    else:
        why = f"at {where}, {why}"
    i = int(d * len(stated) + j)
    return HessianCheck(
        verdict=verdict,
        why=why,
        where=where,
        stated=float(compared.stated[d, j]),
        numerical=float(compared.numerical[d, j]),
        error=error,
        step=float(found.step[i]),
        slope=order,
        resolution=resolution,
        scale=float(compared.scale[d, j]),
        product_error=products.error,
        asymmetry=float(skew.max(initial=0.0)),
        trace_error=products.trace_error,
        rounding=rounding,
        directions=directions,
        every_coordinate=every,
        dtype=str(lines.dtype),
        curve=_curve(found, i, float(compared.stated[d, j])),
    )


def _order(found: Slopes, compared: _Compared) -> float:
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


def _curve(found: Slopes, i: int, stated: float) -> Curve:
    forward, central, extrapolated = (
        np.abs(row[i] - stated) for row in (found.forward, found.central, found.extrapolated)
    )
    return Curve(found.steps[i], forward, central, extrapolated)


def _unchecked(lines: Lines, why: str) -> HessianCheck:
    nan = float("nan")
    why += ", so there is nothing to compare"
    numbers = (nan,) * 11
    return HessianCheck(NOT_FINITE, why, "", *numbers, 0, False, str(lines.dtype), None)
