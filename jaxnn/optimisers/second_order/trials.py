"""Trial steps, until one is taken: the inner loop of every method that trusts a model of J so far and no further.

    s = propose(region)                         a step, and the reduction m(0) - m(s) > 0 that the model predicts
    ρ = (J(θ) - J(θ + s)) / (m(0) - m(s))       gain ratio: how much of it came true
    taken if ρ > 10⁻⁴, or what the method asks; else region ← adapt(region, ρ), and again

A trial value that is not finite counts as ρ = -∞. Where both reductions drown in the rounding of J, they say nothing,
and the model is believed: ρ = 1, the region stays. Differences of J end at √ε, steps of the model at ε (Conn, Gould &
Toint, Trust Region Methods, 2000, section 17.4.2).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order.flat import Flat

ACCEPTABLE = 1e-4  # the least gain ratio of a step that is taken
TRIALS = 40  # in one iteration: λ has then grown by 2^(40·41/2) under Nielsen's rule

Region = TypeVar("Region")


class Taken(NamedTuple):
    """The last trial of an iteration."""

    step: Float[Array, " n"]  # 0 where none was acceptable
    predicted: Float[Array, ""]
    gain: Float[Array, ""]
    region: Any  # for the next iteration; where none was acceptable, as it was
    trials: Int[Array, ""]
    accepted: Bool[Array, ""]
    drowned: Bool[Array, ""]
    promised: Float[Array, ""]  # `promise.looked_through` says more than the prediction

    def report(self, damping: Any, evaluations: Any = 0) -> Report:
        """The report of this iteration; `evaluations` are those beside one for each trial and one for rounding."""
        return Report(
            predicted_reduction=self.predicted,
            gain_ratio=self.gain,
            damping=jnp.asarray(damping, self.step.dtype),
            evaluations=jnp.asarray(self.trials + 1 + evaluations, jnp.int32),
            accepted=self.accepted,
            at_limit=~self.accepted,
            drowned=self.drowned,
            promised=self.promised,
        )


def gain_ratio(at: Flat, trial: Array, predicted: Array, step: Array) -> tuple[Array, Array]:
    """Actual over predicted reduction, -∞ where the trial is not finite; and whether both drown, which counts as 1.

    So does a J of 0 that stays 0 after a step of √ε of each parameter or less: relative to 0 nothing is known of it.
    """
    actual = at.value - trial
    short = jnp.all(jnp.abs(step) <= jnp.sqrt(jnp.finfo(step.dtype).eps) * jnp.abs(at.theta))
    drowned = (jnp.abs(actual) <= at.rounding) & (
        (jnp.abs(predicted) <= at.rounding) | (short & (at.value == 0) & (trial == 0))
    )
    ratio = jnp.where(drowned, 1.0, tree.ratio(actual, predicted))
    return jnp.where(jnp.isfinite(trial) & (predicted >= 0), ratio, -jnp.inf), drowned


def until_taken(
    propose: Callable[[Region], tuple[Array, Array]],
    adapt: Callable[[Region, Array, Array], Region],
    region: Region,
    at: Flat,
    *,
    acceptable: float = ACCEPTABLE,
) -> Taken:
    """Tries steps until one is acceptable, `TRIALS` at most.

    Args:
        propose: region -> (step (n,), predicted reduction).
        adapt: (region, gain ratio, step) -> the region of the next trial, or of the next iteration.
        region: a pytree: damping, or a radius.
        at: J near the parameters.
        acceptable: the least gain ratio of a step that is taken.
    """

    def trial(taken: Taken) -> Taken:
        step, predicted = propose(taken.region)
        step = jnp.where(jnp.isfinite(step), step, jnp.nan)  # one sign for what could not be solved
        gain, drowned = gain_ratio(at, at.value_at(step), predicted, step)
        region = tree.select(drowned, taken.region, adapt(taken.region, gain, step))
        return Taken(step, predicted, gain, region, taken.trials + 1, gain > acceptable, drowned, predicted)

    nan = jnp.asarray(jnp.nan, at.value.dtype)
    no = jnp.asarray(False)
    start = Taken(jnp.zeros_like(at.theta), nan, nan, region, jnp.zeros((), jnp.int32), no, no, nan)
    taken = jax.lax.while_loop(lambda t: ~t.accepted & (t.trials < TRIALS), trial, start)
    return taken._replace(
        step=jnp.where(taken.accepted, taken.step, 0.0),
        region=tree.select(taken.accepted, taken.region, region),  # not poisoned for another batch
    )
