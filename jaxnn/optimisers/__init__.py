"""Update rules as pairs of pure functions, one family a file.

    optimiser = adam(1e-3)
    state = optimiser.init(params)
    updates, state = optimiser.update(grads, state, params)
    params = apply_updates(params, updates)

`optax.GradientTransformationExtraArgs(*adam(1e-3))` is optax's own type; our loops take optax's optimisers as they are.
"""

from types import MappingProxyType
from typing import Any

from jaxnn import checks
from jaxnn.optimisers.adadelta import AdaDeltaState, adadelta
from jaxnn.optimisers.adagrad import AdaGradState, adagrad
from jaxnn.optimisers.adam import AdamState, adam, adamw
from jaxnn.optimisers.adamax import AdamaxState, adamax
from jaxnn.optimisers.amsgrad import AMSGradState, amsgrad
from jaxnn.optimisers.combine import (
    AccumulateState,
    InjectState,
    accumulate,
    add_weight_decay,
    chain,
    clip_by_global_norm,
    clip_by_value,
    inject,
    masked,
    set_to_zero,
)
from jaxnn.optimisers.lion import LionState, lion
from jaxnn.optimisers.momentum import MomentumState, momentum, nesterov
from jaxnn.optimisers.nadam import NadamState, nadam
from jaxnn.optimisers.presets import PRESETS, preset
from jaxnn.optimisers.radam import radam
from jaxnn.optimisers.rmsprop import RMSPropState, rmsprop
from jaxnn.optimisers.sgd import SGDState, sgd
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

# In order of increasing complexity.
TABLE: MappingProxyType[str, Any] = MappingProxyType(
    {
        "sgd": sgd,
        "momentum": momentum,
        "nesterov": nesterov,
        "adagrad": adagrad,
        "rmsprop": rmsprop,
        "adadelta": adadelta,
        "adam": adam,
        "adamw": adamw,
        "adamax": adamax,
        "amsgrad": amsgrad,
        "nadam": nadam,
        "radam": radam,
        "lion": lion,
    }
)


def get(name: str) -> Any:
    """The factory of that name.

    Raises:
        ValueError: unknown name; the nearest known one is offered.
    """
    return checks.one_of(name, TABLE, "optimiser")
