"""optax's Adam and its relatives."""

import math

from jaxnn import factories, numerics, tree
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import scaled
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule


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
def adamax(
    learning_rate: ScalarOrSchedule, b1: DecayRate = 0.9, b2: DecayRate = 0.999, eps: Scalar = 1e-8
) -> Optimiser:
    """`optax.adamax`."""
    return rules.adamax(learning_rate, b1=b1, b2=b2, eps=eps)


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
