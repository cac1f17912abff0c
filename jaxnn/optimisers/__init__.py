"""Update rules as pairs of pure functions, one family a file.

    optimiser = adam(1e-3)
    state = optimiser.init(params)
    updates, state = optimiser.update(grads, state, params)
    params = apply_updates(params, updates)

`optax.GradientTransformationExtraArgs(*adam(1e-3))` is optax's own type; our loops take optax's optimisers as they are.
"""

from typing import Any

from jaxnn import checks
from jaxnn.optimisers.accumulate import AccumulateState, accumulate
from jaxnn.optimisers.combine import chain, masked
from jaxnn.optimisers.inject import InjectState, inject
from jaxnn.optimisers.links import add_weight_decay, clip_by_global_norm, clip_by_value, set_to_zero
from jaxnn.optimisers.presets import PRESETS, preset
from jaxnn.optimisers.rules import (
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
from jaxnn.tree import add as apply_updates
from jaxnn.types import Optimiser

__all__ = [
    "PRESETS",
    "TABLE",
    "AMSGradState",
    "AccumulateState",
    "AdaDeltaState",
    "AdaGradState",
    "AdamState",
    "AdamaxState",
    "InjectState",
    "LionState",
    "MomentumState",
    "NadamState",
    "Optimiser",
    "RMSPropState",
    "SGDState",
    "accumulate",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "add_weight_decay",
    "amsgrad",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "get",
    "inject",
    "lion",
    "masked",
    "momentum",
    "nadam",
    "nesterov",
    "preset",
    "radam",
    "rmsprop",
    "set_to_zero",
    "sgd",
]


def get(name: str) -> Any:
    """The factory of that name.

    Raises:
        ValueError: unknown name; the nearest known one is offered.
    """
    return checks.one_of(name, TABLE, "optimiser")
