"""optax's optimisers with decoupled weight decay, of all parameters or of those that a mask selects."""

from typing import Any

from jaxnn import factories
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import decay_decoupled
from jaxnn.optimisers.presets.optax_adam import adam
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule, Schedule, Strength


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
def lion(
    learning_rate: ScalarOrSchedule,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.99,
    weight_decay: Strength | Schedule = 1e-3,
    mask: Any = None,
) -> Optimiser:
    """`optax.lion`."""
    return decay_decoupled(rules.lion(learning_rate, b1=b1, b2=b2), learning_rate, weight_decay, mask)
