"""Learning rates as functions of the step: `schedule(step) -> learning rate`, where the first step is step 0.

    constant            η₀
    exponential_decay   η₀ ρ^(t / T)                        multiplied by ρ every T steps, smoothly
    step_decay          η₀ ρ^⌊t / T⌋                        the same, in steps
    inverse_time        η₀ / (1 + κ t)                      Robbins & Monro's conditions hold: Σ η = ∞, Σ η² < ∞
    cosine              η_T + ½ (η₀ - η_T)(1 + cos π t/T)   then η_T
    warmup_cosine       linear from 0 over the first W steps, then cosine over the rest
    piecewise           the value of the interval that t lies in

Rates are weakly typed scalars, so a rate never changes the dtype of what it multiplies.

References:
    Robbins & Monro, A stochastic approximation method, 1951.
    Loshchilov & Hutter, SGDR, 2017, arXiv:1608.03983 (cosine).
    Goyal et al., Accurate, Large Minibatch SGD, 2017, arXiv:1706.02677 (warm-up).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, factories, numerics
from jaxnn.types import Count, Scalar, ScalarOrSchedule, Schedule


@factories.schedule
def constant(learning_rate: Scalar) -> Schedule:
    """η₀ ≥ 0 at every step."""
    checks.non_negative(learning_rate=learning_rate)
    return lambda step: learning_rate


@factories.schedule
def exponential_decay(learning_rate: Scalar, *, rate: Scalar, steps: Count) -> Schedule:
    """η₀ · rate^(step / steps).

    Args:
        learning_rate: η₀ ≥ 0, used at step 0.
        rate: ρ in (0, 1], the factor per `steps` steps.
        steps: T ≥ 1.
    """
    checks.non_negative(learning_rate=learning_rate)
    checks.positive(rate=rate)
    checks.fraction(rate=rate)
    checks.whole(1, steps=steps)
    return lambda step: learning_rate * rate ** (numerics.real(step) / steps)


@factories.schedule
def step_decay(learning_rate: Scalar, *, rate: Scalar, steps: Count) -> Schedule:
    """η₀ · rate^⌊step / steps⌋: constant for `steps` steps, then multiplied by `rate` in (0, 1]."""
    checks.non_negative(learning_rate=learning_rate)
    checks.positive(rate=rate)
    checks.fraction(rate=rate)
    checks.whole(1, steps=steps)
    return lambda step: learning_rate * rate ** numerics.real(step // steps)


@factories.schedule
def inverse_time(learning_rate: Scalar, *, decay: Scalar) -> Schedule:
    """η₀ / (1 + decay · step), with decay ≥ 0."""
    checks.non_negative(learning_rate=learning_rate, decay=decay)
    return lambda step: learning_rate / (1 + decay * numerics.real(step))


@factories.schedule
def cosine(learning_rate: Scalar, *, steps: Count, final: Scalar = 0.0) -> Schedule:
    """Half a cosine from η₀ at step 0 to `final` at step `steps`, and `final` from there on."""
    checks.non_negative(learning_rate=learning_rate, final=final)
    checks.whole(1, steps=steps)

    def schedule(step: Any) -> Any:
        progress = jnp.minimum(numerics.real(step) / steps, 1.0)
        return final + 0.5 * (learning_rate - final) * (1 + jnp.cos(math.pi * progress))

    return schedule


@factories.schedule
def warmup_cosine(learning_rate: Scalar, *, warmup: Count, steps: Count, final: Scalar = 0.0) -> Schedule:
    """Linear from 0 to the peak over `warmup` steps, then a cosine to `final` at step `steps`.

    Args:
        learning_rate: the peak, reached at step `warmup`.
        warmup: W in [1, steps); step 0 has rate 0.
        steps: the total length, warm-up included.
        final: the rate from step `steps` on.

    Raises:
        ValueError: the warm-up is not shorter than the whole schedule.
    """
    checks.whole(1, warmup=warmup, steps=steps)
    if checks.known(warmup, steps) and warmup >= steps:
        raise ValueError(f"warmup must be shorter than steps, got warmup={warmup}, steps={steps}.")
    after = cosine(learning_rate, steps=steps - warmup, final=final)

    def schedule(step: Any) -> Any:
        rising = learning_rate * (numerics.real(step) / warmup)
        return jnp.where(step < warmup, rising, after(jnp.maximum(step - warmup, 0)))

    return schedule


@factories.schedule
def piecewise(values: Sequence[Scalar], *, boundaries: Sequence[Count]) -> Schedule:
    """`values[0]` before `boundaries[0]`, `values[i]` from `boundaries[i - 1]` on.

    Args:
        values: the rates, one more than boundaries.
        boundaries: strictly increasing steps ≥ 1.

    Raises:
        ValueError: the lengths do not match, a boundary is below 1, or boundaries do not increase.
        TypeError: a boundary is not a whole number.
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(f"piecewise needs one more value than boundaries, got {len(values)} and {len(boundaries)}.")
    for index, value in enumerate(values):
        checks.non_negative(**{f"values[{index}]": value})
    for index, boundary in enumerate(boundaries):
        checks.whole(1, **{f"boundaries[{index}]": boundary})
    if checks.known(*boundaries) and any(b <= a for a, b in pairwise(boundaries)):
        raise ValueError(f"boundaries must be strictly increasing, got {tuple(boundaries)}.")

    def schedule(step: Any) -> Any:
        rate: Any = values[0]
        for boundary, value in zip(boundaries, values[1:], strict=True):
            rate = jnp.where(step >= boundary, value, rate)
        return rate

    return schedule


TABLE: MappingProxyType[str, Any] = MappingProxyType(
    {
        "constant": constant,
        "exponential_decay": exponential_decay,
        "step_decay": step_decay,
        "inverse_time": inverse_time,
        "cosine": cosine,
        "warmup_cosine": warmup_cosine,
        "piecewise": piecewise,
    }
)


def as_schedule(learning_rate: ScalarOrSchedule) -> Schedule:
    """A schedule that returns arrays, from a number, an array or a schedule.

    Raises:
        ValueError: the number is negative or not finite.
        TypeError: it is neither a number nor a function.
    """
    if callable(learning_rate):
        return lambda step: _own(learning_rate(step))
    checks.non_negative(learning_rate=learning_rate)
    if isinstance(learning_rate, int | float | np.generic):
        return lambda step: jnp.asarray(float(learning_rate))
    return lambda step: _own(learning_rate)


def _own(rate: Any) -> Any:
    """The rate as an array of its own, which a state may hold while its buffers are reused; a tracer as it is."""
    return jnp.asarray(rate) if isinstance(rate, jax.core.Tracer) else jnp.array(rate)
