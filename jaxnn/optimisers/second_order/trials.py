"""Trial steps until one is accepted: the inner loop of all methods with a limited trust in their model of J.

    s = propose(region)                         a step, and the reduction m(0) - m(s) > 0 that the model predicts
    ρ = (J(θ) - J(θ + s)) / (m(0) - m(s))       gain ratio: actual over predicted reduction
    accepted if ρ > 10⁻⁴, or the method's own bound; else region ← adapt(region, ρ, s), and again

A trial value that is not finite counts as ρ = -∞. If both reductions are within J's rounding error, ρ is meaningless,
and the model is trusted: ρ = 1, and the region is kept. Differences of J are accurate to √ε in the parameters, steps of
the model to ε (Conn, Gould & Toint, Trust Region Methods, 2000, section 17.4.2).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order.problem import Problem

ACCEPTABLE = 1e-4  # the least gain ratio of an accepted step
TRIALS = 40  # the most trials per iteration: by then λ has grown by 2^(40·41/2) under Nielsen's rule


class Taken(NamedTuple):
    """The last trial of an iteration."""

    step: Float[Array, " n"]  # 0 if none was acceptable
    predicted: Float[Array, ""]
    gain: Float[Array, ""]
    region: Any  # for the next iteration
    trials: Int[Array, ""]
    accepted: Bool[Array, ""]
    within_rounding: Bool[Array, ""]
    promised: Float[Array, ""]  # the prediction, until `promise.with_promise` replaces it
    carry: tuple[Any, ...]  # what `propose` passes from trial to trial

    def report(self, damping: Any, evaluations: Any = 0) -> Report:
        """The report of this iteration; `evaluations` are additional to one per trial and one for rounding."""
        return Report(
            predicted_reduction=self.predicted,
            gain_ratio=self.gain,
            damping=jnp.asarray(damping, self.step.dtype),
            evaluations=jnp.asarray(self.trials + 1 + evaluations, jnp.int32),
            accepted=self.accepted,
            at_limit=~self.accepted,
            within_rounding=self.within_rounding,
            promised=self.promised,
        )


def until_taken(
    propose: Callable[..., Any],
    adapt: Callable[..., Any],
    region: Any,
    problem: Problem,
    *,
    acceptable: float = ACCEPTABLE,
    carry: tuple[Any, ...] = (),
    keep_region: bool = True,
) -> Taken:
    """Tries steps until one is acceptable, `TRIALS` at most.

    Args:
        propose: (region, *carry) -> (step (n,), predicted reduction, *carry).
        adapt: (region, gain ratio, step, *carry) -> the region of the next trial, or of the next iteration.
        region: a pytree: damping, or a radius.
        problem: J near the parameters.
        acceptable: the least gain ratio of an accepted step.
        carry: the initial carry.
        keep_region: whether to keep the region if rounding hides the gain, or no step was acceptable.
    """

    def trial(last: Taken) -> Taken:
        step, predicted, *carry = propose(last.region, *last.carry)
        step = jnp.where(jnp.isfinite(step), step, jnp.nan)  # NaN marks a system that could not be solved
        gain, hidden = _gain_ratio(problem, step, predicted)
        region = adapt(last.region, gain, step, *carry)
        region = tree.select(hidden, last.region, region) if keep_region else region
        return Taken(step, predicted, gain, region, last.trials + 1, gain > acceptable, hidden, predicted, tuple(carry))

    nan, no = jnp.asarray(jnp.nan, problem.value.dtype), jnp.asarray(False)
    start = Taken(jnp.zeros_like(problem.theta), nan, nan, region, jnp.zeros((), jnp.int32), no, no, nan, carry)
    taken = jax.lax.while_loop(lambda t: ~t.accepted & (t.trials < TRIALS), trial, start)
    if keep_region:  # a region that no step was acceptable in would poison the next batch
        taken = taken._replace(region=tree.select(taken.accepted, taken.region, region))
    return taken._replace(step=jnp.where(taken.accepted, taken.step, 0.0))


def _gain_ratio(problem: Problem, step: Array, predicted: Array) -> tuple[Array, Array]:
    """Actual over predicted reduction, -∞ where the trial is not finite; and whether rounding hides both: then 1.

    So does a J of 0 that stays 0 after a step of √ε of each parameter or less: relative to 0 nothing is known of it.
    """
    trial = problem.value_at(step)
    actual = problem.value - trial
    short = jnp.all(jnp.abs(step) <= jnp.sqrt(jnp.finfo(step.dtype).eps) * jnp.abs(problem.theta))
    hidden = (jnp.abs(actual) <= problem.rounding) & (
        (jnp.abs(predicted) <= problem.rounding) | (short & (problem.value == 0) & (trial == 0))
    )
    ratio = jnp.where(hidden, 1.0, tree.ratio(actual, predicted))
    return jnp.where(jnp.isfinite(trial) & (predicted >= 0), ratio, -jnp.inf), hidden
