"""When a minimisation is over, and why, in words.

The rules, the weightiest first; ε is the precision's, s the step, r the reduction that a model promises with no limit
to the step, ∞ where the model falls for ever:

    diverged     J, ∇J or θ is not finite, or J as far below 0 as numbers go
    gradient     ‖∇J‖₂ ≤ gradient_tolerance, and r < ∞
    goal         J ≤ goal
    stuck        the method found no acceptable step, however short, or J has not fallen for 50 steps, none of which
                 changed it by more than 1000 ε |J|; while r says that it could
    reduction    |r| ≤ 100 ε² |J|: steps of ε of the way to the minimum remain
    step         |sᵢ| ≤ ε max(|θᵢ|, ε ‖θ‖∞) for all i: the parameters no longer change; and |r| is within J's rounding
    rounding     |r| ≤ 10 ε |J|, or the method found r and J's change within J's rounding; and r has not become less
                 for ten steps, or no step is acceptable: what moves is rounding
    budget       max_steps

A run that any of these calls converged although r = ∞ is stationary only: at a saddle or a maximum. So is a start with
a gradient of 0, of a method that cannot tell. Of a method without a model, r is asked for in the end.

Reduction, step and rounding are relative, hence the same for parameters and objectives in any unit, and are asked of
methods only that report on their steps: a rule such as Adam may take a small step and a large one next.
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

PATIENCE = 10  # steps in the midst of rounding without a lesser prediction
# Steps without a lesser J though it is predicted: by λ/10 at each, a λ that is 10⁵⁰ times too large has time to fall.
STANDSTILL = 50
GOING_ON, DIVERGED, GRADIENT, GOAL, STUCK, REDUCTION, STEP, ROUNDING, BUDGET, STATIONARY, UNFINISHED = range(11)
WORDS = (
    "still going on",
    "diverged: J or its gradient is no longer finite; the parameters are the last finite ones",
    "converged: the gradient's norm is within gradient_tolerance",
    "goal reached: J is not above it",
    "stuck: no acceptable step was found, or none that lowers J, though the model promises some: the matrix is "
    "singular, or J has a kink",
    "converged: the reduction that the model predicts is below the precision of J",
    "converged: the step is below the precision of the parameters",
    "converged as far as rounding allows: the predicted reduction is within the rounding of J, and no longer shrinks",
    "max_steps used up",
    "stationary: the gradient is 0, at a minimum, a saddle or a maximum; verify.certify tells which",
    "stuck: J no longer falls by this method's steps, though Newton's would lower it: bring the parameters to like "
    "scales, or use optimisers.newton or newton_cg",
)
CONVERGED = (GRADIENT, REDUCTION, STEP, ROUNDING)


class Stop(NamedTuple):
    """Why a run ended, as data: what a compiled or vmapped run can return."""

    code: Int[Array, "*starts"]  # an index of WORDS

    def words(self) -> Any:
        """The reason in words, or an array of reasons, one for each start."""
        codes = np.asarray(self.code)
        return WORDS[int(codes)] if codes.ndim == 0 else np.array(WORDS)[codes]


class Limits(NamedTuple):
    """What the user asked for; data, which change without compiling again."""

    gradient_tolerance: Any  # of ‖∇J‖₂
    goal: Any  # of J


class Watch(NamedTuple):
    """What the rules remember from step to step."""

    code: Int[Array, ""]
    least: Float[Array, ""]  # the least prediction, or gradient, in the midst of rounding
    since: Int[Array, ""]  # steps since then
    lowest: Float[Array, ""]  # J when it was last seen to fall
    still: Int[Array, ""]  # steps since then that left J where it was though the model promised more


def begin(value: Array, grad: Params, told: Report | None, limits: Limits) -> Watch:
    """Before the first step; the start may be stationary, or not finite.

    Only a method that promises ∞ leaves a point without a gradient, if it is a saddle.
    """
    norm = tree.norm(grad)
    code = jnp.where(value <= limits.goal, GOAL, GOING_ON)
    leaves = False if told is None or told.promised is None else told.promised == jnp.inf
    code = jnp.where((norm <= limits.gradient_tolerance) & ~jnp.asarray(leaves), STATIONARY, code)
    code = jnp.where(jnp.isfinite(value) & tree.all_finite(grad), code, DIVERGED)
    none = jnp.zeros((), jnp.int32)
    return Watch(code.astype(jnp.int32), jnp.asarray(jnp.inf, norm.dtype), none, value, none)


def decide(
    watch: Watch,
    told: Report | None,
    *,
    before: tuple[Params, Array],
    after: tuple[Params, Array],
    grad: Params,
    finite: Bool[Array, ""],
    steps: Array,
    limits: Limits,
    max_steps: int,
) -> Watch:
    """Asks all rules after a step.

    Args:
        watch: what is remembered.
        told: the method's report; None for an optimiser that makes none.
        before: parameters and J before the step.
        after: parameters and J after it.
        grad: ∇J after it.
        finite: whether all that is.
        steps: taken so far.
        limits: what the user asked for.
        max_steps: the budget.
    """
    norm = tree.norm(grad)
    least, since, lowest, still = watch.least, watch.since, watch.lowest, watch.still
    holds = {BUDGET: steps >= max_steps}
    if told is not None:
        value, eps = after[1], jnp.finfo(after[1].dtype).eps
        change = jnp.abs(before[1] - value)
        model = told.predicted_reduction if told.promised is None else told.promised
        model = jnp.where(model == -jnp.inf, told.predicted_reduction, model)
        modelled = ~jnp.isnan(model)
        reduction = jnp.where(modelled, jnp.abs(model), change)  # < 0 up to a saddle
        measure = jnp.where(modelled, reduction, norm)
        drowned = told.within_rounding | (reduction <= ROUNDINGS * eps * jnp.abs(value))
        better = drowned & (measure < least)
        least = jnp.where(better, measure, least).astype(least.dtype)
        since = jnp.where(better | ~drowned, 0, since + 1)
        fell = value < lowest - ROUNDINGS * eps * jnp.abs(lowest)
        unchanged = modelled & ~drowned & ~fell & (change <= 100 * ROUNDINGS * eps * jnp.abs(value))
        lowest, still = jnp.where(fell, value, lowest), jnp.where(unchanged, still + 1, 0)
        holds |= {
            ROUNDING: since >= PATIENCE,
            STEP: told.accepted & (drowned | ~modelled) & _unmoved(before[0], after[0]),
            REDUCTION: told.accepted & modelled & (reduction <= 100 * eps**2 * jnp.abs(value)),
            STUCK: (told.at_limit & ~told.within_rounding) | (still >= STANDSTILL),
        }
        holds[ROUNDING] |= told.at_limit & told.within_rounding
    falls = jnp.asarray(False if told is None or told.promised is None else told.promised == jnp.inf)
    small = (norm <= limits.gradient_tolerance) & ~falls
    holds |= {GOAL: after[1] <= limits.goal, GRADIENT: small, DIVERGED: ~finite}
    code = watch.code
    for each, condition in holds.items():  # the later ones have the last word
        code = jnp.where(condition, each, code)
    if told is not None and told.promised is not None:
        code = jnp.where((told.promised == -jnp.inf) & _among(code, CONVERGED), STATIONARY, code)
    return Watch(code.astype(jnp.int32), least, since.astype(jnp.int32), lowest, still.astype(jnp.int32))


def told(stop: Stop, *, steps: int, gradient_norm: float, gradient_tolerance: float) -> str:
    """The reason with its figures, for a person."""
    code = int(stop.code)
    count = f"{steps} step" + ("" if steps == 1 else "s")
    if code == GRADIENT:
        return f"{WORDS[code]}: {gradient_norm:.3g} ≤ {gradient_tolerance:.3g} after {count}"
    if code == BUDGET:
        return f"{WORDS[code]}: {count}, the gradient's norm is {gradient_norm:.3g}"
    return f"{WORDS[code]}; {count}, the gradient's norm is {gradient_norm:.3g}"


def audited(stop: Stop, promised: Array, rounding: Array) -> Stop:
    """The verdict on a run by a method without a model, once it is known what a Newton step would gain.

    Args:
        stop: the verdict so far.
        promised: what such a step would gain.
        rounding: of J.
    """
    left = promised > rounding
    code = jnp.where(_among(stop.code, (STEP, ROUNDING, STUCK)) & left, UNFINISHED, stop.code)
    code = jnp.where((code == GRADIENT) & jnp.isinf(promised), STATIONARY, code)
    return Stop(jnp.where((code == STUCK) & ~left, ROUNDING, code).astype(stop.code.dtype))


def in_question(stop: Stop) -> Array:
    """Whether `audited` could change it."""
    return _among(stop.code, (GRADIENT, STEP, ROUNDING, STUCK))


def _among(code: Array, codes: Sequence[int]) -> Array:
    return jnp.any(jnp.stack([code == each for each in codes]), axis=0)


def _unmoved(before: Params, after: Params) -> Array:
    """Whether no parameter moved by more than its rounding; one of 0 by more than ε² of the largest."""
    pairs = list(zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))
    largest = _largest([jnp.max(jnp.abs(b), initial=0.0) for b, _ in pairs])
    small = [
        jnp.all(jnp.abs(a - b) <= jnp.finfo(b.dtype).eps * jnp.maximum(jnp.abs(b), jnp.finfo(b.dtype).eps * largest))
        for b, a in pairs
    ]
    return jnp.all(jnp.stack(small))


def _largest(values: Sequence[Array]) -> Array:
    return jnp.max(jnp.stack([jnp.asarray(v, jnp.result_type(float)) for v in values]))
