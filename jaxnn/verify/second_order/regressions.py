"""Minima that others have published: NIST's regressions and Moré, Garbow and Hillstrom's problems, by our methods.

NIST    worst = relative error of the worst parameter, over both starts: at most 1e-4, which are the four digits
        (LRE ≥ 4) from which a regression counts as solved; the digits of each start are in the row
MGH     worst = |Σr² - minimum|, of the minimum where that is not 0: at most a millionth, or 1e-4 of a minimum that
        only a valley without an end has
        from far off: how many of its problems end at no known minimum
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import data, optimisers, training
from jaxnn.objective import Objective
from jaxnn.types import Batch, OptimiserLike
from jaxnn.verify.compiling import quick_to_compile
from jaxnn.verify.second_order import more_garbow_hillstrom, nist
from jaxnn.verify.second_order.more_garbow_hillstrom import Problem
from jaxnn.verify.table import HOLDS, UNEQUAL, Row, verdict_of

STEPS = 1000
SOLVED = 4  # digits

METHODS: Mapping[str, OptimiserLike] = MappingProxyType(
    {
        "levenberg_marquardt": optimisers.levenberg_marquardt(),
        "newton": optimisers.newton(method="trust_region"),
    }
)
MINIMISED: tuple[str, ...] = (*data.NIST, *(problem.name for problem in more_garbow_hillstrom.problems()))
PROBLEMS: Mapping[str, tuple[str, ...]] = MappingProxyType(dict.fromkeys(METHODS, MINIMISED))
FACTORS = (10, 100)  # of the standard start
# How many of the 19 problems of `more` a method may lose from so far off: two more than it does here, since some paths
# change with how a machine rounds.
LOST: Mapping[tuple[str, int], int] = MappingProxyType(
    {
        ("levenberg_marquardt", 10): 4,
        ("levenberg_marquardt", 100): 6,
        ("newton", 10): 5,
        ("newton", 100): 8,
    }
)
# Where a method is known to end elsewhere from that start, and why: it descends, as it should.
ELSEWHERE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (
            "newton",
            "MGH17",
        ): "from the first start exp(-b5 x) dies out: a plateau, stationary, and a minimum in all but b5",
        ("newton", "MGH10"): "from the first start it is on its way down a bent valley when its steps are used up",
    }
)


class _Fit(NamedTuple):
    """A problem with its starting points."""

    objective: Objective
    batch: Batch
    starts: np.ndarray  # (k, p)


class _Found(NamedTuple):
    params: np.ndarray  # (k, p)
    sums: np.ndarray  # Σ r², (k,)
    steps: np.ndarray


def check(
    methods: Mapping[str, OptimiserLike] = METHODS,
    problems: Mapping[str, Sequence[str]] = PROBLEMS,
    lost: Mapping[tuple[str, int], int] = LOST,
) -> tuple[list[Row], list[str]]:
    """The rows, and a summary of each method on NIST's problems.

    Args:
        methods: optimisers by name.
        problems: of each method, the names of those that it minimises.
        lost: of a method and a multiple of the standard starts, how many of its MGH problems it may lose.
    """
    with jax.enable_x64(True):
        regressions = {name: nist.problem(name) for name in data.NIST}
        published = {problem.name: problem for problem in more_garbow_hillstrom.problems()}
        fits = {name: _Fit(objective, batch, read.starts) for name, (objective, batch, read) in regressions.items()}
        fits |= {
            name: _Fit(each.objective, each.batch, np.stack([each.far(factor) for factor in (1, *FACTORS)]))
            for name, each in published.items()
        }
    tasks = [(method, name) for method in methods for name in problems[method]]
    with ThreadPoolExecutor() as pool:  # compiling, which is what takes time, lets threads run
        found = list(pool.map(lambda task: _fitted(methods[task[0]], fits[task[1]]), tasks))
    rows, digits = [], {method: np.zeros(0) for method in methods}
    for (method, name), ended in zip(tasks, found, strict=True):
        if name in regressions:
            lre = nist.lre(ended.params, regressions[name][2].certified)
            digits[method] = np.append(digits[method], lre)
            rows.append(_regression(method, name, lre, ended))
        else:
            rows.append(_sum_of_squares(method, published[name], ended))
    for method, factor in lost:
        mine = [(name, ended) for (by, name), ended in zip(tasks, found, strict=True) if by == method]
        far = [(published[name], ended) for name, ended in mine if name in published]
        rows.append(_from_far(method, factor, far, lost[method, factor]))
    return rows, [_summary(method, lre) for method, lre in digits.items() if len(lre)]


def _fitted(optimiser: OptimiserLike, fit: _Fit) -> _Found:
    """From each of its starts, in float64; one program, which without vmap compiles in half of the time."""
    with jax.enable_x64(True):

        @partial(jax.jit, compiler_options=quick_to_compile())
        def minimised(start: Any) -> Any:
            found = training.minimise(fit.objective, start, fit.batch, optimiser, max_steps=STEPS)
            return found.params, found.value, found.steps

        ended = [jax.tree.map(np.asarray, minimised(jnp.asarray(start))) for start in fit.starts]
        params, values, steps = (np.stack(each) for each in zip(*ended, strict=True))
        return _Found(params, values * len(fit.batch[1]), steps)


def _regression(method: str, name: str, lre: np.ndarray, ended: _Found) -> Row:
    counted = " and ".join(f"{each:.1f}" for each in lre)
    found = verdict_of(float(10 ** -lre.min()), 10.0**-SOLVED, otherwise="it ends elsewhere", passed=HOLDS)
    how = f"two starts: {counted} digits of {nist.CERTIFIED_DIGITS}"
    return _row(method, f"NIST {name}", how, ended, _known(method, name, found))


def _sum_of_squares(method: str, problem: Problem, ended: _Found) -> Row:
    reached = float(ended.sums[0])
    nearest = min((*problem.minima, *problem.at_infinity), key=lambda minimum: abs(reached - minimum))
    apart = abs(reached - nearest) / (nearest or 1)
    which = "" if nearest == problem.minima[0] else "local " if nearest in problem.minima else "infinitely far "
    how = f"{which}minimum {nearest:g}, Σ r² = {reached:.6g}"
    otherwise = f"it ends at {reached:.6g}"
    near = more_garbow_hillstrom.PRECISION if nearest in problem.minima else more_garbow_hillstrom.ON_THE_WAY
    found = verdict_of(apart, near if nearest else more_garbow_hillstrom.ZERO, otherwise=otherwise, passed=HOLDS)
    first = ended._replace(steps=ended.steps[:1])  # the others are the far starts'
    return _row(method, f"MGH {problem.name}", how, first, _known(method, problem.name, found))


def _from_far(method: str, factor: int, found: Sequence[tuple[Problem, _Found]], at_most: int) -> Row:
    """The row of all problems from so many times their standard start."""
    place = 1 + FACTORS.index(factor)
    lost = [problem.name for problem, ended in found if problem.reached(float(ended.sums[place])) is None]
    counted = f"{len(found) - len(lost)} of {len(found)} end at a known minimum"
    how = f"{counted}; not {', '.join(lost)}" if lost else counted
    held = verdict_of(float(len(lost)), float(at_most), otherwise=f"{len(lost)} are lost", passed=HOLDS)
    most = max(int(ended.steps[place]) for _, ended in found)
    return Row("newton", method, f"MGH from {factor} × the start", how, most, **held)


def _known(method: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A miss that is known is reported as such."""
    why = ELSEWHERE.get((method, name))
    return found if found["verdict"] == HOLDS or why is None else found | {"verdict": UNEQUAL, "why": why}


def _summary(method: str, lre: np.ndarray) -> str:
    solved = int((lre >= SOLVED).sum())
    return (
        f"NIST's regressions, {method}: {solved} of {len(lre)} starts solved, {lre.mean():.2f} digits of 11 on average."
    )


def _row(rule: str, reference: str, mapping: str, ended: _Found, found: dict[str, Any]) -> Row:
    return Row("newton", rule, reference, mapping, int(np.max(ended.steps)), **found)
