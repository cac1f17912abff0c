"""What a contender runs in: double precision, and one thread or two of the BLAS that numpy and scipy bring.

The decompositions of jax on a CPU are scipy's too. For a matrix of a few hundred rows two threads spend more time
meeting than computing, and far more where another program holds a core.
"""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any

import jax

from benchmarks.harness import Make


def double(make: Make) -> Make:
    """The contender with everything, calls included, in double precision."""

    @wraps(make)
    def made(problem: Any) -> Callable[[], Any]:
        with jax.enable_x64(True):
            call = make(problem)

        def in_double() -> Any:
            with jax.enable_x64(True):
                return call()

        return in_double

    return made


def threads(make: Make) -> Mapping[str, Make]:
    """The contender with one thread of BLAS, and with two: the same program, compiled once for each problem."""
    make = cache(make)
    return {"1 BLAS thread": limited(make, 1), "2 BLAS threads": limited(make, 2)}


def limited(make: Make, count: int) -> Make:
    """The contender with so many threads of BLAS."""

    @wraps(make)
    def made(problem: Any) -> Callable[[], Any]:
        import scipy.linalg  # noqa: F401  jax loads it with the first decomposition: too late for the controller
        from threadpoolctl import ThreadpoolController

        call, controller = make(problem), ThreadpoolController()

        def with_threads() -> Any:
            with controller.limit(limits=count, user_api="blas"):
                return call()

        return with_threads

    return made
