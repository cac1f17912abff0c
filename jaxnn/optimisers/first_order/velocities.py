"""The velocity v of momentum α, for steps along -d.

The learning rate η stands inside the velocity, or outside it:

    v ← α v - η d,  θ ← θ + v      inside
    v ← α v - d,    θ ← θ + η v    outside
"""

from typing import Any

import jax

from jaxnn import numerics, tree
from jaxnn.types import Params, Updates


def rates(eta: Any, *, inside: bool) -> tuple[Any, Any]:
    """The factor of d inside the velocity, and the factor of the velocity outside."""
    return (eta, 1) if inside else (1, eta)


def along(velocity: Params, d: Updates, alpha: Any, inside: Any) -> Params:
    """The velocity, faded by α, less `inside` times d; in its own dtypes."""
    moved = jax.tree.map(lambda v, d: numerics.faded(v, alpha) - inside * d, velocity, d)
    return tree.cast_like(moved, velocity)
