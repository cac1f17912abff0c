"""How far J is known: its change when every parameter moves by a few roundings of its own.

    θ′ = θ + ε k θ                                 k: small whole numbers, one for each parameter
    δ = max(10 ε |J(θ)|, 3 |J(θ′) - J(θ)|)         what a difference of two values must exceed to say anything

10 ε |J| alone is too little where residuals are small differences of large outputs: their rounding is the outputs',
however small J is.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

ROUNDINGS = 10.0  # times ε |J|
MOVES = 3.0  # times the change of J


def alternating(n: int) -> Float[Array, " n"]:
    """1, -2, 3, 1, …: no two and no three of them add up to 0, as ±1 would in a product of two parameters."""
    return jnp.asarray((1.0, -2.0, 3.0))[jnp.arange(n) % 3]


def offset(theta: Any, times: Any = None, *, eps: float | None = None) -> Any:
    """ε k θ, to be added to θ.

    Args:
        theta: θ, of any shape; an array of jax or NumPy.
        times: k, like θ or broadcast to it; `alternating` in ravel order if None.
        eps: ε; that of θ's dtype if None.
    """
    times = alternating(theta.size).reshape(theta.shape).astype(theta.dtype) if times is None else times
    return (jnp.finfo(theta.dtype).eps if eps is None else eps) * times * theta


def bound(value: Float[Array, ""], change: Float[Array, ""]) -> Float[Array, ""]:
    """δ, of J(θ) and |J(θ′) - J(θ)|."""
    return jnp.maximum(ROUNDINGS * jnp.finfo(value.dtype).eps * jnp.abs(value), MOVES * change)
