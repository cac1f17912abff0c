"""Checks of the arrays from which pictures are made; all are copied to plain NumPy arrays."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


def numbers(name: str, values: ArrayLike, dimensions: int) -> np.ndarray:
    """`values` as a non-empty float64 array with so many dimensions.

    Raises:
        ValueError: they are not numbers, there are none, or the shape is another.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers in equal rows.") from None
    if array.ndim != dimensions or array.size == 0:
        raise ValueError(f"{name} must be a non-empty array of {dimensions} dimension(s), got shape {array.shape}.")
    return array


def column(name: str, values: ArrayLike) -> np.ndarray:
    """`values` of shape (n,) or (n, 1) as a non-empty float64 array (n,).

    Raises:
        ValueError: they are not numbers, there are none, or there are several columns.
    """
    array = numbers(name, values, np.ndim(values) if np.ndim(values) == 2 else 1)
    if array.ndim == 2 and array.shape[1] != 1:
        raise ValueError(f"{name} has {array.shape[1]} columns, but only one can be drawn: pass {name}[:, j].")
    return array.reshape(-1)


def class_numbers(name: str, values: ArrayLike) -> np.ndarray:
    """`values` as a non-empty array (n,) of class numbers, 0 first.

    Raises:
        ValueError: they are not whole numbers ≥ 0 in one dimension.
    """
    array = numbers(name, values, 1)
    if not (np.isfinite(array).all() and (array >= 0).all() and (array == np.floor(array)).all()):
        raise ValueError(f"{name} must be class numbers: whole numbers, starting at 0.")
    return array.astype(np.int64)


def same_length(**arrays: np.ndarray) -> None:
    """Raises ValueError unless all arrays have equally many rows."""
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        given = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise ValueError(f"All arrays must have the same number of rows, got {given}.")


def plain(name: object) -> str:
    """A user's text as it is: between two dollar signs matplotlib would read TeX."""
    return str(name).replace("$", r"\$")


def names_for(argument: str, names: Iterable[object] | None, count: int, stem: str) -> list[str]:
    """`names` as strings, or "stem 0", "stem 1", ... when there are none.

    Raises:
        ValueError: there are more or fewer than `count`.
    """
    if names is None:
        return [f"{stem} {index}".strip() for index in range(count)]
    given = [plain(name) for name in names]
    if len(given) != count:
        raise ValueError(f"{argument} must hold {count} names, got {len(given)}.")
    return given
