"""Distributions of a hyperparameter.

    Uniform(low, high)       p(x) = 1 / (high - low)
    LogUniform(low, high)    p(x) = 1 / (x log(high / low)): doubling is as likely anywhere in the range
    Choice(values)           each value is as likely

Each is drawn from one uniform number in [0, 1) through its inverse cumulative distribution, and rounded to three digits
of its range, so that what is printed is what was trained.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxnn import checks

DIGITS = 3


@dataclass(frozen=True)
class Uniform:
    """A number between `low` and `high`, finite, low < high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        checks.finite(low=self.low, high=self.high)
        _check_order("Uniform", self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        """One number in [low, high]."""
        return _rounded(self.low + (self.high - self.low) * rng.random(), self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """A number between `low` and `high`, 0 < low < high, whose logarithm is uniform."""

    low: float
    high: float

    def __post_init__(self) -> None:
        checks.positive(low=self.low, high=self.high)
        _check_order("LogUniform", self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        """One number in [low, high]."""
        low, high = math.log(self.low), math.log(self.high)
        return _rounded(math.exp(low + (high - low) * rng.random()), self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of `values`, at least one: numbers, texts, or sequences of these such as the units of hidden layers."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", listed("values", self.values))

    def draw(self, rng: np.random.Generator) -> Any:
        """One of the values."""
        return self.values[int(len(self.values) * rng.random())]


Distribution = Uniform | LogUniform | Choice


def _check_order(name: str, low: float, high: float) -> None:
    """Raises ValueError unless low < high."""
    if not low < high:
        raise ValueError(f"{name} needs low < high, got low={low!r} and high={high!r}.")


def listed(name: str, values: Any) -> tuple[Any, ...]:
    """The values as a tuple; raises ValueError unless they are a list of at least one, all of JSON's types."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ValueError(f"{name} must be a list of the values to try, got {values!r}.")
    given = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
    if not given:
        raise ValueError(f"{name} must hold at least one value to try.")
    for value in given:
        if not all(
            isinstance(part, str | int | float) for part in (value if isinstance(value, tuple | list) else [value])
        ):
            raise ValueError(f"{name} must hold numbers, texts, or sequences of these, got {value!r}.")
    return given


def as_json(value: Any) -> Any:
    """The value as it is read from a file of JSON: lists for tuples."""
    return [as_json(part) for part in value] if isinstance(value, tuple | list) else value


def _rounded(value: float, low: float, high: float) -> float:
    """The value to `DIGITS` significant digits, and as many more as a narrow range needs, within the range."""
    digits = DIGITS + max(0, math.floor(math.log10(max(abs(low), abs(high)) / (high - low))))
    return min(max(float(f"{value:.{digits}g}"), low), high)
