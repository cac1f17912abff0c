"""Who minimises in `robustness`: our methods as they are by default, scipy's and optimistix's at their tightest.

A contender makes of a case a call, start -> where it ended, which is compiled once for the case. Everyone has analytic
derivatives, double precision, and as many steps as suffice everywhere; what a call says of its own success is kept:
ours "converged", scipy's `success`, optimistix's `result`.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import optimisers, training
from jaxnn.objective import Objective
from jaxnn.types import Batch, OptimiserLike
from jaxnn.verify.compiling import quick_to_compile

STEPS = 5000
SHORTER = 1000  # of those whose steps are dear, and whose tolerance rounding may keep out of reach
TIGHTEST = 1e-15  # scipy takes no tolerance below ε
TINY = 1e-14  # of a gradient, which these compare in raw units: 1e-10 ends them early where J is small
FAR = 1e150  # in place of a residual that is no number, for code that does not look


class Case(NamedTuple):
    """A sum of squares to minimise; J is their mean."""

    name: str
    objective: Objective
    batch: Batch


class Ended(NamedTuple):
    """Where a run ended."""

    params: np.ndarray  # (p,)
    claims: bool  # whether it says that it has succeeded
    words: str  # what it says


Run: TypeAlias = Callable[[np.ndarray], Ended]


class Contender(NamedTuple):
    """One method."""

    name: str
    settings: str
    make: Callable[[Case], Run]
    needs: str = "jax"  # the package without which it stays out
    moved: bool = True  # whether it also has the starts that are moved, many of them


class Functions(NamedTuple):
    """Compiled functions of the parameters (p,), for code that calls them from Python; NumPy in and out."""

    residuals: Callable[[Any], np.ndarray]
    jacobian: Callable[[Any], np.ndarray]
    value: Callable[[Any], float]  # J
    gradient: Callable[[Any], np.ndarray]
    hessian: Callable[[Any], np.ndarray]


def functions(case: Case) -> Functions:
    """Of a case; the programs are kept for the contenders that come after."""
    return _functions(case.name, case.objective.predict, *case.batch)


def _functions(name: str, predict: Any, x: Any, y: Any) -> Functions:
    kept = _KEPT.get(name)
    if kept is None:
        residuals = lambda p: predict(p, x) - y
        mean = lambda p: jnp.mean(residuals(p) ** 2)

        def compiled(f: Callable[[Any], Any]) -> Callable[[Any], np.ndarray]:
            call = jax.jit(f, compiler_options=quick_to_compile())
            return lambda p: np.asarray(call(np.asarray(p, float)))

        value = compiled(mean)
        kept = Functions(
            compiled(residuals),
            compiled(jax.jacfwd(residuals)),
            lambda p: float(value(p)),
            compiled(jax.grad(mean)),
            compiled(jax.hessian(mean)),
        )
        _KEPT[name] = kept
    return kept


_KEPT: dict[str, Functions] = {}


def forget() -> None:
    """Lets go of the compiled functions: their programs take memory, and no contender will ask for them again."""
    _KEPT.clear()


def ours(optimiser: OptimiserLike) -> Callable[[Case], Run]:
    """`training.minimise` with that method; one program for all starts."""

    def make(case: Case) -> Run:
        @partial(jax.jit, compiler_options=quick_to_compile())
        def minimised(start: Any, batch: Batch) -> Any:
            found = training.minimise(case.objective, start, batch, optimiser, max_steps=STEPS)
            return found.params, found.stop

        def run(start: np.ndarray) -> Ended:
            params, stop = minimised(jnp.asarray(start), case.batch)
            words = str(stop.words())
            return Ended(np.asarray(params), words.startswith("converged"), words)

        return run

    return make


def least_squares(method: str) -> Callable[[Case], Run]:
    """`scipy.optimize.least_squares`: columns scaled by the Jacobian's, tolerances 1e-15."""

    def make(case: Case) -> Run:
        from scipy.optimize import least_squares as solve

        given = functions(case)
        tolerances = dict.fromkeys(("xtol", "ftol", "gtol"), TIGHTEST)
        solver = partial(solve, jac=given.jacobian, method=method, x_scale="jac", max_nfev=STEPS, **tolerances)
        # MINPACK compares whatever it gets; the other two look for what is not finite
        seen = partial(np.nan_to_num, nan=FAR, posinf=FAR, neginf=-FAR) if method == "lm" else lambda r: r
        return _guarded(partial(solver, lambda p: seen(given.residuals(p))))

    return make


def minimize(method: str, *, second: bool, **options: Any) -> Callable[[Case], Run]:
    """`scipy.optimize.minimize` of J with its gradient, and its Hessian where `second`."""

    def make(case: Case) -> Run:
        from scipy.optimize import minimize as solve

        given = functions(case)
        hessian = {"hess": given.hessian} if second else {}
        solver = partial(solve, given.value, jac=given.gradient, method=method, options=options, **hessian)
        return _guarded(solver)

    return make


def _guarded(solve: Callable[[np.ndarray], Any]) -> Run:
    """What a solver of scipy's says; an exception of its own is no success."""

    def run(start: np.ndarray) -> Ended:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of overflow, and of trials that are not finite: they are in the result
            try:
                found = solve(start)
            except (ValueError, np.linalg.LinAlgError, OverflowError, ZeroDivisionError) as error:
                return Ended(start, False, f"{type(error).__name__}: {error}")
        return Ended(np.asarray(found.x), bool(found.success), str(found.message))

    return run


def optimistix(name: str, tolerance: float, *, squares: bool = True) -> Callable[[Case], Run]:
    """A solver of optimistix, both tolerances alike; `least_squares`, or `minimise` of J."""

    def make(case: Case) -> Run:
        import optimistix as peer

        solver = getattr(peer, name)(tolerance, tolerance)

        def residuals(p: Any, batch: Batch) -> Any:
            return case.objective.predict(p, batch[0]) - batch[1]

        def mean(p: Any, batch: Batch) -> Any:
            return jnp.mean(residuals(p, batch) ** 2)

        solve, f = (peer.least_squares, residuals) if squares else (peer.minimise, mean)

        @partial(jax.jit, compiler_options=quick_to_compile())
        def minimised(start: Any, batch: Batch) -> Any:
            found = solve(f, solver, start, args=batch, max_steps=STEPS, throw=False)
            return found.value, found.result == peer.RESULTS.successful

        def run(start: np.ndarray) -> Ended:
            params, success = minimised(jnp.asarray(start), case.batch)
            return Ended(np.asarray(params), bool(success), "successful" if success else "not successful")

        return run

    return make


TIGHT = "tolerances 1e-15, x_scale='jac'"
OURS = (
    Contender("levenberg_marquardt", "default", ours(optimisers.levenberg_marquardt())),
    Contender("newton, trust_region", "default", ours(optimisers.newton(method="trust_region"))),
    Contender("newton, cubic", "default", ours(optimisers.newton(method="cubic"))),
    Contender("gauss_newton", "default", ours(optimisers.gauss_newton())),
    Contender("newton_cg", "default", ours(optimisers.newton_cg())),
    Contender("saddle_free_newton", "default", ours(optimisers.saddle_free_newton())),
    Contender("bfgs", "default", ours(optimisers.bfgs())),
    Contender("lbfgs", "default", ours(optimisers.lbfgs())),
)
SCIPY = (
    Contender("scipy lm", TIGHT, least_squares("lm"), "scipy"),
    Contender("scipy trf", TIGHT, least_squares("trf"), "scipy"),
    Contender("scipy dogbox", TIGHT, least_squares("dogbox"), "scipy"),
    Contender(
        "scipy trust-exact",
        f"exact Hessian, gtol 1e-14, radius to 1e10, {SHORTER:,} steps",
        minimize("trust-exact", second=True, gtol=TINY, max_trust_radius=1e10, maxiter=SHORTER),
        "scipy",
        moved=False,
    ),
    Contender(
        "scipy trust-ncg",
        f"exact Hessian, gtol 1e-14, radius to 1e10, {SHORTER:,} steps",
        minimize("trust-ncg", second=True, gtol=TINY, max_trust_radius=1e10, maxiter=SHORTER),
        "scipy",
        moved=False,
    ),
    Contender(
        "scipy Newton-CG",
        f"exact Hessian, xtol 1e-15, {SHORTER:,} steps",
        minimize("Newton-CG", second=True, xtol=TIGHTEST, maxiter=SHORTER),
        "scipy",
        moved=False,
    ),
    Contender(
        "scipy BFGS",
        f"gtol 1e-14, {STEPS:,} steps",
        minimize("BFGS", second=False, gtol=TINY, maxiter=STEPS),
        "scipy",
        moved=False,
    ),
    Contender(
        "scipy L-BFGS-B",
        f"ftol 0, gtol 1e-14, {STEPS:,} steps",
        minimize("L-BFGS-B", second=False, ftol=0.0, gtol=TINY, maxiter=STEPS, maxfun=10 * STEPS),
        "scipy",
        moved=False,
    ),
)
OPTIMISTIX = (
    Contender("optimistix LM", "tolerances 1e-12", optimistix("LevenbergMarquardt", 1e-12), "optimistix"),
    Contender("optimistix Dogleg", "tolerances 1e-12", optimistix("Dogleg", 1e-12), "optimistix"),
    Contender(
        "optimistix BFGS",
        "tolerances 1e-12",
        optimistix("BFGS", 1e-12, squares=False),
        "optimistix",
        moved=False,
    ),
)
CONTENDERS = (*OURS, *SCIPY, *OPTIMISTIX)
