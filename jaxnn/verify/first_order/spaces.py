"""What the hyperparameters of twins are drawn from.

A tuple (low, high) is an interval; a list holds values that successive draws go through.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

BOTH = [False, True]
BETA, BETA2, EPS = (0.01, 0.97), (0.7, 0.9995), (1e-9, 1e-3)

# Our own words. The rates leave room above 0 and below 1, where rules are what they are named after.
SPACE: dict[str, Any] = {
    "b1": BETA,
    "b2": BETA2,
    "dampening": (0.0, 1.0),
    "decay": BETA2,
    "eps": EPS,
    "eps_root": (0.0, 1e-3),
    "initial_accumulator": (0.0, 0.5),
    "initial_mean_square": (0.0, 0.5),
    "momentum": (0.3, 0.97),
    "momentum_decay": (0.0, 1.0),
    "rho": BETA2,
    "threshold": (5.0, 8.0),
    "weight_decay": (0.01, 0.5),
}

# Each library's words. optax's masks and schedules are values like others.
WEIGHTS_ONLY = {"layers": [True, {"b": False}], "empty": True}


def falling(step: Any) -> Any:
    """A weight decay that falls with the step."""
    return 0.1 / (1 + step)


_OPTAX_ADAM = {"b1": BETA, "b2": BETA2, "eps": EPS, "eps_root": [0.0, 1e-4]}
_OPTAX_DECAY = {"weight_decay": [1e-2, 0.3, falling], "mask": [None, WEIGHTS_ONLY]}
_TORCH = {"weight_decay": [0.0, 0.3, 1e-2], "maximize": BOTH}
_TORCH_ADAM = _TORCH | {"betas": [(0.9, 0.999), (0.0, 0.99), (0.6, 0.9), (0.95, 0.9995)], "eps": EPS}
_KERAS = {"weight_decay": [0.3, None, 1e-2]}
_KERAS_ADAM = _KERAS | {"beta_1": BETA, "beta_2": BETA2, "epsilon": EPS}
_SKLEARN_ADAM = {"beta_1": BETA, "beta_2": BETA2, "epsilon": EPS}

PRESETS: dict[str, dict[str, Any]] = {
    "optax.sgd": {"momentum": [None, 0.5, 0.95], "nesterov": BOTH},
    "optax.adagrad": {"initial_accumulator_value": [0.0, 0.3], "eps": EPS},
    # the corrected variance is 0 at the first step, where 1/√(rounding + ε) would compare roundings: ε well above them
    "optax.rmsprop": {
        "decay": BETA2,
        "eps": (1e-2, 1e-1),
        "initial_scale": [0.0, 0.2],
        "eps_in_sqrt": [True, True, False],
        "centered": BOTH,
        "momentum": [None, 0.5, 0.95],
        "nesterov": BOTH,
        "bias_correction": [False, False, True],
    },
    "optax.adam": _OPTAX_ADAM | {"nesterov": BOTH},
    "optax.amsgrad": _OPTAX_ADAM
    | {"bias_correction_mu": [True, False, True, False], "bias_correction_nu": [True, True, False]},
    "optax.adamw": _OPTAX_ADAM | _OPTAX_DECAY | {"nesterov": BOTH},
    "optax.nadam": _OPTAX_ADAM | {"nesterov": [True, True, False]},
    "optax.nadamw": _OPTAX_ADAM | _OPTAX_DECAY,
    "optax.adamax": {"b1": BETA, "b2": BETA2, "eps": EPS},
    "optax.adamaxw": {"b1": BETA, "b2": BETA2, "eps": EPS} | _OPTAX_DECAY,
    "optax.adadelta": {
        "rho": BETA2,
        "eps": EPS,
        "weight_decay": _OPTAX_DECAY["weight_decay"],
        "weight_decay_mask": _OPTAX_DECAY["mask"],
    },
    "optax.radam": {"b1": BETA, "b2": BETA2, "eps": EPS, "eps_root": [0.0, 1e-4], "threshold": (5.0, 8.0)},
    "optax.lion": {"b1": BETA, "b2": BETA} | _OPTAX_DECAY,
    "torch.SGD": _TORCH | {"momentum": [0.0, 0.5, 0.95], "dampening": [0.0, 0.3]},
    "torch.Adagrad": _TORCH | {"lr_decay": [0.0, 0.1], "initial_accumulator_value": [0.0, 0.3], "eps": EPS},
    "torch.RMSprop": _TORCH | {"alpha": (0.5, 0.99), "momentum": [0.9, 0.0, 0.5], "centered": BOTH, "eps": EPS},
    "torch.Adam": _TORCH_ADAM | {"amsgrad": BOTH, "decoupled_weight_decay": BOTH},
    "torch.AdamW": _TORCH_ADAM | {"amsgrad": BOTH},
    "torch.NAdam": _TORCH_ADAM | {"momentum_decay": [0.0, 0.004, 1.0], "decoupled_weight_decay": BOTH},
    "torch.Adamax": _TORCH_ADAM,
    "torch.Adadelta": _TORCH | {"rho": (0.5, 0.99), "eps": EPS},
    "torch.RAdam": _TORCH_ADAM | {"decoupled_weight_decay": BOTH},
    "keras.SGD": _KERAS | {"momentum": [0.0, 0.5, 0.95], "nesterov": BOTH},
    "keras.Adagrad": _KERAS | {"initial_accumulator_value": [0.0, 0.3], "epsilon": EPS, "clipnorm": [None, 0.7]},
    "keras.RMSprop": _KERAS | {"rho": BETA2, "momentum": [0.9, 0.0, 0.5], "centered": BOTH, "epsilon": EPS},
    "keras.Adam": _KERAS_ADAM | {"amsgrad": BOTH, "global_clipnorm": [1.1, None]},
    "keras.AdamW": _KERAS_ADAM | {"amsgrad": BOTH, "weight_decay": [0.3, 1e-2]},
    "keras.Nadam": _KERAS_ADAM | {"clipvalue": [None, 0.3]},
    "keras.Adamax": _KERAS_ADAM,
    "keras.Adadelta": _KERAS | {"rho": BETA2, "epsilon": EPS},
    "keras.Lion": _KERAS | {"beta_1": BETA, "beta_2": BETA},
    "sklearn.sgd": {"momentum": (0.0, 0.95), "nesterovs_momentum": BOTH},
    "sklearn.SGDOptimizer": {"momentum": (0.0, 0.95), "nesterov": BOTH},
    "sklearn.adam": _SKLEARN_ADAM,
    "sklearn.AdamOptimizer": _SKLEARN_ADAM,
}


def draw(name: str, space: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The hyperparameters of draw number `index`: reproducible, different for each name.

    Args:
        name: whose hyperparameters they are.
        space: what is drawn from: a tuple (low, high) is an interval; a list holds values that successive draws go
            through; anything else is itself.
        index: which draw, from 0.
    """
    rng = np.random.default_rng([zlib.crc32(name.encode()), index])
    first = np.random.default_rng(zlib.crc32(name.encode()))

    def one(values: Any) -> Any:
        if isinstance(values, list):
            return values[(int(first.integers(len(values))) + index) % len(values)]
        return float(rng.uniform(*values)) if isinstance(values, tuple) else values

    return {key: one(values) for key, values in space.items()}
