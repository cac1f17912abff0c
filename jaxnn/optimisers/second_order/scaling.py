"""The diagonal metric D that steps are measured in: made of curvatures, it frees them of the parameters' units."""

from collections.abc import Callable
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float


def largest(seen: Float[Array, " n"], diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """The largest magnitudes of a diagonal so far: one that passes through 0 tells nothing of the parameter's unit."""
    return jnp.maximum(seen, jnp.where(jnp.isfinite(diagonal), jnp.abs(diagonal), 0.0))


def positive(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """The values, and 1 where they are not above 0."""
    return jnp.where(values > 0, values, 1.0)


def scaled(matrix: Float[Array, "n n"], root: Float[Array, " n"]) -> Float[Array, "n n"]:
    """D^-½ H D^-½, `root` being D^½."""
    return matrix / (root[:, None] * root)


METRICS: MappingProxyType[str, Callable[[Array], Array]] = MappingProxyType(
    {"identity": jnp.ones_like, "diagonal": positive}
)
