"""Line searches along a descent direction: strong Wolfe conditions, or sufficient decrease alone.

Along the direction d from θ, φ(α) = J(θ + α d) with φ'(0) = ∇J(θ)ᵀd < 0. A step length α > 0 is accepted if

    φ(α) ≤ φ(0) + c₁ α φ'(0)           sufficient decrease (Armijo)
    |φ'(α)| ≤ c₂ |φ'(0)|               the slope has flattened: α is not too short, and sᵀy > 0 for quasi-Newton methods

Near a minimum, rounding hides differences of J but not slopes. If |φ(α) - φ(0)| ≤ δ = 10 ε |φ(0)|, Hager and Zhang's
approximate condition φ'(α) ≤ (2c₁ - 1) φ'(0) therefore replaces sufficient decrease: with it, the gradient can be
reduced to its rounding error.

References:
    Nocedal & Wright, Numerical Optimization, 2nd edition, 2006, Algorithms 3.1, 3.5 and 3.6, equation 3.59.
    Moré & Thuente, Line search algorithms with guaranteed sufficient decrease, 1994: safeguards.
    Hager & Zhang, A new conjugate gradient method with guaranteed descent and an efficient line search, 2005.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import checks, tree
from jaxnn.types import Params, Scalar, Updates


class LineSearch(NamedTuple):
    """The result of a line search."""

    step_length: Float[Array, ""]  # α ≥ 0; 0 if no lower point was found
    value: Float[Array, ""]  # φ(α)
    grad: Any  # ∇J(θ + α d), like params, nan if α is 0; None from `backtracking`, which computes no gradients
    evaluations: Int[Array, ""]  # the number of trial points
    found: Bool[Array, ""]  # whether the conditions hold at α; otherwise α is that of the lowest trial point


class Point(NamedTuple):
    """A trial point."""

    length: Float[Array, ""]
    value: Float[Array, ""]
    slope: Float[Array, ""]


def strong_wolfe(
    value_fn: Callable[[Params], Any],
    params: Params,
    direction: Updates,
    *,
    value: Scalar,
    slope: Scalar,
    first: Scalar = 1.0,
    c1: float = 1e-4,
    c2: float = 0.9,
    max_evaluations: int = 25,
    rounding: Scalar | None = None,
) -> LineSearch:
    """A step length that satisfies the strong Wolfe conditions, by bracketing and zoom with safeguarded interpolation.

    The interval between `low`, the lowest point of sufficient decrease so far, and `high` contains acceptable lengths.
    Every trial computes value and gradient together. Pure, so it works under `jit`, and under `vmap` over starts.

    Args:
        value_fn: J, a scalar function of a pytree. If it is not finite, the step is too long.
        params: θ.
        direction: d, like params, in float32 or wider.
        value: φ(0).
        slope: φ'(0). Takes no step (length 0, not found) if d is not a descent direction, that is, unless φ'(0) is
            negative and finite.
        first: the first trial length, > 0.
        c1: the constant of sufficient decrease, in (0, ½).
        c2: the constant of the slope condition, in [c1, 1).
        max_evaluations: the maximum number of trial points, ≥ 1.
        rounding: δ ≥ 0, the rounding error of differences of J; None for 10 ε |φ(0)|.

    Raises:
        ValueError: a constant is out of range.
    """
    checks.positive(first=first, c1=c1)
    checks.whole(1, max_evaluations=max_evaluations)
    if not c1 <= c2 < 1 or c1 >= 0.5:
        raise ValueError(f"c1 and c2 must satisfy 0 < c1 ≤ c2 < 1 and c1 < ½, got c1={c1!r} and c2={c2!r}.")
    dtype = jnp.result_type(*jax.tree.leaves(direction))
    start = Point(jnp.zeros((), dtype), jnp.asarray(value, dtype), jnp.asarray(slope, dtype))
    noise = 10 * jnp.finfo(dtype).eps * jnp.abs(start.value) if rounding is None else jnp.asarray(rounding, dtype)

    def at(length: Array) -> tuple[Point, Params]:
        phi, grad = jax.value_and_grad(value_fn)(moved(params, direction, length))
        return Point(length, jnp.asarray(phi, dtype), dot(grad, direction)), grad

    def body(carry: Any) -> Any:
        length, low, high, low_grad, bracketed, width, evaluations, _ = carry
        trial, grad = at(length)
        finite = jnp.isfinite(trial.value) & jnp.isfinite(trial.slope)
        enough = trial.value <= start.value + c1 * length * start.slope
        level = jnp.abs(trial.value - start.value) <= noise
        approximately = level & (trial.slope <= (2 * c1 - 1) * start.slope)
        too_high = ~(finite & (enough | approximately) & (trial.value <= low.value + noise))
        found = ~too_high & (jnp.abs(trial.slope) <= -c2 * start.slope)
        # The slope points away from `high` (back, if there is none yet): the minimum is between trial and former low.
        passed = ~too_high & (trial.slope * jnp.where(bracketed, high.length - low.length, 1) >= 0)
        bracketed = bracketed | too_high | passed
        high = tree.select(too_high, _worst(trial, finite), tree.select(passed, low, high))
        further = _further(low, trial)
        low, low_grad = tree.select(too_high, (low, low_grad), (trial, grad))
        length = jnp.where(bracketed, _between(low, high, width, noise), further)
        return length, low, high, low_grad, bracketed, jnp.abs(high.length - low.length), evaluations + 1, found

    def unfinished(carry: Any) -> Array:
        *_, evaluations, found = carry
        descends = (start.slope < 0) & jnp.isfinite(start.slope) & jnp.isfinite(start.value)
        return ~found & descends & (evaluations < max_evaluations)

    nowhere = Point(*(jnp.full((), jnp.inf, dtype) for _ in Point._fields))
    unknown = jax.tree.map(lambda p: jnp.full_like(p, jnp.nan), params)
    no = jnp.asarray(False)
    carry = (jnp.asarray(first, dtype), start, nowhere, unknown, no, nowhere.length, jnp.zeros((), jnp.int32), no)
    _, low, _, grad, *_, evaluations, found = jax.lax.while_loop(unfinished, body, carry)
    # A step too short to change J meets the first condition only because of rounding.
    low, grad = tree.select(found | (low.value < start.value), (low, grad), (start, unknown))
    return LineSearch(low.length, low.value, grad, evaluations, found)


def backtracking(
    value_fn: Callable[[Params], Any],
    params: Params,
    direction: Updates,
    *,
    value: Scalar,
    slope: Scalar,
    first: Scalar = 1.0,
    c1: float = 1e-4,
    max_evaluations: int = 40,
    rounding: Scalar | None = None,
) -> LineSearch:
    """A step length of sufficient decrease: for directions with a natural length, such as Newton's.

    A rejected length is reduced to the minimum of the parabola through φ(0), φ'(0) and φ(α), limited to [α/10, α/2], or
    to α/10 if φ(α) is not finite. If the required decrease and the observed change are both below the rounding error of
    J, the step is accepted.

    Args:
        value_fn: J, a scalar function of a pytree.
        params: θ.
        direction: d, like params, in float32 or wider.
        value: φ(0).
        slope: φ'(0). Takes no step (length 0, not found) if d is not a descent direction, that is, unless φ'(0) is
            negative and finite.
        first: the first trial length, > 0.
        c1: the constant of sufficient decrease, in (0, 1).
        max_evaluations: the maximum number of trial points, ≥ 1.
        rounding: δ ≥ 0, the rounding error of differences of J; None for 10 ε |φ(0)|.

    Raises:
        ValueError: a constant is out of range.
    """
    checks.positive(first=first, c1=c1)
    checks.whole(1, max_evaluations=max_evaluations)
    if c1 >= 1:
        raise ValueError(f"c1 must be in (0, 1), got {c1!r}.")
    dtype = jnp.result_type(*jax.tree.leaves(direction))
    value, slope = jnp.asarray(value, dtype), jnp.asarray(slope, dtype)
    noise = 10 * jnp.finfo(dtype).eps * jnp.abs(value) if rounding is None else jnp.asarray(rounding, dtype)

    def body(carry: Any) -> Any:
        length, _, best, evaluations, _ = carry
        phi = jnp.asarray(value_fn(moved(params, direction, length)), dtype)
        finite = jnp.isfinite(phi)
        hidden = (-length * slope <= noise) & (jnp.abs(phi - value) <= noise)
        found = finite & ((phi <= value + c1 * length * slope) | hidden)
        best = tree.select(found | (finite & (phi < best[1])), (length, phi), best)
        parabola = -slope * length**2 / (2 * (phi - value - slope * length))
        shorter = jnp.where(finite, jnp.clip(parabola, 0.1 * length, 0.5 * length), 0.1 * length)
        return shorter, phi, best, evaluations + 1, found

    def unfinished(carry: Any) -> Array:
        *_, evaluations, found = carry
        descends = (slope < 0) & jnp.isfinite(slope) & jnp.isfinite(value)
        return ~found & descends & (evaluations < max_evaluations)

    carry = (jnp.asarray(first, dtype), value, (jnp.zeros((), dtype), value), jnp.zeros((), jnp.int32))
    _, _, (length, phi), evaluations, found = jax.lax.while_loop(unfinished, body, (*carry, jnp.asarray(False)))
    return LineSearch(length, phi, None, evaluations, found)


def moved(params: Params, direction: Updates, length: Float[Array, ""]) -> Params:
    """θ + α d, in the dtypes of θ, in the same way as loops add updates."""
    return tree.add(params, scaled(direction, length, params))


def scaled(direction: Updates, length: Float[Array, ""], like: Params) -> Updates:
    """α d in the dtypes of `like`; zeros if α is 0, even if d is not finite."""
    step = jax.tree.map(lambda d: jnp.where(length > 0, length * d, 0), direction)
    return tree.cast_like(step, like)


def dot(a: Any, b: Any) -> Float[Array, ""]:
    """The inner product of two trees, in float32 or wider."""
    products = jax.tree.map(jnp.vdot, tree.widen(a), tree.widen(b))
    return jnp.asarray(sum(jax.tree.leaves(products)))


def _worst(trial: Point, finite: Array) -> Point:
    """The trial, with infinite value and slope if J is not finite, because these are then meaningless."""
    return Point(trial.length, jnp.where(finite, trial.value, jnp.inf), jnp.where(finite, trial.slope, jnp.inf))


def _cubic(a: Point, b: Point) -> Array:
    """The minimum of the cubic through two values and two slopes; nan if it has none (equation 3.59)."""
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length)
    d2 = jnp.sign(b.length - a.length) * jnp.sqrt(d1**2 - a.slope * b.slope)
    return b.length - (b.length - a.length) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)


def _between(low: Point, high: Point, width: Array, noise: Array) -> Array:
    """The next trial length within the bracket, whose previous width was `width`."""
    span = high.length - low.length
    # If the values differ by rounding alone, the slopes are still accurate: use their secant.
    secant = low.length - low.slope * span / (high.slope - low.slope)
    guess = jnp.where(jnp.abs(high.value - low.value) <= noise, secant, _cubic(low, high))
    fraction = jnp.clip((guess - low.length) / span, 0.1, 0.9)
    # Halve a bracket that shrank by less than a third or has no guess; if only the start is known to be finite, take a
    # tenth.
    halved = jnp.isnan(fraction) | (jnp.abs(span) > 0.66 * width)
    fraction = jnp.where(halved, jnp.where(jnp.isinf(high.value) & (low.length == 0), 0.1, 0.5), fraction)
    return low.length + fraction * span


def _further(low: Point, trial: Point) -> Array:
    """The next trial length beyond one where φ still falls steeply: 2.1 to 5 times as far from `low`."""
    guess = _cubic(low, trial)
    stretch = trial.length - low.length
    guess = jnp.where(guess > trial.length, guess, jnp.inf)
    return jnp.clip(guess, trial.length + 1.1 * stretch, trial.length + 4 * stretch)
