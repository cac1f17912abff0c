"""Verification: each rule against its paper, against other libraries, and against the best possible in float32.

    print(verify.optimisers())                  # every comparison, a line each
    verify.all(against=["optax"]).ok            # whether none failed
    print(verify.identify(my_factory))          # which published rule somebody's optimiser is
    print(verify.certify(J, params, batch))     # whether that is a minimum, with error bars

There are three witnesses: an oracle in 60 digits, written independently from the paper (`oracles`); a twin in another
library (`twins`), equal or different by a tabulated size; and the best possible in float32 (`accuracy`). Besides update
rules, this package verifies the gradients of networks (`gradients`), their Hessians (`hessians`), Newton's family on
published problems (`newton`), and the numbers of a lecture course (`course`).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from jaxnn import checks
from jaxnn.verify import first_order, lecture_course, second_order
from jaxnn.verify.certificates import Certificate, certify
from jaxnn.verify.first_order.libraries import LIBRARIES, missing
from jaxnn.verify.recognition import identify
from jaxnn.verify.table import Row, Table

__all__ = [
    "GROUPS",
    "Certificate",
    "Row",
    "Table",
    "all",
    "certify",
    "course",
    "gradients",
    "hessians",
    "identify",
    "newton",
    "optimisers",
]


def optimisers(*, against: Sequence[str] | None = None, rule: str | None = None) -> Table:
    """Every update rule against its paper in 60 digits, its twins in other libraries, and the float32 floor.

    Args:
        against: the libraries to compare with, of "optax", "torch", "keras" and "sklearn". None for all; rows of
            libraries that are not installed are listed as not checked.
        rule: jaxnn's name of a rule, to check only that one.

    Returns:
        Rows of the groups "oracle", "twins" and "accuracy". An "oracle" row and an equal one of "twins" follow 200
        gradients at a changing rate in double precision; one of "accuracy" 1000 in float32 or bfloat16, from 0.

    Raises:
        ValueError: an unknown library or rule; the known ones are listed.
        ImportError: a library that was asked for by name is not installed.
    """
    return first_order.optimisers(_libraries(against), rule)


def gradients() -> Table:
    """Backpropagation by hand against `jax.grad`, and activations and losses against differences, in float64."""
    return first_order.gradients()


def hessians() -> Table:
    """Exact Hessians against `jax.hessian`, differences and closed forms, and certificates of known points; float64."""
    return second_order.hessians()


def newton() -> Table:
    """Newton's step on quadratics and in other coordinates, its order, and published problems' minima; float64.

    The problems are all of NIST's certified regressions, and those of Moré, Garbow and Hillstrom with a number of
    parameters of their own, also from far off. Takes about a minute on two cores.
    """
    return second_order.newton()


def course() -> Table:
    """The numbers and formulae of the lecture course that the rules follow, and its errata."""
    return lecture_course.check()


def all(*, against: Sequence[str] | None = None) -> Table:
    """Everything that can be verified, in one table.

    Args:
        against: as for `optimisers`.

    Raises:
        ValueError: an unknown library.
        ImportError: a library that was asked for by name is not installed.
    """
    with ThreadPoolExecutor() as pool:  # compiling, which is what takes time, lets threads run
        parts = [pool.submit(optimisers, against=against)]
        parts += [pool.submit(group) for group in (gradients, hessians, newton, course)]
        first, *others = [part.result() for part in parts]
    return sum(others, first)


GROUPS: Mapping[str, Callable[..., Table]] = MappingProxyType(
    {
        "optimisers": optimisers,
        "gradients": gradients,
        "hessian": hessians,
        "newton": newton,
        "course": course,
        "all": all,
    }
)


def _libraries(against: Sequence[str] | None) -> tuple[str, ...]:
    """The libraries to compare with; each that is named must be there."""
    if against is None:
        return tuple(LIBRARIES)
    if isinstance(against, str):
        raise ValueError(f"against must be a list of libraries, as in [{against!r}], got {against!r}.")
    for name in against:
        checks.one_of(name, LIBRARIES, "library")
        why = missing(name)
        if why is not None:
            raise ImportError(f"Asked to compare with {name}: {why}.")
    return tuple(dict.fromkeys(against))
