"""optax's optimisers; `optax_adam` has Adam and its relatives, `optax_decoupled` those with decoupled weight decay.

It has no default learning rates; `momentum=None` means no momentum. Masks are trees of booleans, or functions that
return them.
"""

from typing import Any

from jaxnn import checks, factories
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import less_parameters, trace, with_momentum
from jaxnn.optimisers.presets.optax_adam import adam, adamax, amsgrad, nadam, radam
from jaxnn.optimisers.presets.optax_decoupled import adamaxw, adamw, lion, nadamw
from jaxnn.schedules import as_schedule
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, MomentumRate, Optimiser, Scalar, ScalarOrSchedule, Schedule, Strength


@factories.optimiser
def sgd(learning_rate: ScalarOrSchedule, momentum: MomentumRate | None = None, nesterov: bool = False) -> Optimiser:
    """`optax.sgd`."""
    if momentum is None:
        return rules.sgd(learning_rate)
    return with_momentum(learning_rate, momentum, nesterov, learning_rate_inside=False)


@factories.optimiser
def adagrad(learning_rate: ScalarOrSchedule, initial_accumulator_value: Scalar = 0.1, eps: Scalar = 1e-7) -> Optimiser:
    """`optax.adagrad`."""
    return rules.adagrad(learning_rate, eps=eps, eps_inside=True, initial_accumulator=initial_accumulator_value)


@factories.optimiser
def rmsprop(
    learning_rate: ScalarOrSchedule,
    decay: DecayRate = 0.9,
    eps: Scalar = 1e-8,
    initial_scale: Scalar = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: MomentumRate | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Optimiser:
    """`optax.rmsprop`."""
    rule = rules.rmsprop(
        learning_rate,
        decay=decay,
        eps=eps,
        eps_inside=eps_in_sqrt,
        centred=centered,
        initial_mean_square=initial_scale,
        bias_correction=bias_correction,
    )
    return rule if momentum is None else chain(rule, trace(momentum, nesterov))


@factories.optimiser
def adadelta(
    learning_rate: ScalarOrSchedule,  # optax's default, None, goes uphill: it never flips the sign
    rho: DecayRate = 0.9,
    eps: Scalar = 1e-6,
    weight_decay: Strength | Schedule = 0.0,
    weight_decay_mask: Any = None,
) -> Optimiser:
    """`optax.adadelta`."""
    rule = rules.adadelta(learning_rate, rho=rho, eps=eps)
    if is_zero(weight_decay):
        return rule
    if not callable(weight_decay):
        checks.non_negative(weight_decay=weight_decay)
    decay = as_schedule(weight_decay)
    link = less_parameters(lambda step: -decay(step))
    return chain(link if weight_decay_mask is None else masked(link, weight_decay_mask), rule)


ROWS: dict[str, Any] = {
    row.__name__: row
    for row in (sgd, adagrad, rmsprop, adam, amsgrad, adamw, nadam, nadamw, adamax, adamaxw, adadelta, radam, lion)
}
