"""The extra arguments, in optax's words, of an update: those besides gradients, state and parameters.

    value, grad, value_fn      J, its gradient, and params -> J: every loop sends them, as optax's do
    objective, batch, key      what J is made of, for methods such as Gauss-Newton; only our loops send them

An update with `**extra`, like all of ours and optax's extended ones, gets the first three. A plain optax
transformation, `update(updates, state, params)`, gets none. An update that names some as keyword-only arguments and
has no `**extra` gets exactly those, because optax's line searches reject unknown ones. Objective, batch and key are
sent only to an update that names them keyword-only, and through optimisers composed of others (`forwards_extra`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jaxnn.types import OptimiserLike, OptState, Params, Updates

ALWAYS = ("value", "grad", "value_fn")
OBJECTIVE_ARGUMENTS = ("objective", "batch", "key")

Update = TypeVar("Update", bound=Callable[..., Any])


def update(
    optimiser: OptimiserLike, grads: Updates, state: OptState, params: Params, **extra: Any
) -> tuple[Updates, OptState]:
    """Calls an optimiser's update, ours or optax's, with the extra arguments that it accepts."""
    return optimiser.update(grads, state, params, **_accepted(optimiser.update, extra))


def _accepted(function: Callable[..., Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    if getattr(function, "forwards_extra", False):
        return dict(extra)
    parameters = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return {name: value for name, value in extra.items() if name in named or (takes_all and name in ALWAYS)}


def forwards_extra(function: Update) -> Update:
    """Marks the update of an optimiser composed of others, which forwards all extra arguments to them."""
    function.forwards_extra = True  # type: ignore[attr-defined]
    return function


def row_by_row(function: Update) -> Update:
    """Marks the update of a method that computes the outputs row by row, so predict must not mix rows."""
    function.row_by_row = True  # type: ignore[attr-defined]
    return function


def is_row_by_row(optimiser: OptimiserLike) -> bool:
    """Whether the method computes the outputs row by row."""
    return getattr(optimiser.update, "row_by_row", False)
