"""The algorithms of Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 8.

The names are the book's, except that ε, its learning rate, is spelled out. The book has no defaults for the learning
rate, α and ρ, except in Adam.
"""

from typing import Any

from jaxnn import factories
from jaxnn.optimisers.compose.combine import chain
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import trace
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule


@factories.optimiser
def sgd(learning_rate: ScalarOrSchedule) -> Optimiser:
    """Algorithm 8.1, stochastic gradient descent."""
    return rules.sgd(learning_rate)


@factories.optimiser
def momentum(learning_rate: ScalarOrSchedule, alpha: DecayRate = 0.9) -> Optimiser:
    """Algorithm 8.2, with momentum."""
    return rules.momentum(learning_rate, momentum=alpha)


@factories.optimiser
def nesterov(learning_rate: ScalarOrSchedule, alpha: DecayRate = 0.9) -> Optimiser:
    """Algorithm 8.3, with Nesterov momentum; the parameters are kept at the look-ahead point θ + αv."""
    return rules.nesterov(learning_rate, momentum=alpha)


@factories.optimiser
def adagrad(learning_rate: ScalarOrSchedule, delta: Scalar = 1e-7) -> Optimiser:
    """Algorithm 8.4, AdaGrad."""
    return rules.adagrad(learning_rate, eps=delta)


@factories.optimiser
def rmsprop(learning_rate: ScalarOrSchedule, rho: DecayRate = 0.9, delta: Scalar = 1e-6) -> Optimiser:
    """Algorithm 8.5, RMSProp."""
    return rules.rmsprop(learning_rate, decay=rho, eps=delta)


@factories.optimiser
def rmsprop_nesterov(learning_rate: ScalarOrSchedule, rho: DecayRate = 0.9, alpha: DecayRate = 0.9) -> Optimiser:
    """Algorithm 8.6, RMSProp with Nesterov momentum, which has no δ; parameters at the look-ahead point."""
    return chain(rules.rmsprop(learning_rate, decay=rho, eps=0.0), trace(alpha, nesterov=True))


@factories.optimiser
def adam(
    learning_rate: ScalarOrSchedule = 1e-3, rho1: DecayRate = 0.9, rho2: DecayRate = 0.999, delta: Scalar = 1e-8
) -> Optimiser:
    """Algorithm 8.7, Adam."""
    return rules.adam(learning_rate, b1=rho1, b2=rho2, eps=delta)


ROWS: dict[str, Any] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "rmsprop_nesterov": rmsprop_nesterov,
    "adam": adam,
}
