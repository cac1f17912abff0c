"""PyTorch's optimisers, `torch.optim`.

Weight decay is L2, unless it is called decoupled.
"""

from typing import Any

from jaxnn import checks, factories, numerics
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import (
    adam_or_amsgrad,
    decay_decoupled,
    scaled,
    with_momentum,
)
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, MomentumRate, Optimiser, Scalar, ScalarOrSchedule, Strength


@factories.optimiser
def SGD(
    lr: ScalarOrSchedule = 1e-3,
    momentum: MomentumRate = 0.0,
    dampening: MomentumRate = 0.0,
    weight_decay: Strength = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.SGD`."""
    if nesterov and (is_zero(momentum) or not is_zero(dampening)):
        raise ValueError("torch.SGD with nesterov needs momentum > 0 and dampening 0.")
    if is_zero(momentum):  # and then no dampening either
        return rules.sgd(lr, weight_decay=weight_decay, maximise=maximize)
    damping = {} if nesterov else {"dampening": dampening}
    return with_momentum(
        lr, momentum, nesterov, learning_rate_inside=False, weight_decay=weight_decay, maximise=maximize, **damping
    )


@factories.optimiser
def Adagrad(
    lr: ScalarOrSchedule = 1e-2,
    lr_decay: Strength = 0.0,
    weight_decay: Strength = 0.0,
    initial_accumulator_value: Scalar = 0.0,
    eps: Scalar = 1e-10,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.Adagrad`."""
    checks.non_negative(lr_decay=lr_decay)
    rate = lr if is_zero(lr_decay) else scaled(lr, lambda step: 1 / (1 + numerics.real(step) * lr_decay))
    return rules.adagrad(
        rate, eps=eps, initial_accumulator=initial_accumulator_value, weight_decay=weight_decay, maximise=maximize
    )


@factories.optimiser
def RMSprop(
    lr: ScalarOrSchedule = 1e-2,
    alpha: DecayRate = 0.99,
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    momentum: MomentumRate = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.RMSprop`."""
    return rules.rmsprop(
        lr,
        decay=alpha,
        eps=eps,
        eps_inside=False,
        centred=centered,
        momentum=momentum,
        learning_rate_inside=False,
        weight_decay=weight_decay,
        maximise=maximize,
    )


@factories.optimiser
def Adam(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999),
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> Optimiser:
    """`torch.optim.Adam`."""
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = adam_or_amsgrad(lr, amsgrad, b1=b1, b2=b2, eps=eps, weight_decay=coupled, maximise=maximize)
    return decay_decoupled(rule, lr, decoupled)


@factories.optimiser
def AdamW(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999),
    eps: Scalar = 1e-8,
    weight_decay: Strength = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.AdamW`."""
    return Adam(lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay=True)


@factories.optimiser
def NAdam(
    lr: ScalarOrSchedule = 2e-3,
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999),
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    momentum_decay: Scalar = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.NAdam`."""
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = rules.nadam(
        lr, b1=b1, b2=b2, eps=eps, momentum_decay=momentum_decay, weight_decay=coupled, maximise=maximize
    )
    return decay_decoupled(rule, lr, decoupled)


@factories.optimiser
def Adamax(
    lr: ScalarOrSchedule = 2e-3,
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999),
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.Adamax`."""
    b1, b2 = betas
    return rules.adamax(lr, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, maximise=maximize)


@factories.optimiser
def Adadelta(
    lr: ScalarOrSchedule = 1.0,
    rho: DecayRate = 0.9,
    eps: Scalar = 1e-6,
    weight_decay: Strength = 0.0,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.Adadelta`."""
    return rules.adadelta(lr, rho=rho, eps=eps, weight_decay=weight_decay, maximise=maximize)


@factories.optimiser
def RAdam(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999),
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.RAdam`."""
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = rules.radam(lr, b1=b1, b2=b2, eps=eps, eps_hat=True, weight_decay=coupled, maximise=maximize)
    return decay_decoupled(rule, lr, decoupled)


ROWS: dict[str, Any] = {
    "SGD": SGD,
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
    "Adam": Adam,
    "AdamW": AdamW,
    "NAdam": NAdam,
    "Adamax": Adamax,
    "Adadelta": Adadelta,
    "RAdam": RAdam,
}
