"""Checks of Python arguments, with readable messages.

Errors are found at three times. Wrong Python values raise here, when an object is constructed, and the message has the
argument, the rule and the value; tracers and arrays pass, so factories can be vmapped over their hyperparameters. Wrong
shapes raise when a function is traced. Divergence is reported in the result, never as an exception.
"""

import difflib
import importlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

T = TypeVar("T")


def _numbers(arguments: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Yields the arguments that are plain numbers; arrays and tracers are not checked."""
    for name, value in arguments.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise TypeError(f"{name} must be a number, got {value!r}.")
        if isinstance(value, int | float):
            if math.isnan(value):
                raise ValueError(f"{name} must be a number, got nan.")
            yield name, value


def known(*values: Any) -> bool:
    """Whether all values are plain numbers, which can be compared now, unlike arrays and tracers."""
    return all(isinstance(value, int | float | np.number) for value in values)


def positive(**arguments: Any) -> None:
    """Raises ValueError unless every argument is > 0 and finite."""
    for name, value in _numbers(arguments):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be > 0 and finite, got {value!r}.")


def non_negative(**arguments: Any) -> None:
    """Raises ValueError unless every argument is ≥ 0 and finite."""
    for name, value in _numbers(arguments):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be ≥ 0 and finite, got {value!r}.")


def finite(**arguments: Any) -> None:
    """Raises ValueError unless every argument is finite."""
    for name, value in _numbers(arguments):
        if math.isinf(value):
            raise ValueError(f"{name} must be finite, got {value!r}.")


def decay(**arguments: Any) -> None:
    """Raises ValueError unless every argument is in [0, 1): a decay rate of 1 would never forget."""
    for name, value in _numbers(arguments):
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), got {value!r}.")


def fraction(**arguments: Any) -> None:
    """Raises ValueError unless every argument is in [0, 1]."""
    for name, value in _numbers(arguments):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value!r}.")


def whole(minimum: int, /, **arguments: Any) -> None:
    """Raises unless every argument is an integer ≥ `minimum` (TypeError for another kind of number)."""
    for name, value in arguments.items():
        if isinstance(value, jax.core.Tracer) and jnp.issubdtype(value.dtype, jnp.integer) and value.ndim == 0:
            continue  # its value is not known yet
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool):
            raise TypeError(f"{name} must be a whole number, got {value!r}.")
        if number < minimum:
            raise ValueError(f"{name} must be a whole number ≥ {minimum}, got {value!r}.")


def one_of(name: Any, table: Mapping[str, T], kind: str) -> T:
    """The entry of `table` called `name`.

    Raises:
        ValueError: there is none; the message suggests the closest one and lists all.
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise ValueError(f"Unknown {kind} {name!r}.{nearest(name, table)} Known: {', '.join(sorted(table))}.")


def nearest(name: Any, known: Iterable[str]) -> str:
    """` Did you mean 'adam'?` if a known name is close to `name`, otherwise an empty string."""
    folded: dict[str, list[str]] = {}
    for each in known:
        folded.setdefault(each.casefold(), []).append(each)
    near = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    if not near:
        return ""
    (same,) = difflib.get_close_matches(str(name), folded[near[0]], n=1, cutoff=0.0)  # %Y is not %y
    return f" Did you mean {same!r}?"


def function_or_name(given: Any, table: Mapping[str, Callable[..., T]], kind: str) -> Callable[..., T]:
    """A function given as itself or by its name in `table`.

    Raises:
        ValueError: the name is unknown; the message suggests the closest one.
        TypeError: it is neither a function nor a name.
    """
    if callable(given):
        return given
    if isinstance(given, str):
        return one_of(given, table, kind)
    raise TypeError(f"{kind} must be a function or one of the known names, got {given!r}.")


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Imports an optional dependency.

    Raises:
        ImportError: it is not installed; the message names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # it is installed but broken, and its own message is more helpful
        raise ImportError(
            f"{package} is needed {purpose} but is not installed: run pip install '.[{extra}]' in the jaxnn repository."
        ) from None
