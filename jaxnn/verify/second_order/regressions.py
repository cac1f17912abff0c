"""Minima that others have published: NIST's regressions and Moré, Garbow and Hillstrom's problems, by our methods.

NIST    worst = relative error of the worst parameter, over both starts: at most 1e-4, which are the four digits
        (LRE ≥ 4) from which a regression counts as solved; the digits of each start are in the row
MGH     worst = |Σr² - minimum|, of the minimum where that is not 0: at most a millionth, or 1e-4 of a minimum that
        only a valley without an end has
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
from jaxnn.verify.problems import quick_to_compile
from jaxnn.verify.second_order import more, nist
from jaxnn.verify.table import HOLDS, UNEQUAL, Row, verdict_of

STEPS = 1000
SOLVED = 4  # digits

METHODS: Mapping[str, OptimiserLike] = MappingProxyType(
    {
        "levenberg_marquardt": optimisers.levenberg_marquardt(),
        "newton": optimisers.newton(method="trust_region"),
    }
)
# What each minimises. Gauss and Newton's model is poor where residuals are large, and those are what is asked of it.
LARGE = ("2 Freudenstein-Roth", "6 Jennrich-Sampson", "10 Meyer", "16 Brown-Dennis", "18 Biggs")
PROBLEMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "levenberg_marquardt": (*data.NIST, *LARGE),
        "newton": (*data.NIST, *(problem.name for problem in more.problems())),
    }
)
# Where a method is known to end elsewhere from that start, and why: it descends, as it should.
ELSEWHERE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (
            "newton",
            "MGH17",
        ): "from the first start exp(-b5 x) dies out: a plateau, stationary, and a minimum in all but b5",
        ("newton", "18 Biggs"): "it follows a valley that ends at infinity, Σ r² = 0.24268",
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
    methods: Mapping[str, OptimiserLike] = METHODS, problems: Mapping[str, Sequence[str]] = PROBLEMS
) -> tuple[list[Row], list[str]]:
    """The rows, and a summary of each method on NIST's problems.

    Args:
        methods: optimisers by name.
        problems: of each method, the names of those that it minimises.
    """
    with jax.enable_x64(True):
        regressions = {name: nist.problem(name) for name in data.NIST}
        published = {problem.name: problem for problem in more.problems()}
        fits = {name: _Fit(objective, batch, read.starts) for name, (objective, batch, read) in regressions.items()}
        fits |= {name: _Fit(each.objective, each.batch, each.start[None]) for name, each in published.items()}
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
    told = " and ".join(f"{each:.1f}" for each in lre)
    found = verdict_of(float(10 ** -lre.min()), 10.0**-SOLVED, otherwise="it ends elsewhere", passed=HOLDS)
    how = f"two starts: {told} digits of {nist.CERTIFIED_DIGITS}"
    return _row(method, f"NIST {name}", how, ended, _known(method, name, found))


def _sum_of_squares(method: str, problem: more.Problem, ended: _Found) -> Row:
    reached = float(ended.sums[0])
    nearest = min((*problem.minima, *problem.at_infinity), key=lambda minimum: abs(reached - minimum))
    apart = abs(reached - nearest) / (nearest or 1)
    which = "" if nearest == problem.minima[0] else "local " if nearest in problem.minima else "infinitely far "
    how = f"{which}minimum {nearest:g}, Σ r² = {reached:.6g}"
    otherwise = f"it ends at {reached:.6g}"
    near = more.PRECISION if nearest in problem.minima else more.ON_THE_WAY
    found = verdict_of(apart, near if nearest else more.ZERO, otherwise=otherwise, passed=HOLDS)
    return _row(method, f"MGH {problem.name}", how, ended, _known(method, problem.name, found))


def _known(method: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A miss that is known is told as such."""
    why = ELSEWHERE.get((method, name))
    return found if found["verdict"] == HOLDS or why is None else found | {"verdict": UNEQUAL, "why": why}


def _summary(method: str, lre: np.ndarray) -> str:
    solved = int((lre >= SOLVED).sum())
    return (
        f"NIST's regressions, {method}: {solved} of {len(lre)} starts solved, {lre.mean():.2f} digits of 11 on average."
    )


def _row(rule: str, reference: str, mapping: str, ended: _Found, found: dict[str, Any]) -> Row:
    return Row("newton", rule, reference, mapping, int(np.max(ended.steps)), **found)
