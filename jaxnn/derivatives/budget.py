"""Checks that an n × n matrix fits into memory before it is allocated, to give a clear error instead of a crash."""

import os
from typing import Any

import jax.numpy as jnp


class MemoryBudgetError(ValueError):
    """A matrix that would not fit into memory was asked for. The message has its size, the budget and alternatives."""


def machine_memory() -> int | None:
    """The bytes of this machine's memory; None if the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_square(what: str, n: int, dtype: Any, memory_bytes: int | None, instead: str) -> None:
    """Refuses an n × n matrix that is larger than the budget.

    Args:
        what: the matrix, as the message names it.
        n: the number of rows.
        dtype: of its entries.
        memory_bytes: the budget; half of this machine's memory if None.
        instead: alternatives that need no such matrix.

    Raises:
        MemoryBudgetError: n² entries take more than `memory_bytes`.
    """
    whose = "the budget of {}, memory_bytes"
    if memory_bytes is None:
        whole = machine_memory()
        if whole is None:
            return
        memory_bytes, whose = whole // 2, "{}, half of this machine's memory"
    needed = n * n * jnp.dtype(dtype).itemsize
    if needed > memory_bytes:
        raise MemoryBudgetError(
            f"{what} of {n:,} parameters takes {in_words(needed)}, more than {whose.format(in_words(memory_bytes))}: "
            f"use {instead}, or give a larger memory_bytes."
        )


def in_words(size: int | float) -> str:
    """A number of bytes, such as "12.8 GB"; in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.3g} {unit}" if unit != "TB" else f"{size:,.1f} TB"
