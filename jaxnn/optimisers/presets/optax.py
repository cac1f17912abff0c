"""optax's optimisers.

It has no default learning rates; `momentum=None` means no momentum. Masks are trees of booleans, or functions that
return them.
"""

import math
from typing import Any

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import (
    decay_decoupled,
    less_parameters,
    scaled,
    trace,
    with_momentum,
)
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
def adam(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    nesterov: bool = False,
) -> Optimiser:
    """`optax.adam`."""
    if nesterov:  # with the constant momentum β₁
        return rules.nadam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, momentum_decay=math.inf)
    return rules.adam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root)


@factories.optimiser
def nadam(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    nesterov: bool = True,
) -> Optimiser:
    """`optax.nadam`."""
    return adam(learning_rate, b1, b2, eps, eps_root, nesterov)


@factories.optimiser
def amsgrad(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Optimiser:
    """`optax.amsgrad`."""
    # Both corrections or neither are published rules. The bias of m is a factor of the step, so a mixture scales η.
    rate: ScalarOrSchedule = learning_rate
    if bias_correction_mu and not bias_correction_nu:
        rate = scaled(learning_rate, lambda step: 1 / numerics.one_minus_power(b1, tree.increment(step)))
    if bias_correction_nu and not bias_correction_mu:
        rate = scaled(learning_rate, lambda step: numerics.one_minus_power(b1, tree.increment(step)))
    maximum = "corrected" if bias_correction_nu else "paper"
    return rules.amsgrad(rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, maximum=maximum)


@factories.optimiser
def adamw(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    weight_decay: Strength | Schedule = 1e-4,
    mask: Any = None,
    nesterov: bool = False,
) -> Optimiser:
    """`optax.adamw`."""
    rule = adam(learning_rate, b1, b2, eps, eps_root, nesterov)
    return decay_decoupled(rule, learning_rate, weight_decay, mask)


@factories.optimiser
def nadamw(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    weight_decay: Strength | Schedule = 1e-4,
    mask: Any = None,
    nesterov: bool = True,
) -> Optimiser:
    """`optax.nadamw`."""
    return adamw(learning_rate, b1, b2, eps, eps_root, weight_decay, mask, nesterov)


@factories.optimiser
def adamax(
    learning_rate: ScalarOrSchedule, b1: DecayRate = 0.9, b2: DecayRate = 0.999, eps: Scalar = 1e-8
) -> Optimiser:
    """`optax.adamax`."""
    return rules.adamax(learning_rate, b1=b1, b2=b2, eps=eps)


@factories.optimiser
def adamaxw(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Strength | Schedule = 1e-4,
    mask: Any = None,
) -> Optimiser:
    """`optax.adamaxw`."""
    return decay_decoupled(rules.adamax(learning_rate, b1=b1, b2=b2, eps=eps), learning_rate, weight_decay, mask)


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


@factories.optimiser
def radam(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    threshold: Scalar = 5.0,
) -> Optimiser:
    """`optax.radam`."""
    return rules.radam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, threshold=threshold)


@factories.optimiser
def lion(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.99,
    weight_decay: Strength | Schedule = 1e-3,
    mask: Any = None,
) -> Optimiser:
    """`optax.lion`."""
    return decay_decoupled(rules.lion(learning_rate, b1=b1, b2=b2), learning_rate, weight_decay, mask)


ROWS: dict[str, Any] = {
    "sgd": sgd,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "amsgrad": amsgrad,
    "adamw": adamw,
    "nadam": nadam,
    "nadamw": nadamw,
    "adamax": adamax,
    "adamaxw": adamaxw,
    "adadelta": adadelta,
    "radam": radam,
    "lion": lion,
}
