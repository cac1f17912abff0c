"""What an optimiser's state says of its latest step, however deeply chains, masks and other libraries nest it."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn.optimisers.report import Report
from jaxnn.types import OptState


def learning_rate(opt_state: OptState) -> Array:
    """The first learning rate found in an optimiser's state; nan if there is none.

    Our rules store the rate of their latest step as `learning_rate`; optax's `inject_hyperparams` stores it in its
    `hyperparams`.
    """
    rates = (_entry(node, "learning_rate") for node in _nodes(opt_state))
    found = next((rate for rate in rates if rate is not None), jnp.nan)
    return jnp.asarray(found, jnp.result_type(float))


def report(opt_state: OptState) -> Report | None:
    """The first report found in an optimiser's state; None for a rule that makes none."""
    return next((node for node in _nodes(opt_state) if isinstance(node, Report)), None)


def _nodes(node: Any) -> Iterator[Any]:
    """A node of a pytree and all below it, parents first, in the order of `jax.tree.leaves`."""
    yield node
    for child in jax.tree.leaves(node, is_leaf=lambda each: each is not node):
        if child is not node:  # a leaf is its own only child
            yield from _nodes(child)


def _entry(node: Any, name: str) -> Any:
    """The entry of that name in a mapping or a NamedTuple; None if there is none."""
    if isinstance(node, Mapping):
        return node.get(name)
    return getattr(node, name) if name in getattr(node, "_fields", ()) else None
