"""How a program that runs once is compiled: for the least time of compiling, not of running.

Drawing the parameters of a network takes microseconds and compiling the draw, with all of XLA's effort, seconds. What
runs once, or once for each network, is therefore compiled with less of it; what runs at every step never is.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# Level 0 would halve the time once more, but does not contract a b + c into one rounding: results then differ in their
# last bits from those of any other program. Level 1 gives the bits of level 3.
LEVEL = 1
# XLA's older generator of fused loops compiles faster; releases after 0.10 have it no more, and refuse the option.
LAST_WITH_OLDER_LOOPS = (0, 10)


def options() -> dict[str, Any] | None:
    """The `compiler_options` of `jax.jit` for such a program; None where it is to be compiled as any other.

    Only the CPU's compiler is told anything, and nothing by those who asked for the least effort themselves.
    """
    if jax.default_backend() != "cpu" or jax.config.read("jax_disable_most_optimizations"):
        return None
    known: dict[str, Any] = {"xla_backend_optimization_level": LEVEL}
    if jax.__version_info__[:2] <= LAST_WITH_OLDER_LOOPS:
        known["xla_cpu_use_fusion_emitters"] = False
    return known


class Once:
    """A function as a program that is compiled with these options, once they are known: at its first call."""

    def __init__(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> None:
        self.function = function
        self.donate = donate  # the arguments whose buffers the result may reuse

    @functools.cached_property
    def program(self) -> Any:
        """The function, jitted."""
        return jax.jit(self.function, compiler_options=options(), donate_argnums=self.donate)

    def __call__(self, *arguments: Any) -> Any:
        """Runs the program, or the function as a part of the program that is being traced."""
        return self.function(*arguments) if within_a_program() else self.program(*arguments)


def within_a_program() -> bool:
    """Whether jax is tracing here, so that all that is computed becomes a part of another program.

    Such a program has its own options, and jax refuses those of a part.
    """
    return isinstance(jax.device_put(np.int32(0)), jax.core.Tracer)
