"""Keras's optimisers, `keras.optimizers`; `keras_optimiser` gives each the keywords that all have."""

from typing import Any

from jaxnn import factories
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import adam_or_amsgrad, with_momentum
from jaxnn.optimisers.presets.keras_keywords import keras_optimiser
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, MomentumRate, Optimiser, Scalar, ScalarOrSchedule, Strength


@keras_optimiser
def SGD(learning_rate: ScalarOrSchedule = 1e-2, momentum: MomentumRate = 0.0, nesterov: bool = False) -> Optimiser:
    """`keras.optimizers.SGD`."""
    return rules.sgd(learning_rate) if is_zero(momentum) else with_momentum(learning_rate, momentum, nesterov)


@keras_optimiser
def Adagrad(
    learning_rate: ScalarOrSchedule = 1e-3, initial_accumulator_value: Scalar = 0.1, epsilon: Scalar = 1e-7
) -> Optimiser:
    """`keras.optimizers.Adagrad`."""
    return rules.adagrad(learning_rate, eps=epsilon, eps_inside=True, initial_accumulator=initial_accumulator_value)


@keras_optimiser
def RMSprop(
    learning_rate: ScalarOrSchedule = 1e-3,
    rho: DecayRate = 0.9,
    momentum: MomentumRate = 0.0,
    epsilon: Scalar = 1e-7,
    centered: bool = False,
) -> Optimiser:
    """`keras.optimizers.RMSprop`."""
    return rules.rmsprop(learning_rate, decay=rho, eps=epsilon, centred=centered, momentum=momentum)


@keras_optimiser
def Adam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
    amsgrad: bool = False,
) -> Optimiser:
    """`keras.optimizers.Adam`."""
    return adam_or_amsgrad(learning_rate, amsgrad, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)


@factories.optimiser
def AdamW(
    learning_rate: ScalarOrSchedule = 1e-3,
    weight_decay: Strength = 4e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
    amsgrad: bool = False,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.AdamW`: Adam with weight decay by default, and another order of keywords."""
    return Adam(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm)


@keras_optimiser
def Nadam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
) -> Optimiser:
    """`keras.optimizers.Nadam`."""
    return rules.nadam(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, momentum_decay=1.0)


@keras_optimiser
def Adamax(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
) -> Optimiser:
    """`keras.optimizers.Adamax`."""
    return rules.adamax(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, eps_inside=False)


@keras_optimiser
def Adadelta(learning_rate: ScalarOrSchedule = 1e-3, rho: DecayRate = 0.95, epsilon: Scalar = 1e-7) -> Optimiser:
    """`keras.optimizers.Adadelta`."""
    return rules.adadelta(learning_rate, rho=rho, eps=epsilon)


@keras_optimiser
def Lion(learning_rate: ScalarOrSchedule = 1e-3, beta_1: DecayRate = 0.9, beta_2: DecayRate = 0.99) -> Optimiser:
    """`keras.optimizers.Lion`."""
    return rules.lion(learning_rate, b1=beta_1, b2=beta_2)


ROWS: dict[str, Any] = {
    row.__name__: row for row in (SGD, Adagrad, RMSprop, Adam, AdamW, Nadam, Adamax, Adadelta, Lion)
}
