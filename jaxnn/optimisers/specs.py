"""Converts an optimiser to JSON, its name and numbers, as stored in a saved model, and back.

spec(adam(1e-3))                      {"adam": {"learning_rate": 0.001, "b1": 0.9, …}}
from_spec({"adam": {"learning_rate": 0.001}})
"""

import inspect
from collections.abc import Mapping
from typing import Any

from jaxnn import checks, factories, schedules
from jaxnn.optimisers.compose.accumulate import accumulate
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.compose.links import add_weight_decay, clip_by_global_norm, clip_by_value, set_to_zero
from jaxnn.optimisers.first_order.rules import TABLE
from jaxnn.optimisers.presets import PRESETS
from jaxnn.optimisers.second_order.methods import METHODS
from jaxnn.types import Optimiser, OptimiserLike

COMPOSERS = (accumulate, chain, masked, add_weight_decay, clip_by_global_norm, clip_by_value, set_to_zero)
FACTORIES: dict[str, Any] = {**TABLE, **METHODS, **PRESETS, **{factory.__name__: factory for factory in COMPOSERS}}


def spec(optimiser: OptimiserLike) -> dict[str, Any]:
    """The optimiser's name and arguments, in JSON's types.

    Raises:
        ValueError: the optimiser contains functions without a name in jaxnn, such as optax's or your own.
    """
    made = factories.made_by(optimiser)
    found = None if made is None else made.spec
    unknown = repr(optimiser) if found is None else _unnamed(found)
    if found is None or unknown:
        raise ValueError(f"Only optimisers and schedules of jaxnn have a spec of name and numbers, got {unknown}.")
    return found


def from_spec(description: Mapping[str, Any]) -> Optimiser:
    """The optimiser of that name with those arguments; `from_spec(spec(optimiser)) == optimiser`.

    Raises:
        ValueError: the name is unknown, its factory does not accept an argument, or a number is out of range.
    """
    if not isinstance(description, Mapping) or len(description) != 1:
        raise ValueError(
            f'An optimiser\'s spec must be like {{"adam": {{"learning_rate": 0.001}}}}, got {description!r}.'
        )
    ((name, arguments),) = description.items()
    return _made(checks.one_of(name, FACTORIES, "optimiser"), name, arguments)


def _made(factory: Any, name: str, arguments: Any) -> Any:
    if not isinstance(arguments, Mapping):
        raise ValueError(f"The arguments of {name} must be an object of names and values, got {arguments!r}.")
    values = {argument: _value(value) for argument, value in arguments.items()}
    parameters = inspect.signature(factory).parameters
    several = [n for n, p in parameters.items() if p.kind is p.VAR_POSITIONAL]
    positional = [value for n in several for value in values.pop(n, ())]
    for argument in values:
        checks.one_of(argument, dict(parameters), f"argument of {name}")
    return factory(*positional, **values)


def _value(value: Any) -> Any:
    """An argument; an object whose only key is a known name is an optimiser or a schedule."""
    if isinstance(value, list):
        return tuple(_value(part) for part in value)
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, arguments),) = value.items()
        known = {**schedules.TABLE, **FACTORIES}
        if name in known and isinstance(arguments, Mapping):
            return _made(known[name], name, arguments)
    return value


def _unnamed(found: Any) -> str | None:
    """The first function in a spec without a name in jaxnn, or None."""
    if isinstance(found, Mapping):
        if set(found) == {"function"}:
            return str(found["function"])
        found = list(found.values())
    return next((name for part in found if (name := _unnamed(part))), None) if isinstance(found, list) else None
