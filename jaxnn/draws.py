"""Which initialisers may be drawn together, in one program, and give the bits that they give one by one.

A user's own may do what jax can't trace, or draw by another generator than the key's, which a program would do once and
for all. Those of `jax.nn.initializers` are pure, and recognised by how they were made; whatever is not recognised is
drawn as it always was.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jax.nn import initializers

CONSTANTS = (initializers.zeros, initializers.ones)
FACTORIES = (
    initializers.glorot_normal,
    initializers.glorot_uniform,
    initializers.he_normal,
    initializers.he_uniform,
    initializers.lecun_normal,
    initializers.lecun_uniform,
    initializers.orthogonal,
    initializers.truncated_normal,
    initializers.uniform,
)
# What factories make is a function `init` within them; of several factories it is `variance_scaling`'s. Not here is
# `normal`: its draw is √2 erf⁻¹(u) σ, and within one program XLA makes of the two factors one, rounded once. In the
# others a clip stands between.
MADE: frozenset[tuple[str, str]] = frozenset(
    (made.__module__, getattr(made, "__qualname__", ""))
    for made in (initializers.constant(0.0), *(factory() for factory in FACTORIES))
)


@dataclass(frozen=True)
class Known:
    """A recognised initialiser. Two made with equal numbers are equal, and so share a program."""

    initialiser: Callable[..., Any] | None = field(compare=False)
    made_by: str
    numbers: tuple[str, ...] = ()  # what it was made with, as Python prints it: 0.0 and -0.0 are not the same

    @classmethod
    def of(cls, given: Callable[..., Any] | None) -> "Known | None":
        """The initialiser, or the factory of one; None for one that is not recognised."""
        if given is None:
            return cls(None, "nothing")
        if any(given is one for one in CONSTANTS):
            return cls(given, given.__name__)
        made = given() if any(given is factory for factory in FACTORIES) else given
        if not inspect.isfunction(made) or (made.__module__, made.__qualname__) not in MADE:
            return None
        numbers = inspect.getclosurevars(made).nonlocals
        if numbers.get("distribution") == "normal":
            return None
        if not all(number is None or isinstance(number, str | int | float | tuple) for number in numbers.values()):
            return None  # an array, as a scale may be, is not printed in full
        return cls(made, made.__qualname__, tuple(f"{name}={number!r}" for name, number in sorted(numbers.items())))
