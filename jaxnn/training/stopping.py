"""Decides when a minimisation ends, and explains why.

The rules, in order of precedence; ε is the machine precision, s the step, and r the reduction of J that the method's
model predicts for a step of any length, ∞ if the model is unbounded below:

    diverged     J, ∇J or θ is not finite, or J is unbounded below
    gradient     ‖∇J‖₂ ≤ gradient_tolerance, and r < ∞
    goal         J ≤ goal
    stuck        the method found no acceptable step, however short; or J has not fallen for 50 steps, each of which
                 changed it by at most 1000 ε |J|, although r predicts that it can
    reduction    |r| ≤ 100 ε² |J|: what remains is ε of the way to the minimum
    step         |sᵢ| ≤ ε max(|θᵢ|, ε ‖θ‖∞) for all i: the parameters no longer change; and |r| is within J's rounding
    rounding     |r| ≤ 10 ε |J|, or the method found r and J's change within J's rounding; and r has not decreased for
                 ten steps, or no step is acceptable: all changes are rounding errors
    budget       max_steps

A run that meets one of these convergence rules although r = ∞ is only stationary, at a saddle point or a maximum. The
same holds for a start with gradient 0 if the method predicts no r. For a method without a model, r is computed at the
end.

Reduction, step and rounding are relative, so they do not depend on the units of parameters and objective. They apply
only to methods that report on their steps: a rule such as Adam may take a small step and then a large one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree
from jaxnn.derivatives.rounding import ROUNDINGS
from jaxnn.optimisers.report import Report
from jaxnn.types import Params

PATIENCE = 10  # steps within rounding without a smaller predicted reduction
# Steps without a lower J although one is predicted: with λ/10 at each, even a λ that is 10⁵⁰ times too large recovers.
STANDSTILL = 50
GOING_ON, DIVERGED, GRADIENT, GOAL, STUCK, REDUCTION, STEP, ROUNDING, BUDGET, STATIONARY, UNFINISHED = range(11)
WORDS = (
    "still running",
    "diverged: J or its gradient is no longer finite; the parameters are the last finite ones",
    "converged: the gradient's norm is at most gradient_tolerance",
    "goal reached: J is at or below the goal",
    "stuck: no acceptable step was found, or none that lowers J, although the model predicts one: the matrix is "
    "singular, or J is not smooth",
    "converged: the predicted reduction is below the precision of J",
    "converged: the step is below the precision of the parameters",
    "converged as far as rounding allows: the predicted reduction is within J's rounding error and no longer decreases",
    "max_steps reached",
    "stationary: the gradient is 0, at a minimum, a saddle point or a maximum; verify.certify finds out which",
    "stuck: this method's steps no longer lower J, although a Newton step would: rescale the parameters to similar "
    "sizes, or use optimisers.newton or newton_cg",
)
CONVERGED = (GRADIENT, REDUCTION, STEP, ROUNDING)


class Stop(NamedTuple):
    """Why a run ended, as data that a compiled or vmapped run can return."""

    code: Int[Array, "*starts"]  # an index of WORDS

    def words(self) -> Any:
        """The reason as a sentence, or an array of them, one per start."""
        codes = np.asarray(self.code)
        return WORDS[int(codes)] if codes.ndim == 0 else np.array(WORDS)[codes]


class Limits(NamedTuple):
    """The user's limits, as data: other values compile nothing."""

    gradient_tolerance: Any  # for ‖∇J‖₂
    goal: Any  # for J


class Watch(NamedTuple):
    """The state of the rules from step to step."""

    code: Int[Array, ""]
    least: Float[Array, ""]  # the smallest predicted reduction, or gradient, within rounding
    since: Int[Array, ""]  # steps since then
    lowest: Float[Array, ""]  # J when it last fell
    still: Int[Array, ""]  # steps since then that did not change J although the model predicted a reduction


def begin(value: Array, grad: Params, report: Report | None, limits: Limits) -> Watch:
    """The state before the first step; the start may be stationary, or not finite.

    A method leaves a saddle point, where the gradient is 0, only if its predicted reduction is ∞.
    """
    norm = tree.norm(grad)
    code = jnp.where(value <= limits.goal, GOAL, GOING_ON)
    leaves = False if report is None or report.promised is None else report.promised == jnp.inf
    code = jnp.where((norm <= limits.gradient_tolerance) & ~jnp.asarray(leaves), STATIONARY, code)
    code = jnp.where(jnp.isfinite(value) & tree.all_finite(grad), code, DIVERGED)
    none = jnp.zeros((), jnp.int32)
    return Watch(code.astype(jnp.int32), jnp.asarray(jnp.inf, norm.dtype), none, value, none)


def decide(
    watch: Watch,
    report: Report | None,
    *,
    before: tuple[Params, Array],
    after: tuple[Params, Array],
    grad: Params,
    finite: Bool[Array, ""],
    steps: Array,
    limits: Limits,
    max_steps: int,
) -> Watch:
    """Applies all rules after a step.

    Args:
        watch: the state of the rules.
        report: the method's report; None for an optimiser that makes none.
        before: parameters and J before the step.
        after: parameters and J after it.
        grad: ∇J after it.
        finite: whether all of these are finite.
        steps: the number of steps so far.
        limits: the user's limits.
        max_steps: the maximum number of steps.
    """
    norm = tree.norm(grad)
    least, since, lowest, still = watch.least, watch.since, watch.lowest, watch.still
    holds = {BUDGET: steps >= max_steps}
    if report is not None:
        value, eps = after[1], jnp.finfo(after[1].dtype).eps
        change = jnp.abs(before[1] - value)
        model = report.predicted_reduction if report.promised is None else report.promised
        model = jnp.where(model == -jnp.inf, report.predicted_reduction, model)
        modelled = ~jnp.isnan(model)
        reduction = jnp.where(modelled, jnp.abs(model), change)  # < 0 up to a saddle
        measure = jnp.where(modelled, reduction, norm)
        within_rounding = report.within_rounding | (reduction <= ROUNDINGS * eps * jnp.abs(value))
        better = within_rounding & (measure < least)
        least = jnp.where(better, measure, least).astype(least.dtype)
        since = jnp.where(better | ~within_rounding, 0, since + 1)
        fell = value < lowest - ROUNDINGS * eps * jnp.abs(lowest)
        unchanged = modelled & ~within_rounding & ~fell & (change <= 100 * ROUNDINGS * eps * jnp.abs(value))
        lowest, still = jnp.where(fell, value, lowest), jnp.where(unchanged, still + 1, 0)
        holds |= {
            ROUNDING: since >= PATIENCE,
            STEP: report.accepted & (within_rounding | ~modelled) & _unmoved(before[0], after[0]),
            REDUCTION: report.accepted & modelled & (reduction <= 100 * eps**2 * jnp.abs(value)),
            STUCK: (report.at_limit & ~report.within_rounding) | (still >= STANDSTILL),
        }
        holds[ROUNDING] |= report.at_limit & report.within_rounding
    falls = jnp.asarray(False if report is None or report.promised is None else report.promised == jnp.inf)
    small = (norm <= limits.gradient_tolerance) & ~falls
    holds |= {GOAL: after[1] <= limits.goal, GRADIENT: small, DIVERGED: ~finite}
    code = watch.code
    for each, condition in holds.items():  # the later ones have the last word
        code = jnp.where(condition, each, code)
    if report is not None and report.promised is not None:
        code = jnp.where((report.promised == -jnp.inf) & _among(code, CONVERGED), STATIONARY, code)
    return Watch(code.astype(jnp.int32), least, since.astype(jnp.int32), lowest, still.astype(jnp.int32))


def describe(stop: Stop, *, steps: int, gradient_norm: float, gradient_tolerance: float) -> str:
    """The reason with its numbers, for people."""
    code = int(stop.code)
    count = f"{steps} step" + ("" if steps == 1 else "s")
    if code == GRADIENT:
        return f"{WORDS[code]}: {gradient_norm:.3g} ≤ {gradient_tolerance:.3g} after {count}"
    if code == BUDGET:
        return f"{WORDS[code]}: {count}, the gradient's norm is {gradient_norm:.3g}"
    return f"{WORDS[code]}; {count}, the gradient's norm is {gradient_norm:.3g}"


def audited(stop: Stop, promised: Array, rounding: Array) -> Stop:
    """The final verdict on a run by a method without a model, given the reduction of a Newton step.

    Args:
        stop: the verdict so far.
        promised: the reduction that a Newton step predicts.
        rounding: the rounding error of J.
    """
    left = promised > rounding
    code = jnp.where(_among(stop.code, (STEP, ROUNDING, STUCK)) & left, UNFINISHED, stop.code)
    code = jnp.where((code == GRADIENT) & jnp.isinf(promised), STATIONARY, code)
    return Stop(jnp.where((code == STUCK) & ~left, ROUNDING, code).astype(stop.code.dtype))


def in_question(stop: Stop) -> Array:
    """Whether `audited` could change the verdict."""
    return _among(stop.code, (GRADIENT, STEP, ROUNDING, STUCK))


def _among(code: Array, codes: Sequence[int]) -> Array:
    return jnp.any(jnp.stack([code == each for each in codes]), axis=0)


def _unmoved(before: Params, after: Params) -> Array:
    """Whether no parameter changed by more than its rounding error; one near 0, by more than ε² of the largest."""
    pairs = list(zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))
    largest = _largest([jnp.max(jnp.abs(b), initial=0.0) for b, _ in pairs])
    small = [
        jnp.all(jnp.abs(a - b) <= jnp.finfo(b.dtype).eps * jnp.maximum(jnp.abs(b), jnp.finfo(b.dtype).eps * largest))
        for b, a in pairs
    ]
    return jnp.all(jnp.stack(small))


def _largest(values: Sequence[Array]) -> Array:
    return jnp.max(jnp.stack([jnp.asarray(v, jnp.result_type(float)) for v in values]))
