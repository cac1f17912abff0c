"""The first-order rules by name, in order of increasing complexity; `jaxnn.optimisers` exports those in `__all__`."""

from types import MappingProxyType
from typing import Any

from jaxnn.optimisers.first_order.adadelta import AdaDeltaState, adadelta
from jaxnn.optimisers.first_order.adagrad import AdaGradState, adagrad
from jaxnn.optimisers.first_order.adam import AdamState, adam
from jaxnn.optimisers.first_order.adamax import AdamaxState, adamax
from jaxnn.optimisers.first_order.adamw import adamw
from jaxnn.optimisers.first_order.amsgrad import AMSGradState, amsgrad
from jaxnn.optimisers.first_order.lion import LionState, lion
from jaxnn.optimisers.first_order.momentum import MomentumState, momentum
from jaxnn.optimisers.first_order.nadam import NadamState, nadam
from jaxnn.optimisers.first_order.nesterov import nesterov
from jaxnn.optimisers.first_order.radam import radam
from jaxnn.optimisers.first_order.rmsprop import RMSPropState, rmsprop
from jaxnn.optimisers.first_order.sgd import SGDState, sgd

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
        rule.__name__: rule
        for rule in (
            sgd,
            momentum,
            nesterov,
            adagrad,
            rmsprop,
            adadelta,
            adam,
            adamw,
            adamax,
            amsgrad,
            nadam,
            radam,
            lion,
        )
    }
)
