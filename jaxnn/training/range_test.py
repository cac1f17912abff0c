"""The learning-rate range test: one short run in which the rate grows geometrically, from far too low to far too high.

    η_k = low (high / low)^(k / (steps - 1)),    k = 0, 1, …, steps - 1

J_k is the loss of batch k before the step with rate η_k. It is smoothed by a moving average with bias correction,
β = 0.9:

    m_k = β m_(k-1) + (1 - β) J_k,    s_k = m_k / (1 - β^(k+1)),    m_(-1) = 0

The test ends at the first J_k that is not finite, or where s_k > L_k + 3 |L_k|, four times a positive L_k, the least s
so far.

References:
    Smith, Cyclical learning rates for training neural networks (2017), arXiv:1506.01186, section 3.3.
    Smith, A disciplined approach to neural network hyper-parameters: part 1 (2018), arXiv:1803.09820.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, factories, numerics, structure
from jaxnn.optimisers import METHODS
from jaxnn.training import inputs
from jaxnn.training.nested_states import report
from jaxnn.training.ordering import batches
from jaxnn.training.steps import run
from jaxnn.types import Count, OptimiserLike, Params, Scalar, Schedule

SMOOTHING, TOLERATED, FIRST = 0.9, 3.0, 10  # β; what s may rise, in units of |least s|; losses that tell J at the start
FALLEN = 0.8  # the share of the whole fall at which the suggestion is
LEAST_STEPS = 50


class RangeTest(NamedTuple):
    """The result of `learning_rate_range_test`; k steps were counted."""

    learning_rate: np.ndarray  # (k,) η, rising
    loss: np.ndarray  # (k,) J of each step's batch, before the step
    smoothed: np.ndarray  # (k,) the moving average of these
    suggestion: float  # the rate to train with; nan if the loss did not fall
    lowest: float  # the rate at which the smoothed loss is least
    diverged: float  # the rate at which the test ended; nan if it ended at `high`
    stop: str  # why it ended, as a sentence


def learning_rate_range_test(
    objective: Callable[..., Any],
    optimiser: Any,
    params: Params,
    data: Any,
    *,
    key: Any,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    batch_size: int = 32,
) -> RangeTest:
    """Trains for a few steps at a rate that grows from step to step, and suggests one.

        found = training.learning_rate_range_test(objective, optimisers.adam, params, data, key=key)
        optimiser = optimisers.adam(found.suggestion)

    The suggestion is the rate from which on 80 % of the fall is done: the smoothed loss stays below m - 0.8 (m - s)
    until it is least, where m is the mean of the first ten losses and s the least smoothed one from the tenth on. It
    is nan if m - s is no larger than the standard deviation of these ten losses. The page on learning rates in the
    documentation says how far it can be trusted.

    Args:
        objective: J(params, batch), as for `fit`.
        optimiser: a function of a learning rate or a schedule, such as `optimisers.adam` or
            `functools.partial(optimisers.adamw, weight_decay=0.1)`. Other numbers in it compile nothing.
        params: the initial parameters; they are not changed.
        data: (inputs, targets) or (inputs, targets, weight), as for `fit`.
        key: a PRNG key for the order of the rows and dropout.
        low: the first rate, > 0.
        high: the last rate, > low.
        steps: whole number ≥ 50.
        batch_size: whole number ≥ 1, the one to train with; at most the number of rows is used. Rows are visited in
            the order of `fit`, without the last batch of an epoch if it is short.

    Returns:
        A `RangeTest`. Divergence is what the test looks for, and raises no exception.

    Raises:
        ValueError: shapes, labels, values or arguments are invalid, or the optimiser is a second-order method.
        TypeError: arguments or data have the wrong type, or the optimiser takes no learning rate.
    """
    checks.positive(low=low, high=high)
    if not low < high:
        raise ValueError(f"The rate rises from low to high, so low must be below high, got low={low} and high={high}.")
    checks.whole(LEAST_STEPS, steps=steps)
    checks.whole(1, batch_size=batch_size)
    if not hasattr(key, "dtype"):
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), got {key!r}.")
    made = _made(optimiser, geometric(low, high=high, steps=steps), params)
    data = inputs.on_device(data, "training set")
    inputs.rehearse(objective, params, data, "training set")
    size = min(int(batch_size), jax.tree.leaves(data[0])[0].shape[0])
    plan = structure.split((objective, made))
    structure.watch(plan, stacklevel=2)
    losses = np.asarray(_losses(plan, params, data, key, steps=int(steps), batch_size=size), np.float64)
    return _found(low * (high / low) ** (np.arange(steps) / (steps - 1)), losses)


@factories.schedule
def geometric(low: Scalar, *, high: Scalar, steps: Count) -> Schedule:
    """The rate rises from `low` at step 0 to `high` at step `steps` - 1, by the same factor at every step."""
    return lambda step: low * (high / low) ** (numerics.real(step) / (steps - 1))


@partial(jax.jit, static_argnames=("steps", "batch_size"))
def _losses(plan: Any, params: Params, data: Any, key: Any, *, steps: int, batch_size: int) -> jax.Array:
    """The loss of each step, (steps,)."""
    objective, optimiser = structure.restore(plan)
    n = jax.tree.leaves(data[0])[0].shape[0]
    epochs = jnp.arange(-(-steps // (n // batch_size)))
    rows = jax.vmap(lambda epoch: batches(key, epoch, n, batch_size))(epochs).reshape(-1, batch_size)[:steps]
    return run(objective, optimiser, params, data, rows, key=key)[1].loss


def _made(factory: Any, schedule: Schedule, params: Params) -> OptimiserLike:
    """The optimiser with this schedule; raises where it has no learning rate."""
    if isinstance(factory, OptimiserLike):
        raise TypeError(f"optimiser must be a function of the learning rate, such as optimisers.adam, got {factory!r}.")
    inner: Any = factory
    while isinstance(inner, partial):
        inner = inner.func
    for name, method in METHODS.items():
        if inner is method:
            raise ValueError(f"{name} finds its own step length, so there is no learning rate to test.")
    try:
        made = factory(schedule)
    except TypeError as error:
        raise TypeError(f"optimiser must take a learning rate, which {factory!r} does not: {error}.") from error
    if not isinstance(made, OptimiserLike):
        raise TypeError(f"optimiser(learning_rate) must have init and update, such as optimisers.adam, got {made!r}.")
    if report(jax.eval_shape(made.init, params)) is not None:
        raise ValueError("The optimiser is a method that finds its own step length: there is no learning rate to test.")
    return made


def _found(rate: np.ndarray, loss: np.ndarray) -> RangeTest:
    """What the losses (steps,) say, at rates (steps,)."""
    smoothed = smooth(loss)
    least = np.fmin.accumulate(smoothed)
    over = ~np.isfinite(loss) | (smoothed > least + TOLERATED * np.abs(least))
    end = int(np.argmax(over)) if over.any() else len(rate)
    diverged = float(rate[end]) if end < len(rate) else math.nan
    rate, loss, smoothed = rate[:end], loss[:end], smoothed[:end]
    suggestion, lowest = suggest(rate, loss, smoothed)
    if end == 0:
        stop = "the loss is not finite at the initial parameters"
    elif math.isnan(suggestion):
        what = f"diverged at a rate of {diverged:.3g}" if math.isfinite(diverged) else f"reached {rate[-1]:.3g}"
        stop = f"{what} before the loss had fallen"
    elif math.isnan(diverged):
        stop = f"reached the highest rate, {rate[-1]:.3g}, without diverging"
    else:
        stop = f"diverged at a rate of {diverged:.3g}"
    return RangeTest(rate, loss, smoothed, suggestion, lowest, diverged, stop)


def smooth(loss: np.ndarray) -> np.ndarray:
    """The moving average with bias correction, (k,); nan from the first loss on that is not finite."""
    averages, m = np.full_like(loss, np.nan), 0.0
    for k, value in enumerate(loss):
        if not math.isfinite(value):
            break
        m += (1 - SMOOTHING) * (value - m)
        averages[k] = m / -math.expm1((k + 1) * math.log(SMOOTHING))
    return averages


def suggest(rate: np.ndarray, loss: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """The suggested rate and that of the least smoothed loss; nan if the loss did not fall by more than its noise."""
    if len(rate) <= FIRST:
        return math.nan, math.nan
    start, noise = loss[:FIRST].mean(), loss[:FIRST].std()
    at = FIRST - 1 + int(np.argmin(smoothed[FIRST - 1 :]))  # before, the average is of few losses
    fall = start - smoothed[at]
    if not fall > noise:
        return math.nan, float(rate[at])
    above = np.flatnonzero(smoothed[:at] > start - FALLEN * fall)  # not only first losses that happen to be small
    return float(rate[above[-1] + 1 if len(above) else 0]), float(rate[at])
