"""Sums over the examples of a batch, a chunk of them at a time."""

from collections.abc import Callable
from math import ceil
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import mlp
from jaxnn.derivatives.structured.blocks import distant_pairs, rows

Part: TypeAlias = Literal["whole", "blocks", "diagonal"]

CACHED = 8 * 2**20  # bytes: chunks larger than a processor's cache were no faster, at any size that was tried


def rows_at_once(params: mlp.Params, part: Part, examples: int, block_bytes: int | None, itemsize: int) -> int:
    """How many examples to take at a time.

    Args:
        params: of the network.
        part: of the Hessian that is asked for.
        examples: in the whole batch.
        block_bytes: what the arrays with an axis of examples may take together; None for 8 MiB, or a quarter of the
            result where that is more, so that it is not read and written once for every few examples.
        itemsize: bytes of a number.

    Returns:
        At least 1; chunks are of about the same length.
    """
    if block_bytes is None:
        sizes = [rows(layer) * layer.w.shape[1] for layer in params]
        result = {"whole": sum(sizes) ** 2, "blocks": sum(p**2 for p in sizes), "diagonal": sum(sizes)}[part]
        block_bytes = max(CACHED, result * itemsize // 4)
    most = max(1, min(examples, block_bytes // (itemsize * numbers_per_example(params, part))))
    return ceil(examples / ceil(examples / most))


def numbers_per_example(params: mlp.Params, part: Part) -> int:
    """How many numbers the recursion and the products make for every example, at most."""
    d, n = [rows(layer) for layer in params], [layer.w.shape[1] for layer in params]
    layers = range(len(params))
    found = sum(3 * n[l] ** 2 + 2 * d[l] + 4 * n[l] for l in layers)
    if part != "diagonal":
        found += sum(d[l] * (d[l] + 1) // 2 for l in layers)
    if part == "whole":
        found += sum(d[l] * d[l + 1] + 3 * n[l] * n[l + 1] + n[l] ** 2 for l in layers[:-1])
        found += sum((d[m] * n[m] + n[m] + d[m]) * n[l] for m, l in distant_pairs(len(params)))
    return found


def summed(contribution: Callable[..., Any], count: int, *arrays: Any) -> Any:
    """The sum over all rows of a function that is itself a sum over its rows.

    Args:
        contribution: (rows of each of the arrays) -> a pytree; rows whose share is 0 must add nothing.
        count: rows at a time.
        arrays: pytrees of arrays, rows first; the last is the rows' share. What the last chunk lacks is filled with
            rows from the beginning, whose share is 0 there.

    Returns:
        A pytree like what `contribution` gives.
    """
    *data, share = arrays
    steps = ceil(len(share) / count)
    missing = steps * count - len(share)

    def cut(leaf: Any, filling: Any) -> Any:
        whole = jnp.concatenate([leaf, filling]) if missing else leaf
        return whole.reshape(steps, count, *leaf.shape[1:])

    chunks = [jax.tree.map(lambda leaf: cut(leaf, leaf[:missing]), part) for part in data]
    chunks.append(cut(share, np.zeros(missing, share.dtype)))
    first = jax.tree.map(lambda leaf: leaf[0], chunks)
    if steps == 1:
        return contribution(*first)
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(contribution, *first))

    def add(total: Any, chunk: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, contribution(*chunk)), None

    return jax.lax.scan(add, nothing, chunks)[0]
