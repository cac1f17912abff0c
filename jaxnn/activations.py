"""Activation functions, by name, each with its derivative.

    sigmoid            σ(z) = 1 / (1 + e⁻ᶻ)                 σ' = σ (1 - σ)
    tanh               tanh z                               1 - tanh² z = 1 / cosh² z
    relu               max(0, z)                            1 for z > 0, else 0
    leaky_relu         max(0, z) + α min(0, z), α = 0.01    1 for z ≥ 0, else α
    absolute_value     max(0, z) + α min(0, z), α = -1      1 for z ≥ 0, else -1
    elu                z, and α (eᶻ - 1) for z < 0          1, and α eᶻ
    selu               λ elu(z), α = 1.673, λ = 1.051       λ elu'
    gelu               z Φ(z), Φ the normal distribution    Φ(z) + z φ(z), both in the tanh approximation
    silu               z σ(z)                               σ (1 + z (1 - σ))
    softplus           log(1 + eᶻ)                          σ(z)
    identity           z                                    1
    softmax            eᶻⁱ / Σⱼ eᶻʲ, over the last axis     no elementwise derivative: sᵢ (δᵢⱼ - sⱼ)

Where there is no derivative, at 0, a one-sided one is used, the same as by `jax.grad`: the left one for ReLU and SELU
(0 and αλ), the right one for leaky ReLU and the absolute value (1).

The functions are those of `jax.nn` where it has them. All are finite at ±1e4, and return NaN for NaN.

References:
    Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.3.
    Clevert, Unterthiner & Hochreiter, ELU, 2016, arXiv:1511.07289.
    Klambauer et al., Self-Normalizing Neural Networks, 2017, arXiv:1706.02515.
    Hendrycks & Gimpel, GELU, 2016, arXiv:1606.08415.
"""

from types import MappingProxyType

import jax
import jax.numpy as jnp
from jax.nn import (
    elu,
    gelu,
    identity,
    leaky_relu,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxnn import checks
from jaxnn.types import Activation

__all__ = [
    "DERIVATIVES",
    "TABLE",
    "absolute_value",
    "derivative",
    "elu",
    "gelu",
    "get",
    "identity",
    "leaky_relu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def absolute_value(z: ArrayLike) -> Array:
    """|z|: a rectifier that keeps the size of negative inputs, for features whose sign does not matter."""
    return jnp.abs(z)


TABLE: MappingProxyType[str, Activation] = MappingProxyType(
    {
        "sigmoid": sigmoid,
        "tanh": tanh,
        "relu": relu,
        "leaky_relu": leaky_relu,
        "absolute_value": absolute_value,
        "elu": elu,
        "selu": selu,
        "gelu": gelu,
        "silu": silu,
        "softplus": softplus,
        "identity": identity,
        "softmax": softmax,
    }
)

_ALPHA, _LAMBDA = 1.6732632423543772, 1.0507009873554805  # SELU's constants, arXiv:1706.02515 section 2

# JAX's GELU is by default the tanh approximation ½ z (1 + tanh u), u = √(2/π) (z + 0.044715 z³), as is its slope here.
_GELU_SCALE, _GELU_CUBIC = 0.7978845608028654, 0.044715


def _gelu_slope(z: ArrayLike) -> Array:
    z = jnp.clip(z, -20, 20)  # beyond, tanh u is ±1 to the last bit; the cubic would overflow times zero
    u = _GELU_SCALE * (z + _GELU_CUBIC * z**3)
    slope_u = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * z**2)
    s = sigmoid(2 * u)  # ½ (1 + tanh u), without cancellation
    return s + 2 * z * s * sigmoid(-2 * u) * slope_u


def _exponential_side(z: ArrayLike) -> Array:
    return jnp.exp(jnp.minimum(z, 0))  # only used for z ≤ 0: no overflow on the other side


DERIVATIVES: MappingProxyType[str, Activation] = MappingProxyType(
    {
        "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),  # 1 - σ(z) = σ(-z), without cancellation
        "tanh": lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z),  # 1 / cosh² z, likewise
        "relu": lambda z: _where(z, z > 0, 1.0, 0.0),
        "leaky_relu": lambda z: _where(z, z >= 0, 1.0, 0.01),
        "absolute_value": lambda z: _where(z, z >= 0, 1.0, -1.0),
        "elu": lambda z: _where(z, z > 0, 1.0, _exponential_side(z)),
        "selu": lambda z: _LAMBDA * _where(z, z > 0, 1.0, _ALPHA * _exponential_side(z)),
        "gelu": _gelu_slope,
        "silu": lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
        "softplus": sigmoid,
        "identity": lambda z: _where(z, True, 1.0, 1.0),
    }
)


def _where(z: ArrayLike, condition: Array | bool, yes: float, no: float | Array) -> Array:
    """`yes` or `no` in the dtype of z, or the default float for integers; NaN where z is NaN."""
    dtype = jnp.result_type(z, float)
    return jnp.where(jnp.isnan(z), jnp.nan, jnp.where(condition, yes, no)).astype(dtype)


def get(activation: str | Activation) -> Activation:
    """The activation of that name; a function is returned as it is.

    Raises:
        ValueError: the name is unknown; the message suggests the closest one.
    """
    return checks.function_or_name(activation, TABLE, "activation")


def derivative(activation: str | Activation) -> Activation:
    """σ'(z), elementwise: in closed form for the names of `TABLE`, by `jax.jvp` for any other function.

    Raises:
        ValueError: the name is unknown, or it is softmax, whose derivative is a matrix.
    """
    function = get(activation)
    name = next((name for name, known in TABLE.items() if known is function), None)
    if name == "softmax":
        raise ValueError("softmax has no elementwise derivative: its Jacobian is diag(s) - s sᵀ; use jax.jacobian.")
    if name is not None:
        return DERIVATIVES[name]
    return _slope(function)


def _slope(function: Activation) -> Activation:
    return lambda z: jax.jvp(function, (z,), (jnp.ones_like(z),))[1]
