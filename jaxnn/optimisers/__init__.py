"""Update rules as pairs of pure functions, one family a file.

    optimiser = adam(1e-3)
    state = optimiser.init(params)
    updates, state = optimiser.update(grads, state, params)
    params = apply_updates(params, updates)

Rules take a gradient (`TABLE`); methods evaluate the objective themselves (`METHODS`: Newton, Gauss-Newton,
Levenberg-Marquardt, quasi-Newton), and are at home in `training.minimise`.

An optimiser is a pytree whose leaves are its hyperparameters: as an argument of a compiled program its numbers are
data, `jax.grad` takes derivatives with respect to them, and `stack(adam, learning_rate=[…])` makes many for `jax.vmap`.

`optax.GradientTransformationExtraArgs(*adam(1e-3))` is optax's own type; our loops take optax's optimisers as they are.
"""

from typing import Any

from jaxnn import checks
from jaxnn.factories import stack
from jaxnn.optimisers.compose.accumulate import AccumulateState, accumulate
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.compose.inject import InjectState, inject
from jaxnn.optimisers.compose.links import add_weight_decay, clip_by_global_norm, clip_by_value, set_to_zero
from jaxnn.optimisers.first_order.rules import (
    TABLE,
    AdaDeltaState,
    AdaGradState,
    AdamaxState,
    AdamState,
    AMSGradState,
    LionState,
    MomentumState,
    NadamState,
    RMSPropState,
    SGDState,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    amsgrad,
    lion,
    momentum,
    nadam,
    nesterov,
    radam,
    rmsprop,
    sgd,
)
from jaxnn.optimisers.presets import PRESETS, preset
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order.bayesian import BayesianRegularisationState, bayesian_regularisation
from jaxnn.optimisers.second_order.bfgs import BFGSState, bfgs
from jaxnn.optimisers.second_order.gauss_newton import GaussNewtonState, gauss_newton
from jaxnn.optimisers.second_order.lbfgs import LBFGSState, lbfgs
from jaxnn.optimisers.second_order.levenberg_marquardt import LevenbergMarquardtState, levenberg_marquardt
from jaxnn.optimisers.second_order.methods import METHODS
from jaxnn.optimisers.second_order.newton import NewtonState, newton
from jaxnn.optimisers.second_order.newton_cg import NewtonCGState, newton_cg
from jaxnn.optimisers.second_order.saddle_free_newton import SaddleFreeNewtonState, saddle_free_newton
from jaxnn.optimisers.specs import from_spec, spec
from jaxnn.tree import add as apply_updates
from jaxnn.types import Optimiser

__all__ = [
    "METHODS",
    "PRESETS",
    "TABLE",
    "AMSGradState",
    "AccumulateState",
    "AdaDeltaState",
    "AdaGradState",
    "AdamState",
    "AdamaxState",
    "BFGSState",
    "BayesianRegularisationState",
    "GaussNewtonState",
    "InjectState",
    "LBFGSState",
    "LevenbergMarquardtState",
    "LionState",
    "MomentumState",
    "NadamState",
    "NewtonCGState",
    "NewtonState",
    "Optimiser",
    "RMSPropState",
    "Report",
    "SGDState",
    "SaddleFreeNewtonState",
    "accumulate",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "add_weight_decay",
    "amsgrad",
    "apply_updates",
    "bayesian_regularisation",
    "bfgs",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "from_spec",
    "gauss_newton",
    "get",
    "inject",
    "lbfgs",
    "levenberg_marquardt",
    "lion",
    "masked",
    "momentum",
    "nadam",
    "nesterov",
    "newton",
    "newton_cg",
    "preset",
    "radam",
    "rmsprop",
    "saddle_free_newton",
    "set_to_zero",
    "sgd",
    "spec",
    "stack",
]


def get(name: str) -> Any:
    """The factory of that name: of a first-order rule (`TABLE`) or of a method that evaluates J itself (`METHODS`).

    Raises:
        ValueError: unknown name; the nearest known one is offered.
    """
    return checks.one_of(name, {**TABLE, **METHODS}, "optimiser")
