"""Small networks, trained to the limit: pure functions, textbook optimisers, compiled training.

import jaxnn
from jaxnn import losses, mlp, optimisers, training

Rooms are imported when they are first asked for, so that `import jaxnn` costs little more than jax itself.
"""

import importlib
from typing import Any

from jaxnn.version import __version__

ROOMS = (
    "activations",
    "backprop",
    "checks",
    "conformal",
    "curvature",
    "data",
    "derivatives",
    "ensemble",
    "estimators",
    "experiments",
    "export",
    "initialisers",
    "linesearch",
    "losses",
    "metrics",
    "mlp",
    "neuron",
    "objective",
    "optimisers",
    "plots",
    "preprocessing",
    "schedules",
    "search",
    "standard_errors",
    "training",
    "tree",
    "types",
    "verify",
)

__all__ = ["Objective", "Optimiser", "__version__", *ROOMS]


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return importlib.import_module(f"jaxnn.{name}")
    if name == "Objective":
        return importlib.import_module("jaxnn.objective").Objective
    if name == "Optimiser":
        return importlib.import_module("jaxnn.types").Optimiser
    raise AttributeError(f"module 'jaxnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
