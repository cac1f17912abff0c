"""Checks a Hessian by differences of the gradient, products with vectors, symmetry and the trace.

    differences    H v ≈ (∇f(θ + h v) - ∇f(θ - h v)) / 2h      error ⅙ h² ∇⁴f v³, then Richardson's; by `extrapolation`
    products       H v = d/dt ∇f(θ + t v), to rounding          random v
    symmetry       Hᵢⱼ = Hⱼᵢ, to rounding
    trace          Σ Hᵢᵢ = Σ qᵢᵀ (H qᵢ) for any orthonormal q   I - 2 u uᵀ with a random unit vector u, by products

Differences need only the gradient, and detect errors down to their own: about 1e-9 in float64, 1e-3 in float32. The
other three detect errors of a few roundings in either, but rely on jax's derivatives of the gradient.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.derivatives import dense, flat
from jaxnn.derivatives import hessian_evidence as evidence
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
from jaxnn.derivatives.extrapolation import Slopes
from jaxnn.derivatives.lines import Lines
from jaxnn.types import Params

_DECIDABLE = 0.02  # of the scale: what differences have to be sure of
_FACTOR = 1e-3  # the rest that is left of a Hessian which is a multiple of the right one


@dataclass(frozen=True, eq=False)
class HessianCheck:
    """The result of `check_hessian`, and the entry that decided it; `print` it.

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
        """Whether the Hessian is correct; False if that could not be decided."""
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
                f"resolution    {self.resolution:.2g}: differences cannot detect a smaller error",
                f"products      {self.product_error:.2g}, with random vectors",
                f"asymmetry     {self.asymmetry:.2g}",
                f"trace         {self.trace_error:.2g}, in a random orthonormal basis",
                f"rounding      up to {self.rounding:.2g} in the last three",
            ]
        return "\n".join(lines)


def check_hessian(f: Callable[[Params], Any], params: Params, *, hessian: Any = None, key: Any = None) -> HessianCheck:
    """Compares a Hessian with differences of gradients, with products, with its transpose, and its trace.

    Args:
        f: a real scalar function of the parameters, which jax can differentiate.
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
        found = evidence.differences(lines, rows)
        products = evidence.products(f, params, stated, key)
        return _report(lines, gradient, stated, rows, found, products, every)


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


class _Finding(NamedTuple):
    """What was found, and where to look for the entry that decided it."""

    verdict: str
    why: str
    such: np.ndarray  # the comparisons that are meant
    row: int | None  # of the Hessian, in which an entry is wrong that these comparisons do not show


def _report(
    lines: Lines,
    gradient: np.ndarray,
    stated: np.ndarray,
    rows: np.ndarray,
    found: Slopes,
    products: evidence.Products,
    every: bool,
) -> HessianCheck:
    """The report."""
    compared = evidence.compare(lines, gradient, stated, rows, found, every)
    order, directions, rounding = evidence.order(found, compared), len(rows), evidence.ROUNDINGS * lines.eps
    skew = np.abs(stated - stated.T) / (np.abs(stated).max(initial=0.0) or 1.0)
    finding = _find(lines, stated, skew, found, compared, products, every)
    such = finding.such
    if finding.row is not None:  # the row against the column that differences give
        found = evidence.differences(lines, np.eye(len(stated))[finding.row : finding.row + 1])
        compared = evidence.compare(lines, gradient, stated.T, np.eye(len(stated))[[finding.row]], found, False)
        such = compared.apart >= 0
    badness = compared.bound if finding.verdict in (UNDECIDED, KINK, NOT_FINITE) else compared.apart
    d, j = np.unravel_index(np.argmax(np.where(such, np.nan_to_num(badness / compared.scale), -1.0)), such.shape)
    error, resolution = (float(a[d, j] / compared.scale[d, j]) for a in (compared.apart, compared.bound))
    where, i = flat.entry(lines.params, int(j)), int(d * len(stated) + j)
    if finding.row is not None:
        where = f"{flat.entry(lines.params, finding.row)} × {where}"
    else:
        where += f" × {flat.entry(lines.params, int(d)) if every else f'random direction {d}'}"
    why = f"at {where}, {finding.why}"
    if finding.verdict == AGREES:
        why = f"the worst entry differs by {error:.2g}; {resolution:.2g} would be detected"
    return HessianCheck(
        verdict=finding.verdict,
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
        asymmetry=float(skew.max()),
        trace_error=products.trace_error,
        rounding=rounding,
        directions=directions,
        every_coordinate=every,
        dtype=str(lines.dtype),
        curve=_curve(found, i, float(compared.stated[d, j])),
    )


def _find(
    lines: Lines,
    stated: np.ndarray,
    skew: np.ndarray,
    found: Slopes,
    compared: evidence.Compared,
    products: evidence.Products,
    every: bool,
) -> _Finding:
    """Errors come first, undecidable entries last."""
    rounding = evidence.ROUNDINGS * lines.eps
    shape, anywhere = compared.apart.shape, compared.apart >= 0
    wrong = compared.apart > compared.bound
    if wrong.any():
        row = None if every else int(np.argmax((compared.apart / compared.scale * wrong).max(axis=0)))
        return _Finding(DISAGREES, f"differences of gradients disagree{_multiple(compared)}", wrong, row)
    if products.error > rounding:
        why = "products with random vectors differ, by too little for finite differences to detect"
        return _Finding(DISAGREES, why, anywhere, products.row)
    if skew.max() > rounding:
        row = int(np.argmax(skew.max(axis=1)))
        return _Finding(
            DISAGREES, f"the matrix is not symmetric: mirrored entries differ by {skew.max():.2g}", anywhere, row
        )
    if products.trace_error > rounding:
        why = f"its trace is {np.trace(stated):.10g}, by products {products.trace:.10g}"
        return _Finding(DISAGREES, why, anywhere, None)
    small = compared.below_noise & (compared.apart > 0.5 * np.abs(compared.stated)) & (compared.stated != 0)
    unsure = ~(compared.bound <= _DECIDABLE * compared.scale) | small
    kink = unsure & (found.jump.reshape(shape) != 0)
    if kink.any():
        why = "the gradient's slopes on the two sides differ, so there is no second derivative"
        return _Finding(KINK, why, kink, None)
    blank = ~np.isfinite(found.central).any(axis=1).reshape(shape)
    if blank.any():
        why = "the gradient is not finite on both sides, so there are no differences"
        return _Finding(NOT_FINITE, why, blank, None)
    if unsure.any():
        remedy = "try float64, with jax.enable_x64(True)" if lines.eps > 1e-15 else "the gradient is too rough"
        why = f"differences of gradients are not accurate enough in {lines.dtype}: {remedy}"
        return _Finding(UNDECIDED, why, unsure, None)
    return _Finding(AGREES, "", anywhere, None)


def _multiple(compared: evidence.Compared) -> str:
    """In words, the factor between the two, if it is one for all entries."""
    factor = np.nansum(compared.stated * compared.numerical) / (np.nansum(compared.numerical**2) or 1.0)
    rest = np.abs(compared.stated - factor * compared.numerical).max(where=np.isfinite(compared.numerical), initial=0.0)
    same = abs(factor - 1) > _FACTOR and rest <= _FACTOR * np.abs(compared.stated).max()
    return f"; the whole Hessian is {factor:.4g} times what they give" if same else ""


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
