"""scikit-learn's optimisers.

The solvers of MLPClassifier and MLPRegressor, and the classes behind them, each with its keywords. The penalty `alpha`
is part of the loss there, and of the objective here.
"""

from typing import Any

from jaxnn import factories
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.presets.building_blocks import with_momentum
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule


@factories.optimiser
def sgd(
    learning_rate_init: ScalarOrSchedule = 1e-3, momentum: DecayRate = 0.9, nesterovs_momentum: bool = True
) -> Optimiser:
    """The solver "sgd" of MLPClassifier and MLPRegressor."""
    return with_momentum(learning_rate_init, momentum, nesterovs_momentum)


@factories.optimiser
def SGDOptimizer(
    learning_rate_init: ScalarOrSchedule = 0.1, momentum: DecayRate = 0.9, nesterov: bool = True
) -> Optimiser:
    """The class behind the solver "sgd", with its own keywords."""
    return with_momentum(learning_rate_init, momentum, nesterov)


@factories.optimiser
def adam(
    learning_rate_init: ScalarOrSchedule = 1e-3,
    beta_1: DecayRate = 0.9,
    beta_2: DecayRate = 0.999,
    epsilon: Scalar = 1e-8,
) -> Optimiser:
    """The solver "adam" of MLPClassifier and MLPRegressor, and the class AdamOptimizer."""
    return rules.adam(learning_rate_init, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)


ROWS: dict[str, Any] = {
    "sgd": sgd,
    "SGDOptimizer": SGDOptimizer,
    "adam": adam,
    "AdamOptimizer": adam,
}
