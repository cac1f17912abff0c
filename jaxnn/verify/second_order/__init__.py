"""Second order against what is known: exact Hessians, and minima that others have certified.

matrices                Hessians against `jax.hessian`, differences and closed forms; certificates of known points
closed_forms            those that can be written down
steps                   Newton's step: exact on quadratics, in any coordinates, of order 2
regressions             our methods on published problems
nist                    the models of NIST's certified regressions
more_garbow_hillstrom   problems of Moré, Garbow and Hillstrom with a number of parameters of their own
sized                   their problems with any number of parameters
"""

from functools import partial

import jax

from jaxnn import optimisers
from jaxnn.verify.second_order import matrices, regressions, steps
from jaxnn.verify.table import Row, Table, versions


def hessians() -> Table:
    """Every row of the group "hessian", in float64 whatever the caller computes in."""
    return Table(tuple(matrices.check()), versions("jax", "numpy"))


def newton() -> Table:
    """Every row of the group "newton", likewise."""
    pure = partial(optimisers.newton, method="pure")
    with jax.enable_x64(True):
        rows: list[Row] = [*steps.one_step(), *steps.units(), *steps.invariance(pure, partial(optimisers.sgd, 1e-3))]
        of_order, digits = steps.order(pure)
        published, summaries = regressions.check()
    return Table((*rows, *of_order, *published), versions("jax", "numpy"), (*digits, *summaries))
