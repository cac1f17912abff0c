"""The raw outputs of a saved model for the rows of a table, chunk by chunk with one compiled program."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, mlp
from jaxnn.preprocessing import Preprocessing, remarks
from jaxnn.types import Params

ROWS_AT_ONCE = 2**13
ENTRIES_AT_ONCE = 2**22  # numbers in the widest layer's outputs: 16 MiB in float32


def outputs_of(params: Params, x: np.ndarray, sizes: Sequence[int], names: tuple[str, ...]) -> np.ndarray:
    """The network's raw outputs, (n, n_out), in the dtype of its parameters, finite.

    Args:
        params: as `mlp.init` makes them.
        x: inputs (n, n_in), in the dtype of the parameters.
        sizes: n_in, hidden, …, n_out.
        names: the activation of each hidden layer.

    Raises:
        ValueError: the outputs overflow.
    """
    outputs = np.empty((len(x), sizes[-1]), x.dtype)
    # Powers of two, so tables of many lengths share few compiled programs.
    rows = min(ROWS_AT_ONCE, _power_of_two(ENTRIES_AT_ONCE // max(sizes)), _power_of_two(2 * len(x) - 1))
    for start in range(0, len(x), rows):
        some = x[start : start + rows]
        if len(some) < rows:
            some = np.pad(some, ((0, rows - len(some)), (0, 0)))
        evaluated = np.asarray(_evaluate(params, some, names))
        outputs[start : start + rows] = evaluated[: len(x) - start]
    refuse_nonfinite(outputs, "The outputs overflow", "its inputs are far from those in training")
    return outputs


def inputs_of(table: Any, fitted: Preprocessing | None, n_in: int, handling: Mapping[str, bool]) -> np.ndarray:
    """The network's inputs for a table, (n, n_in), in a dtype of their own: see `in_dtype`."""
    if fitted is not None:
        return fitted.inputs(table, **handling)
    if any(handling.values()):
        raise ValueError(
            "clip and fill_missing need the model's preprocessing, and it has none: clip and fill in values yourself."
        )
    if isinstance(table, Mapping):
        raise ValueError(
            f"The model has no preprocessing, so it takes an array of shape (n, {n_in}), not named columns."
        )
    x = np.asarray(table)
    if x.ndim != 2 or not (x.dtype.kind in "biuf" or jnp.issubdtype(x.dtype, jnp.floating)):
        raise ValueError(f"The model takes an array of numbers of shape (n, {n_in}), got {x.dtype} {x.shape}.")
    if x.shape[1] != n_in:
        raise ValueError(f"The table has {x.shape[1]} columns, but the model was trained on {n_in}.")
    return x


def in_dtype(x: np.ndarray, dtype: Any) -> np.ndarray:
    """The inputs in the dtype of the network's parameters, finite; ValueError naming the first row that is not."""
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    refuse_nonfinite(x, f"The inputs are not finite in {dtype}", "values are missing or too large")
    return x


def warn(fitted: Preprocessing | None, table: Any, handling: Mapping[str, bool]) -> None:
    """Warns the caller's caller of what makes predictions for a table doubtful (`preprocessing.remarks`)."""
    if fitted is not None:
        for remark in remarks(fitted, table, **handling):
            warnings.warn(f"{remark}.", stacklevel=3)


def refuse_nonfinite(rows: np.ndarray, what: str, why: str) -> None:
    """Raises ValueError naming the first row that is not finite, for which no prediction is possible."""
    finite = np.isfinite(rows)
    if not finite.all():
        raise ValueError(f"{what} in row {int(np.argmin(finite.all(axis=1))) + 1}: {why}.")


@partial(jax.jit, static_argnames="names")
def _evaluate(params: Params, x: jax.Array, names: tuple[str, ...]) -> jax.Array:
    """The raw outputs of one call, (rows, n_out)."""
    return mlp.apply(params, x, activation=tuple(activations.TABLE[name] for name in names))


def _power_of_two(n: int) -> int:
    """The largest power of two that is at most n, or 1."""
    return 1 << (max(n, 1).bit_length() - 1)
