"""What an update is sent beyond gradients, state and parameters, which optax calls extra arguments.

    value, grad, value_fn      J, its gradient, and params -> J: every loop sends them, as optax's do
    objective, batch, key      the parts of J, for methods that need them (Gauss-Newton); of our loops alone

An update that ends in `**extra`, as all of ours and optax's extended ones do, takes the first three. One of optax's
plain transformations, `update(updates, state, params)`, takes none, and one that names some keyword-only gets those:
optax's line searches refuse any that they do not know. The parts of J go to an update that names them, and through
optimisers made of others (`forwards_extra`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jaxnn.types import OptimiserLike, OptState, Params, Updates

ALWAYS = ("value", "grad", "value_fn")
PARTS_OF_J = ("objective", "batch", "key")

Update = TypeVar("Update", bound=Callable[..., Any])


def update(
    optimiser: OptimiserLike, grads: Updates, state: OptState, params: Params, **extra: Any
) -> tuple[Updates, OptState]:
    """Calls an optimiser's update, ours or optax's, with those of the extra arguments that it takes."""
    return optimiser.update(grads, state, params, **_accepted(optimiser.update, extra))


def _accepted(function: Callable[..., Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    if getattr(function, "forwards_extra", False):
        return dict(extra)
    parameters = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return {name: value for name, value in extra.items() if name in named or (takes_all and name in ALWAYS)}


def forwards_extra(function: Update) -> Update:
    """Marks the update of an optimiser made of others: it takes every extra argument, and each of them gets its own."""
    function.forwards_extra = True  # type: ignore[attr-defined]
    return function


def row_by_row(function: Update) -> Update:
    """Marks the update of a method that takes each row's outputs on their own: predict must not mix rows."""
    function.row_by_row = True  # type: ignore[attr-defined]
    return function


def is_row_by_row(optimiser: OptimiserLike) -> bool:
    """Whether the method takes each row's outputs on their own."""
    return getattr(optimiser.update, "row_by_row", False)
