"""What the machine can do at most: large matrix products, and memory copied or overwritten, on one core and on all.

A contender of this page trains nothing. It takes turns with those who do, so that what slows the machine slows both,
and says in `units` how many of the question's units have as much arithmetic, or as many bytes.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Make, cores
from benchmarks.setting import limited

WIDTH = 1024  # of the square matrices whose product shows the machine's peak
PRODUCTS = 8
ONE_CORE, ALL_CORES = "matrix products, one core", "matrix products, all cores"


@dataclass(frozen=True)
class Products:
    """Products of large matrices, which train nothing: the arithmetic alone."""

    multiply: Callable[[], Any]
    units: float  # of the question: as many as have these flops

    def __call__(self) -> None:
        """All, one after another."""
        for _ in range(PRODUCTS):
            self.multiply()


def peak(threads: int | None) -> Mapping[str, Make]:
    """Matrix products in float32 on one core, or on all for None; of a problem with `flops`.

    XLA has no option that keeps it to one core within a process, so on one core only NumPy's BLAS competes.
    """

    def made(multiply: Callable[[], Any], problem: Any) -> Products:
        return Products(multiply, PRODUCTS * 2 * WIDTH**3 / problem.flops)

    def by_numpy(problem: Any) -> Callable[[], Any]:
        a = np.random.default_rng(0).standard_normal((WIDTH, WIDTH), np.float32)
        product = np.empty_like(a)
        return made(limited(lambda _: lambda: np.matmul(a, a, out=product), threads or cores())(problem), problem)

    def by_xla(problem: Any) -> Callable[[], Any]:
        a = jnp.asarray(np.random.default_rng(0).standard_normal((WIDTH, WIDTH), np.float32))
        product = jax.jit(jnp.matmul)
        return made(lambda: product(a, a).block_until_ready(), problem)

    return {"NumPy": by_numpy} if threads == 1 else {"NumPy": by_numpy, "XLA": by_xla}


def copy(threads: int) -> Make:
    """`numpy.copyto` of as many bytes as a unit must move, half read and half written; each thread copies its part.

    Where the processor first reads the line of memory that it is going to write, half as much again is moved.
    """

    def make(problem: Any) -> Callable[[], None]:
        source = np.ones(problem.bytes_moved // 2, np.uint8)
        target = np.zeros_like(source)
        return repeated(problem.units, threads, np.copyto, target, source)

    return make


def in_place(threads: int) -> Make:
    """The signs of an array changed where it stands: as many bytes read, and written to lines already in the cache."""

    def make(problem: Any) -> Callable[[], None]:
        array = np.ones(problem.bytes_moved // 8, np.float32)
        return repeated(problem.units, threads, lambda part: np.negative(part, out=part), array)

    return make


def repeated(times: int, threads: int, work: Callable[..., Any], *arrays: np.ndarray) -> Callable[[], None]:
    """A call that does work on the arrays so many times, each time split into a part for each thread."""
    if threads == 1:
        parts, pool = [arrays], None
    else:
        parts = [*zip(*(np.array_split(array, threads) for array in arrays), strict=True)]
        pool = ThreadPoolExecutor(threads)  # numpy lets other threads run while it works on large arrays

    def call() -> None:
        for _ in range(times):
            if pool is None:
                work(*arrays)
            else:
                list(pool.map(lambda part: work(*part), parts))

    return call
