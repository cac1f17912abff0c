"""The diagonal metric D for the length of steps: made of curvatures, it makes them independent of units."""

from collections.abc import Callable
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float


def largest(seen: Float[Array, " n"], diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """The largest magnitudes of a diagonal so far, because an entry that passes through 0 says nothing about units."""
    return jnp.maximum(seen, jnp.where(jnp.isfinite(diagonal), jnp.abs(diagonal), 0.0))


def positive(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """The values, with 1 in place of those that are not > 0."""
    return jnp.where(values > 0, values, 1.0)


def scaled(matrix: Float[Array, "n n"], root: Float[Array, " n"]) -> Float[Array, "n n"]:
    """D^-½ H D^-½, `root` being D^½."""
    return matrix / (root[:, None] * root)


METRICS: MappingProxyType[str, Callable[[Array], Array]] = MappingProxyType(
    {"identity": jnp.ones_like, "diagonal": positive}
)
