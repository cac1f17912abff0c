"""PyTorch's Adam and its relatives."""

from jaxnn import factories
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import adam_or_amsgrad, decay_decoupled
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule, Strength


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
