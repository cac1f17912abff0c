"""Rows in chunks: what needs memory for each row is computed for a few of them at a time, in one program.

All chunks have one size, so one program serves them all. What the last one lacks is the last row again, whose answers
are cut off (`mapped`) or which counts with a share of 0 (`summed`). Rows are taken when their turn comes: a copy of the
data, filled up, is never made.
"""

from collections.abc import Callable
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def even(rows: int, most: int) -> int:
    """Rows in a chunk, at most `most`, such that as few chunks as possible are about equally long.

    Args:
        rows: all there are, 1 or more.
        most: rows that may be in one chunk; less than 1 counts as 1.
    """
    return ceil(rows / ceil(rows / max(1, min(rows, most))))


def places(rows: int, size: int) -> Array:
    """The numbers of the rows in each chunk, (chunks, size); what the last one lacks is the last row again."""
    chunks = ceil(rows / size)
    return jnp.minimum(jnp.arange(chunks * size), rows - 1).reshape(chunks, size)


def shares(share: Array, size: int) -> Array:
    """What each row counts for, (rows,), by chunks: (chunks, size), where those that fill up count for nothing."""
    real = jnp.arange(ceil(len(share) / size) * size) < len(share)
    at = places(len(share), size)
    return jnp.where(real.reshape(at.shape), share[at], 0)


def taken(rows: Any, at: Array) -> Any:
    """The rows of those numbers, from a pytree of arrays."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[at], rows)


def mapped(function: Callable[[Any], Any], rows: Any, size: int) -> Any:
    """The function's answers for all rows, `size` of them at a time.

    Args:
        function: (a chunk of the rows) -> a pytree of arrays with an answer for each row.
        rows: a pytree of arrays, rows first.
        size: rows in a chunk.

    Returns:
        A pytree like what the function gives, with an answer for each of the rows.
    """
    count = jax.tree.leaves(rows)[0].shape[0]
    if count <= size:
        return function(rows)
    answers = jax.lax.map(lambda at: function(taken(rows, at)), places(count, size))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], answers)


def summed(function: Callable[..., Any], rows: tuple[Any, ...], share: Array, size: int) -> Any:
    """The sum over all rows of a function that is itself a sum over its rows.

    Args:
        function: (a chunk of each of the arrays, the share last) -> a pytree; rows with a share of 0 must add nothing.
        rows: pytrees of arrays, rows first.
        share: what each row counts for, (rows,).
        size: rows in a chunk.

    Returns:
        A pytree like what the function gives.
    """
    if len(share) <= size:
        return function(*rows, share)
    chunks = places(len(share), size), shares(share, size)
    chunk = lambda at, share: function(*taken(rows, at), share)
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(chunk, chunks[0][0], chunks[1][0]))

    def add(total: Any, at_share: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, chunk(*at_share)), None

    return jax.lax.scan(add, nothing, chunks)[0]
