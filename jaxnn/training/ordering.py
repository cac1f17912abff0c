"""The order in which an epoch visits the rows: a pure function of (key, epoch).

Each row draws a random word, and the rows are sorted by it. `jax.random.permutation` does so twice, with words of
cryptographic quality, which takes a third of an epoch on small data. Here the words are a keyed hash of the row number.
If the row number fits into the word beside enough random bits, it is stored there, because sorting single words is
several times faster than sorting pairs.

Reference:
    Appleby, MurmurHash3, 2011: its finaliser `fmix32`, in which every bit of the input flips every bit of the output
    with probability ½.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

# Up to 2¹² rows leave 20 random bits: fewer than one row in 250 ties with another, and ties keep the row order.
PACKED_ROW_BITS = 12


def order(key: Any, epoch: Any, n: int) -> Int[Array, " n"]:
    """A random permutation of 0 … n - 1, int32.

    Args:
        key: a PRNG key.
        epoch: whole number ≥ 0; may be traced.
        n: number of rows, 1 ≤ n < 2³¹.
    """
    rows = jnp.arange(n, dtype=jnp.uint32)
    words = _words(key, epoch, rows)
    row_bits = max(n - 1, 1).bit_length()
    if row_bits <= PACKED_ROW_BITS:
        mask = jnp.uint32(2**row_bits - 1)
        return (jax.lax.sort((words & ~mask) | rows) & mask).astype(jnp.int32)
    return jax.lax.sort((words, rows), num_keys=1)[1].astype(jnp.int32)


def _words(key: Any, epoch: Any, rows: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """A random word for each row: two words made of key and epoch enter the hash, one before each mixing."""
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    first = jnp.asarray(epoch).astype(jnp.uint32)
    second = ~first
    for word in jax.random.key_data(key) if typed else key:
        first, second = _mix(first ^ word), _mix(second + word)
    return _mix(_mix(rows + first) ^ second)


def _mix(word: Array) -> Array:
    """MurmurHash3's `fmix32`."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def batches(key: Any, epoch: Any, n: int, batch_size: int) -> Int[Array, "steps batch_size"]:
    """The order cut into full batches; the last n mod batch_size rows are left out.

    Raises:
        ValueError: batch_size is not in [1, n].
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size must be in [1, {n}], at most the number of rows, got {batch_size}.")
    steps = n // batch_size
    return order(key, epoch, n)[: steps * batch_size].reshape(steps, batch_size)
