"""The rules by name, in order of increasing complexity: a table, and a place to take them from under that name."""

from types import MappingProxyType
from typing import Any

from jaxnn.optimisers.adadelta import AdaDeltaState, adadelta
from jaxnn.optimisers.adagrad import AdaGradState, adagrad
from jaxnn.optimisers.adam import AdamState, adam
from jaxnn.optimisers.adamax import AdamaxState, adamax
from jaxnn.optimisers.adamw import adamw
from jaxnn.optimisers.amsgrad import AMSGradState, amsgrad
from jaxnn.optimisers.lion import LionState, lion
from jaxnn.optimisers.momentum import MomentumState, momentum
from jaxnn.optimisers.nadam import NadamState, nadam
from jaxnn.optimisers.nesterov import nesterov
from jaxnn.optimisers.radam import radam
from jaxnn.optimisers.rmsprop import RMSPropState, rmsprop
from jaxnn.optimisers.sgd import SGDState, sgd

__all__ = [
    "TABLE",
    "AMSGradState",
    "AdaDeltaState",
    "AdaGradState",
    "AdamState",
    "AdamaxState",
    "LionState",
    "MomentumState",
    "NadamState",
    "RMSPropState",
    "SGDState",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "amsgrad",
    "lion",
    "momentum",
    "nadam",
    "nesterov",
    "radam",
    "rmsprop",
    "sgd",
]

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
