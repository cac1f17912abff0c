"""Building blocks of the presets, besides the rules themselves."""

from typing import Any

from jaxnn import checks, tree
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.first_order.gradients import decayed
from jaxnn.schedules import as_schedule
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, Optimiser, Params, ScalarOrSchedule, Schedule, Strength, Updates


def less_parameters(factor: Schedule) -> Optimiser:
    """Subtracts factor(step) θ from the updates: ηλ after a rule is decoupled decay, -λ before one is an L2 penalty."""

    def update(updates: Updates, step: Any, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        del extra
        less = decayed(tree.widen(updates), params, factor(step))
        return tree.cast_like(less, updates), tree.increment(step)

    return Optimiser(lambda params: tree.start(), update)


def decay_decoupled(
    rule: Optimiser, learning_rate: ScalarOrSchedule, weight_decay: Strength | Schedule, mask: Any = None
) -> Optimiser:
    """The rule with decoupled weight decay ηλθ, on all parameters or those that the mask selects."""
    if is_zero(weight_decay):
        return rule
    if not callable(weight_decay):
        checks.non_negative(weight_decay=weight_decay)
    eta, decay = as_schedule(learning_rate), as_schedule(weight_decay)
    link = less_parameters(lambda step: eta(step) * decay(step))
    return chain(rule, link if mask is None else masked(link, mask))


def scaled(learning_rate: ScalarOrSchedule, factor: Schedule) -> Schedule:
    """The learning rate times a factor that depends on the step."""
    eta = as_schedule(learning_rate)
    return lambda step: eta(step) * factor(step)


def trace(momentum: DecayRate, nesterov: bool) -> Optimiser:
    """Momentum on steps u that include their learning rate: v ← α v + u, or Nesterov's α v + u with the new v."""
    return (rules.nesterov if nesterov else rules.momentum)(1.0, momentum=momentum, maximise=True)


def with_momentum(learning_rate: ScalarOrSchedule, momentum: DecayRate, nesterov: bool, **keywords: Any) -> Optimiser:
    """SGD as three libraries define it, with momentum and Nesterov momentum as keywords."""
    return (rules.nesterov if nesterov else rules.momentum)(learning_rate, momentum=momentum, **keywords)


def adam_or_amsgrad(learning_rate: ScalarOrSchedule, largest: bool, **keywords: Any) -> Optimiser:
    """Adam, or AMSGrad as PyTorch and Keras define it: the maximum over the uncorrected second moment."""
    return rules.amsgrad(learning_rate, maximum="raw", **keywords) if largest else rules.adam(learning_rate, **keywords)
