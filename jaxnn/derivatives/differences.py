"""Checks a gradient by differences of the function, with an error estimate.

Along a direction v, φ(h) = f(θ + h v) has the slope φ'(0) = ∇f · v. Differences of φ estimate it, and
`extrapolation` estimates their error. The gradient is wrong if it is farther off than the differences can be. The check
is not decidable if the differences are less accurate than 1/50 of the gradient.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks
from jaxnn.derivatives import flat
from jaxnn.derivatives.complex_step import complex_step
from jaxnn.derivatives.extrapolation import Slopes, slopes
from jaxnn.derivatives.lines import LOOKS_AT_VALUES, Lines
from jaxnn.types import Params

AGREES = "agrees"
DISAGREES = "disagrees"
KINK = "a kink is near"
UNDECIDED = "not decidable in this precision"
NOT_FINITE = "not finite"

EVERY_COORDINATE = 128  # entries, up to which each is checked on its own
DIRECTIONS = 8  # beyond

_SAFETY = 16.0  # an error is at most so many times its estimate
_ROUNDINGS = 64.0  # of the gradient's own arithmetic, in ε of its scale
_DECIDABLE = 0.02  # of the gradient's scale: what differences have to be sure of
_COMPLEX_ROUNDINGS = 1e3  # of the complex step's arithmetic and the gradient's


@dataclass(frozen=True, eq=False)
class Curve:
    """How far each formula was from the stated slope at each step; arrays of shape (steps,), the longest step first.

    On logarithmic axes the errors fall with slopes 1, 2 and 4 until rounding turns them up again with slope -1. Where
    the gradient is wrong they level out at its error. NaN where the function was not finite.
    """

    steps: np.ndarray
    forward: np.ndarray
    central: np.ndarray
    extrapolated: np.ndarray  # once, from the steps h and h/2


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """The result of `check_gradient`, and the place that decided it; `print` it."""

    verdict: str  # AGREES, DISAGREES, KINK, UNDECIDED or NOT_FINITE
    why: str  # in a sentence
    where: str  # the worst entry, such as "params[0].w[1, 2]", or direction
    stated: float  # the gradient's slope there
    numerical: float  # that of differences; NaN where there are none
    error: float  # |stated - numerical| over `scale`
    step: float  # that gave it: the longest of the extrapolation
    resolution: float  # over `scale`: a smaller error cannot be detected
    scale: float  # the steepest entry of the leaf; for directions, the length of the gradient
    directions: int  # how many were compared
    every_coordinate: bool  # whether they were all entries
    dtype: str  # the coarsest among the parameters' and the value's
    complex_error: float | None  # the worst of the complex step, over the scale; None where it does not apply
    complex_refusal: str  # why it does not apply
    curve: Curve | None  # at the same place; None where nothing was compared

    @property
    def ok(self) -> bool:
        """Whether the gradient is correct; False if that could not be decided."""
        return self.verdict == AGREES

    def __str__(self) -> str:
        lines = [f"gradient      {self.verdict}: {self.why}"]
        if self.curve is not None:
            compared = "every coordinate" if self.every_coordinate else f"{self.directions} directions"
            exact = f"worst error {self.complex_error:.2g}" if self.complex_error is not None else self.complex_refusal
            lines += [
                f"compared      {compared}, in {self.dtype}",
                f"worst         {self.where}: stated {self.stated:.10g}, by differences {self.numerical:.10g}",
                f"error         {self.error:.2g} of {self.scale:.3g}, at step {self.step:.2g}",
                f"resolution    {self.resolution:.2g}: a smaller error cannot be detected",
                f"complex step  {exact}",
            ]
        return "\n".join(lines)


def check_gradient(
    f: Callable[[Params], Any],
    params: Params,
    *,
    grad: Any = None,
    key: Any = None,
    directions: int | None = None,
) -> GradientCheck:
    """Compares a gradient with differences of the function, and with the complex step where that applies.

    Args:
        f: a function of the parameters that gives a real scalar. It may be jitted, and may look at values in Python.
        params: a pytree of floating-point arrays of any shapes and scales: where the gradient is checked.
        grad: the gradient, like `params`, or a function of the parameters that gives it; `jax.grad(f)` if None.
        key: a PRNG key for the random directions; jax.random.key(0) if None.
        directions: how many. Every coordinate is taken where there are no more entries than that, otherwise the
            gradient's own direction and random unit ones. None: every coordinate of up to 128, and 8 directions beyond.

    Returns:
        The report: `ok`, the verdict, the worst place, the error and the step that gave it, the curve of errors against
        steps. Each direction takes some 110 evaluations of f in float64, 50 in float32.

    Raises:
        TypeError: f is not callable; parameters, a gradient or a value that are not real floating-point numbers.
        ValueError: no entries, f not scalar, f beyond `jax.grad` where `grad` is not given, `grad` unlike `params`.
    """
    if not callable(f):
        raise TypeError(f"f must be a function of the parameters, got {f!r}.")
    if directions is not None:
        checks.whole(1, directions=directions)
    params = _floating(params, "params")
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    if count == 0:
        raise ValueError("params must have at least one entry, got none, so there is nothing to differentiate.")
    # Overflow at a long step is no error here; and what a GPU multiplies in TF32 is checked in full.
    with jax.debug_nans(False), jax.debug_infs(False), jax.default_matmul_precision("highest"):
        lines = Lines(f, params)
        gradient = _gradient(lines, grad)
        broken = _not_finite({"params": params, "grad": gradient})
        if broken:
            return _unchecked(lines, f"{broken}, so there is nothing to compare")
        limit = directions or EVERY_COORDINATE
        if count <= limit:
            return _compare(lines, gradient, _coordinates(params, range(count)), range(count))
        report = _compare(lines, gradient, _random(gradient, directions or DIRECTIONS, key), None)
        return report if report.verdict != DISAGREES else _entry_at_fault(lines, gradient, report, count)


def _floating(tree: Any, name: str) -> Params:
    """The tree as jax arrays, if all its leaves are real floating-point numbers."""

    def one(path: Any, leaf: Any) -> jax.Array:
        number = isinstance(leaf, bool | int | float | complex)
        kind = jnp.result_type(leaf) if number else getattr(leaf, "dtype", None)
        if kind is None or not jnp.issubdtype(kind, jnp.floating):
            got = type(leaf).__name__ if kind is None else kind
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} must be real floating-point numbers, got {got}: "
                "convert it, or close over what is not a parameter."
            )
        return jnp.asarray(leaf, jax.dtypes.canonicalize_dtype(kind))  # not weakly typed: each has its own precision

    return jax.tree_util.tree_map_with_path(one, tree)


def _gradient(lines: Lines, grad: Any) -> Params:
    """The gradient that is stated, like the parameters."""
    if grad is None:
        by_jax = jax.grad(lines.f)
        try:
            return jax.jit(by_jax)(lines.params) if lines.traceable else by_jax(lines.params)
        except LOOKS_AT_VALUES:
            raise ValueError(
                "jax.grad cannot differentiate f, because f converts its"
                " argument to NumPy or Python numbers. Pass grad=."
            ) from None
    stated = grad(lines.params) if callable(grad) else grad
    expected, got = str(jax.tree.structure(lines.params)), str(jax.tree.structure(stated))
    if expected != got:
        raise ValueError(f"grad must be a tree like params, {expected}, got {got}.")
    stated = _floating(stated, "grad")
    for (path, x), g in zip(jax.tree_util.tree_leaves_with_path(lines.params), jax.tree.leaves(stated), strict=True):
        if x.shape != g.shape:
            where = jax.tree_util.keystr(path)
            raise ValueError(f"grad{where} must have the shape of params{where}, {x.shape}, got {g.shape}.")
    return stated


def _not_finite(named: dict[str, Any]) -> str:
    """The first entry that is not finite, in words; empty if there is none."""
    for name, tree in named.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            bad = np.argwhere(~np.isfinite(np.asarray(leaf, np.float64)))
            if len(bad):
                index = tuple(int(i) for i in bad[0])
                return f"{name}{jax.tree_util.keystr(path)}{flat.index(index)} is {float(np.asarray(leaf)[index])}"
    return ""


def _coordinates(params: Params, entries: Sequence[int]) -> Params:
    """The unit vectors of these entries, in ravel order: a leading axis before every leaf."""
    rows = np.zeros((len(entries), sum(leaf.size for leaf in jax.tree.leaves(params))))
    rows[np.arange(len(entries)), list(entries)] = 1
    return _like(params, rows)


def _random(gradient: Params, count: int, key: Any) -> Params:
    """The gradient's own direction, unless it is 0, and random ones; unit vectors."""
    own = _ravel(gradient)
    drawn = jax.random.normal(jax.random.key(0) if key is None else key, (count, own.size))
    rows = np.array(drawn, np.float64)
    if own.any():
        rows[0] = own / np.abs(own).max()
    return _like(gradient, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _like(params: Params, rows: np.ndarray) -> Params:
    """Rows of flat vectors as a tree like the parameters, with a leading axis."""
    leaves, structure = jax.tree.flatten(params)
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = np.split(rows, ends[:-1], axis=1)
    shaped = [jnp.asarray(p.reshape(len(rows), *x.shape), x.dtype) for p, x in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def _ravel(tree: Params) -> np.ndarray:
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def _compare(lines: Lines, gradient: Params, directions: Params, entries: Sequence[int] | None) -> GradientCheck:
    """The report for these directions: unit vectors of these `entries`, or random ones where that is None."""
    values = lines.values(directions)
    if broken := _not_finite({"f(params)": values.centre[0, 0]}):
        return _unchecked(lines, f"{broken}, so there is nothing to compare")
    found = slopes(values, float(jnp.finfo(lines.out).eps))
    rows = [np.asarray(v, np.float64).reshape(len(v), -1) for v in jax.tree.leaves(directions)]
    stated = np.concatenate(rows, axis=1) @ _ravel(gradient)
    sizes = lines.sizes(directions)
    lengths = np.maximum(sizes, 1.0)
    scale = _scale(gradient, np.fmax(np.abs(stated), np.abs(found.slope)), entries)
    # A function that hardly changes has slope 0, not an undecidable one.
    noise = 4 * math.sqrt(lines.eps) * np.abs(values.centre[:, 0]) / lengths
    below_noise = noise > scale
    scale = np.maximum(scale, noise)
    scale = np.where(scale > 0, scale, 1.0)

    bound = _SAFETY * found.error + _ROUNDINGS * lines.eps * scale
    bound = np.maximum(bound, np.abs(found.jump))
    apart = np.abs(stated - found.slope)
    # A given slope below the rounding noise of f is not confirmed: its sign may be wrong.
    unsure = ~(bound <= _DECIDABLE * scale) | (below_noise & (apart > 0.5 * np.abs(stated)) & (stated != 0))
    kink = unsure & (found.jump != 0)
    wrong = apart > bound

    exact, refusal = None, "f looks at its values in Python"
    if lines.traceable:
        exact, refusal = complex_step(lines.f, lines.params, directions, sizes)
    complex_error, complex_wrong = None, np.zeros_like(wrong)
    if exact is not None:
        doubtful = ~(np.abs(exact - found.slope) <= bound)
        if doubtful.any():
            i = int(np.argmax(doubtful))
            refusal = f"gives {exact[i]:.6g} where differences give {found.slope[i]:.6g}, so it is ignored"
        else:
            complex_error = float((np.abs(stated - exact) / scale).max())
            allowed = _COMPLEX_ROUNDINGS * (lines.eps * scale + found.rounding / lengths)
            confirmed = np.abs(stated - exact) <= allowed
            complex_wrong = ~unsure & ~confirmed  # too small for differences to see
            kink &= ~confirmed  # the complex step sees a derivative there: f is steep, not broken
            unsure &= ~confirmed | ~(found.jump != 0)

    verdicts = {
        DISAGREES: wrong | complex_wrong,
        KINK: kink,
        NOT_FINITE: ~np.isfinite(found.central).any(axis=1),
        UNDECIDED: unsure,
        AGREES: np.ones_like(wrong),
    }
    verdict, such = next((verdict, such) for verdict, such in verdicts.items() if such.any())
    badness = bound if verdict in (UNDECIDED, NOT_FINITE) else apart
    i = int(np.argmax(np.where(such, np.nan_to_num(badness / scale, nan=0.0), -1.0)))
    error, resolution = float(apart[i] / scale[i]), float(bound[i] / scale[i])
    where = _direction(i, gradient) if entries is None else flat.entry(gradient, entries[i])
    why = {
        DISAGREES: f"at {where}, {'the complex step disagrees' if not wrong[i] else 'differences disagree'}",
        KINK: f"at {where} the slopes on the two sides differ by {abs(found.jump[i]):.3g}, so there is no derivative",
        NOT_FINITE: f"f is not finite on both sides of {where}, so there are no central differences",
        UNDECIDED: (
            f"at {where} differences in {lines.dtype} are accurate to {resolution:.2g} of the gradient at best: "
            + (
                "try float64, with jax.enable_x64(True)"
                if lines.eps > 1e-15
                else "f is too rough, or its scales too far apart"
            )
        ),
        AGREES: f"the worst differs by {error:.2g}; {resolution:.2g} would be detected",
    }[verdict]
    return GradientCheck(
        verdict=verdict,
        why=why,
        where=where,
        stated=float(stated[i]),
        numerical=float(found.slope[i]),
        error=error,
        step=float(found.step[i]),
        resolution=resolution,
        scale=float(scale[i]),
        directions=len(stated),
        every_coordinate=entries is not None,
        dtype=str(lines.dtype),
        complex_error=complex_error,
        complex_refusal=refusal,
        curve=_curve(found, i, float(stated[i])),
    )


def _scale(gradient: Params, steepness: np.ndarray, entries: Sequence[int] | None) -> np.ndarray:
    """What an error is measured in, (directions,): the steepest of the entry's leaf, or the length of the gradient."""
    if entries is None:
        return np.full_like(steepness, max(np.linalg.norm(_ravel(gradient)), np.nanmax(steepness)))
    leaves = [np.abs(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(gradient)]
    leaf_of = np.repeat(np.arange(len(leaves)), [leaf.size for leaf in leaves])[list(entries)]
    return np.array([max(leaves[leaf].max(), np.nanmax(steepness[leaf_of == leaf])) for leaf in leaf_of])


def _curve(found: Slopes, i: int, stated: float) -> Curve:
    forward, central, extrapolated = (
        np.abs(row[i] - stated) for row in (found.forward, found.central, found.extrapolated)
    )
    return Curve(found.steps[i], forward, central, extrapolated)


def _entry_at_fault(lines: Lines, gradient: Params, report: GradientCheck, count: int) -> GradientCheck:
    """The report of one entry that is wrong, found by halving: random signs over either half, the worse one kept."""
    rng = np.random.default_rng(0)
    own = _ravel(gradient)
    first, end = 0, count
    while end - first > 1:
        middle = (first + end) // 2
        rows = np.zeros((2, count))
        rows[0, first:middle] = rng.choice([-1.0, 1.0], middle - first)
        rows[1, middle:end] = rng.choice([-1.0, 1.0], end - middle)
        found = slopes(lines.values(_like(gradient, rows)), float(jnp.finfo(lines.out).eps))
        apart = np.nan_to_num(np.abs(rows @ own - found.slope) - _SAFETY * found.error, nan=-1.0)
        first, end = (first, middle) if apart[0] > apart[1] else (middle, end)
    entry = _compare(lines, gradient, _coordinates(gradient, [first]), [first])
    if entry.verdict != DISAGREES:
        return report  # too small in any one entry: the direction stands
    return replace(entry, directions=report.directions, every_coordinate=False)


def _unchecked(lines: Lines, why: str) -> GradientCheck:
    nan = float("nan")
    return GradientCheck(
        NOT_FINITE,
        why,
        "",
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        0,
        False,
        str(lines.dtype),
        None,
        "nothing was compared",
        None,
    )


def _direction(i: int, gradient: Params) -> str:
    return "the gradient's own direction" if i == 0 and _ravel(gradient).any() else f"random direction {i}"
