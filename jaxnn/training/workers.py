"""Threads for compiled calls. XLA runs one call on one core, or little more, so several run side by side.

JAX keeps what its context managers set, such as `jax.enable_x64`, for each thread; here the caller's settings hold.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

SETTINGS: dict[str, Callable[[Any], Any]] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_matmul_precision": jax.default_matmul_precision,
    "jax_default_device": jax.default_device,
    "jax_default_prng_impl": jax.default_prng_impl,
    "jax_numpy_dtype_promotion": jax.numpy_dtype_promotion,
    "jax_numpy_rank_promotion": jax.numpy_rank_promotion,
    "jax_debug_nans": jax.debug_nans,
    "jax_debug_infs": jax.debug_infs,
}


def count() -> int:
    """How many calls run at the same time: one on each core; one on another device than the CPU."""
    return cores() if jax.default_backend() == "cpu" else 1


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def workers() -> Iterator[Callable[[Callable[..., Any], Iterable[Any]], list[Any]]]:
    """Within the block, a function like `map`: it calls a function with each argument, on all cores, in their order."""
    settings = {name: getattr(jax.config, name) for name in SETTINGS}

    with ThreadPoolExecutor(count()) as pool:

        def on_all_cores(function: Callable[..., Any], arguments: Iterable[Any]) -> list[Any]:
            def call(argument: Any) -> Any:
                with contextlib.ExitStack() as stack:
                    for name, value in settings.items():
                        stack.enter_context(SETTINGS[name](value))
                    return function(argument)

            return list(pool.map(call, arguments))

        yield on_all_cores
