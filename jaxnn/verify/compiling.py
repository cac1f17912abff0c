"""How comparisons are compiled: quickly in double precision, and as for a user in narrower numbers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.types import Params


def compiler_options(params: Params) -> dict[str, Any]:
    """`quick_to_compile` where all parameters are in double precision.

    Narrower numbers are compiled as users have them, since their roundings are what is measured.
    """
    return quick_to_compile() if all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(params)) else {}


@functools.cache
def quick_to_compile(*, optimised: bool = False) -> dict[str, Any]:
    """Options under which XLA compiles small programs for a CPU in a quarter of the time; those that it knows.

    Compiling is all that most comparisons take: there is nothing in 200 short steps to optimise.

    Args:
        optimised: leave LLVM's optimisation on, for a program that is run many times.
    """
    wanted: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False}
    if not optimised:
        wanted["xla_backend_optimization_level"] = 0

    def known(name: str, value: Any) -> bool:
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value})(1.0)
        except jax.errors.JaxRuntimeError:  # of another release
            return False
        return True

    return {name: value for name, value in wanted.items() if jax.default_backend() == "cpu" and known(name, value)}
