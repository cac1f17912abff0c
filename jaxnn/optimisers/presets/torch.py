"""PyTorch's optimisers, `torch.optim`; Adam and its relatives are in `torch_adam`.

Weight decay is L2, unless it is called decoupled.
"""

from typing import Any

from jaxnn import checks, factories, numerics
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import scaled, with_momentum
from jaxnn.optimisers.presets.torch_adam import Adam, Adamax, AdamW, NAdam, RAdam
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
def Adadelta(
    lr: ScalarOrSchedule = 1.0,
    rho: DecayRate = 0.9,
    eps: Scalar = 1e-6,
    weight_decay: Strength = 0.0,
    maximize: bool = False,
) -> Optimiser:
    """`torch.optim.Adadelta`."""
    return rules.adadelta(lr, rho=rho, eps=eps, weight_decay=weight_decay, maximise=maximize)


ROWS: dict[str, Any] = {
    row.__name__: row for row in (SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, Adamax, Adadelta, RAdam)
}
