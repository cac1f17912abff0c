"""Keras's optimisers, `keras.optimizers`.

Each can clip gradients in one of three ways, and apply decoupled weight decay.
"""

from typing import Any

import jax

from jaxnn import checks, factories
from jaxnn.optimisers.compose.combine import chain
from jaxnn.optimisers.compose.links import clip_by_global_norm, clip_by_value
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import (
    adam_or_amsgrad,
    decay_decoupled,
    with_momentum,
)
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, MomentumRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


def _keras(
    rule: Optimiser,
    learning_rate: ScalarOrSchedule,
    weight_decay: Strength | None,
    clipnorm: Scalar | None,
    clipvalue: Scalar | None,
    global_clipnorm: Scalar | None,
) -> Optimiser:
    """The rule with Keras's clipping before it and Keras's weight decay after it; None means neither."""
    clips = {
        "clipnorm": (clipnorm, _clip_by_norm),
        "clipvalue": (clipvalue, clip_by_value),
        "global_clipnorm": (global_clipnorm, clip_by_global_norm),
    }
    links = [clip(size) for size, clip in clips.values() if size is not None]
    if len(links) > 1:
        raise ValueError(f"Keras clips in at most one way: give only one of {', '.join(clips)}.")
    decaying = rule if weight_decay is None else decay_decoupled(rule, learning_rate, weight_decay)
    return chain(*links, decaying) if links else decaying


def _clip_by_norm(clipnorm: Scalar) -> Optimiser:
    """Clips each leaf by its own norm."""
    checks.positive(clipnorm=clipnorm)
    clip = clip_by_global_norm(clipnorm)

    def update(grads: Updates, state: Any, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        del params, extra
        return jax.tree.map(lambda g: clip.update(g, state)[0], grads), state

    return Optimiser(clip.init, update)


@factories.optimiser
def SGD(
    learning_rate: ScalarOrSchedule = 1e-2,
    momentum: MomentumRate = 0.0,
    nesterov: bool = False,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.SGD`."""
    rule = rules.sgd(learning_rate) if is_zero(momentum) else with_momentum(learning_rate, momentum, nesterov)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Adagrad(
    learning_rate: ScalarOrSchedule = 1e-3,
    initial_accumulator_value: Scalar = 0.1,
    epsilon: Scalar = 1e-7,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Adagrad`."""
    rule = rules.adagrad(learning_rate, eps=epsilon, eps_inside=True, initial_accumulator=initial_accumulator_value)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def RMSprop(
    learning_rate: ScalarOrSchedule = 1e-3,
    rho: DecayRate = 0.9,
    momentum: MomentumRate = 0.0,
    epsilon: Scalar = 1e-7,
    centered: bool = False,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.RMSprop`."""
    rule = rules.rmsprop(learning_rate, decay=rho, eps=epsilon, centred=centered, momentum=momentum)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Adam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
    amsgrad: bool = False,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Adam`."""
    rule = adam_or_amsgrad(learning_rate, amsgrad, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


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
    """`keras.optimizers.AdamW`."""
    rule = adam_or_amsgrad(learning_rate, amsgrad, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Nadam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Nadam`."""
    rule = rules.nadam(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, momentum_decay=1.0)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Adamax(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-7,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Adamax`."""
    rule = rules.adamax(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, eps_inside=False)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Adadelta(
    learning_rate: ScalarOrSchedule = 1e-3,
    rho: DecayRate = 0.95,
    epsilon: Scalar = 1e-7,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Adadelta`."""
    rule = rules.adadelta(learning_rate, rho=rho, eps=epsilon)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


@factories.optimiser
def Lion(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.99,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """`keras.optimizers.Lion`."""
    rule = rules.lion(learning_rate, b1=beta_1, b2=beta_2)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


ROWS: dict[str, Any] = {
    "SGD": SGD,
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
    "Adam": Adam,
    "AdamW": AdamW,
    "Nadam": Nadam,
    "Adamax": Adamax,
    "Adadelta": Adadelta,
    "Lion": Lion,
}
