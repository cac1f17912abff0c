"""Initialisers by name, those of `jax.nn`, and the gain for each activation.

    Glorot   Var W = gain² · 2 / (fan_in + fan_out)     sigmoid, tanh, identity
    He       Var W = gain² / fan_in                     relu and its relatives; jax's He has gain √2 built in
    LeCun    Var W = 1 / fan_in                         selu
    uniform variants draw from U(-a, a), a = √(3 Var W); Glorot's a is gain · √(6 / (fan_in + fan_out))

As in `jax.nn.initializers`, `zeros` is an initialiser `(key, shape, dtype) -> array`, while `he_normal` and the others
return one when called; `mlp.init` takes either. `get(name)` returns initialisers ready to use.

References:
    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    He et al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852.
    LeCun et al., Efficient BackProp, 1998.
    Saxe, McClelland & Ganguli, Exact solutions to ... deep linear networks, 2014, arXiv:1312.6120.
"""

import math
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import jax
from jax.nn.initializers import (
    constant,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    orthogonal,
    truncated_normal,
    zeros,
)

from jaxnn import checks
from jaxnn.types import Activation

__all__ = [
    "GAINS",
    "TABLE",
    "constant",
    "gain",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "scaled",
    "truncated_normal",
    "zeros",
]

# Ready to use, by name. `constant` is missing because it needs a value: `initialisers.constant(0.1)`.
TABLE: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "glorot_uniform": glorot_uniform(),
        "glorot_normal": glorot_normal(),
        "he_uniform": he_uniform(),
        "he_normal": he_normal(),
        "lecun_uniform": lecun_uniform(),
        "lecun_normal": lecun_normal(),
        "orthogonal": orthogonal(),
        "truncated_normal": truncated_normal(),
        "zeros": zeros,
    }
)

# The gains of the course's page 68 and `torch.nn.init.calculate_gain`. Those missing there follow from He's argument:
# gain² = 1 / E[σ(z)²] for a standard normal z, to four digits.
GAINS: MappingProxyType[str, float] = MappingProxyType(
    {
        "identity": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
        "selu": 3 / 4,
        "absolute_value": 1.0,
        "elu": 1.2452,
        "gelu": 1.5336,
        "silu": 1.6765,
        "softplus": 1.0419,
    }
)


def get(initialiser: str | Callable[..., Any]) -> Callable[..., Any]:
    """The initialiser `(key, shape, dtype) -> array` of that name; a function is returned as it is.

    Raises:
        ValueError: the name is unknown; the message suggests the closest one.
    """
    return checks.function_or_name(initialiser, TABLE, "initialiser")


def gain(activation: str | Activation, *, negative_slope: float = 0.01) -> float:
    """The factor on Glorot's or LeCun's standard deviation that preserves the size of signals through an activation.

    Args:
        activation: a name, or one of the functions of `activations.TABLE`.
        negative_slope: α of the leaky ReLU.

    Raises:
        ValueError: no gain is known for the activation.
    """
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", repr(activation))
    if name == "leaky_relu":
        return math.sqrt(2 / (1 + negative_slope**2))
    return checks.one_of(name, GAINS, "activation with a gain")


def scaled(initialiser: Callable[..., Any], factor: float) -> Callable[..., jax.Array]:
    """The initialiser with every draw multiplied by `factor`, as in `scaled(glorot_uniform(), gain("tanh"))`."""
    checks.finite(factor=factor)

    def initialise(key: Any, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        drawn = initialiser(key, tuple(shape), dtype)
        return (factor * drawn).astype(drawn.dtype)

    return initialise
