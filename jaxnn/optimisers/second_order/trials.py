"""Trial steps until one is accepted: the inner loop of all methods with a limited trust in their model of J.

    s = propose(region)                         a step, and the reduction m(0) - m(s) > 0 that the model predicts
    ρ = (J(θ) - J(θ + s)) / (m(0) - m(s))       gain ratio: actual over predicted reduction
    accepted if ρ > 10⁻⁴, or the rule's own bound; else region ← adapt(region, ρ, s), and again (`regions`)

A trial value that is not finite counts as ρ = -∞. If both reductions are within J's rounding error, ρ is meaningless,
and the model is trusted: ρ = 1, and the region is kept. Differences of J are accurate to √ε in the parameters, steps of
the model to ε (Conn, Gould & Toint, Trust Region Methods, 2000, section 17.4.2). If then a step without limit would
reduce J visibly (`promise`), the region becomes ten times as wide: one that has become narrow far from the minimum
would otherwise stay narrow, because within rounding no gain ratio could widen it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import tree
from jaxnn.optimisers import report
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.optimisers.second_order.regions import Proposal, Rule

TRIALS = 40  # the most trials per iteration: by then λ has grown by 2^(40·41/2) under Nielsen's rule


class Taken(NamedTuple):
    """The last trial of an iteration."""

    step: Float[Array, " n"]  # 0 if none was acceptable
    region: Any  # for the next iteration
    trials: Int[Array, ""]
    report: report.Report  # evaluations: one per trial, one for rounding, and products; damping: nan


def until_taken(
    propose: Callable[[Any], Proposal],
    rule: Rule,
    region: Any,
    problem: Problem,
    promised: Callable[[], Array] | None = None,
) -> Taken:
    """Tries steps until one is acceptable, `TRIALS` at most.

    Args:
        propose: region -> proposal.
        rule: how the region follows the trials.
        region: a pytree: damping, or a radius.
        problem: J near the parameters.
        promised: computes the reduction that the model predicts for a step without limit; under `vmap` it is called at
            every step, otherwise only if the step's own prediction is within rounding. None: as the step predicts.
    """

    def trial(last: Taken) -> Taken:
        proposal = propose(last.region)
        predicted = proposal.predicted
        step = jnp.where(jnp.isfinite(proposal.step), proposal.step, jnp.nan)  # NaN: a system that was not solved
        gain, hidden = _gain_ratio(problem, step, predicted)
        region = rule.adapt(last.region, gain, proposal)
        region = tree.select(hidden, last.region, region) if rule.keep else region
        accepted, evaluations = gain > rule.acceptable, last.report.evaluations + 1 + proposal.products
        outcome = report.Report(predicted, gain, nan, evaluations, accepted, ~accepted, hidden, predicted)
        return Taken(step, region, last.trials + 1, outcome)

    nan, none = jnp.asarray(jnp.nan, problem.value.dtype), jnp.zeros((), jnp.int32)
    untried = report.start(nan.dtype, promised=jnp.nan)._replace(evaluations=none + 1, accepted=jnp.asarray(False))
    going_on = lambda last: ~last.report.accepted & (last.trials < TRIALS)
    taken = jax.lax.while_loop(going_on, trial, Taken(jnp.zeros_like(problem.theta), region, none, untried))
    accepted = taken.report.accepted
    if rule.keep:  # a region that no step was acceptable in would poison the next batch
        taken = taken._replace(region=tree.select(accepted, taken.region, region))
    taken = taken._replace(step=jnp.where(accepted, taken.step, 0.0))
    return taken if promised is None else _with_promise(taken, promised, rule.relaxed, problem.rounding)


def _with_promise(
    taken: Taken, promised: Callable[[], Array], relaxed: Callable[[Any], Any], rounding: Float[Array, ""]
) -> Taken:
    """The last trial with its promise, and with a wider region if rounding hides the effect of the step."""
    predicted, accepted, hidden = taken.report.predicted_reduction, taken.report.accepted, taken.report.within_rounding
    faint = ~accepted | (predicted <= rounding)
    promise = jax.lax.cond(faint, lambda: jnp.asarray(promised(), predicted.dtype), lambda: predicted)
    hidden = (hidden & (predicted >= 0.5 * promise)) | ((hidden | ~accepted) & (promise <= rounding))
    hides = accepted & faint & (promise > rounding)
    region = tree.select(hides, relaxed(taken.region), taken.region)
    return taken._replace(region=region, report=taken.report._replace(within_rounding=hidden, promised=promise))


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
