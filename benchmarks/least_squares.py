"""How long does an exact fit take? Levenberg-Marquardt from 32 starts to a mean squared residual of 1e-10.

The targets are a teacher's, a network of the same kind with half as many hidden units, so that every residual can
vanish, and does from every start: where the teacher has as many units, several starts of 8-20-1 stay on plateaus. J is
the mean of squares, without a half, over the rows; arithmetic is float64. A call takes every one of the same starts to
J ≤ 1e-10, or to the end of its budget; the witness is the number of starts that arrived.

Everyone ends at the goal: ours by `goal`, optimistix by a solver that also looks at its own sum of squares, scipy by
a residual that raises there, which is cheaper than its callback, since no Jacobian or decomposition follows. The
Jacobian of scipy is analytic and compiled: the one that ours takes. The threads are those of the BLAS that numpy and
scipy bring, whose decompositions ours and optimistix call too: matrices of these sizes are mostly decomposed faster by
one, so that each contender has the number that suited it in a trial. The trial is the first steps of two starts.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.nn.initializers import glorot_normal

from benchmarks.harness import Contender, Make, Question
from benchmarks.setting import double, threads
from jaxnn import initialisers, losses, mlp, optimisers, training
from jaxnn.derivatives.jacobians import output_jacobian
from jaxnn.objective import Objective

FEW = 8  # starts
GOAL = 1e-10  # of the mean squared residual
TRIALS = 10  # of a step, at most: so many times the budget are the evaluations of those that count these
TOLERANCE = float(np.finfo(float).eps)  # of scipy, the least that it takes: only the goal ends a run
TEACHER = 1.5  # times Glorot's standard deviation: the targets are not nearly linear
PREDICT = partial(mlp.apply, activation=jnp.tanh)
OBJECTIVE = Objective(PREDICT, losses.squared_error)


class Fits(NamedTuple):
    """A regression, and how many starts take how many steps at most."""

    sizes: tuple[int, int, int]
    rows: int
    units: int = 32
    max_steps: int = 300
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """Network, rows and starts."""
        return f"{'-'.join(map(str, self.sizes))} tanh, {self.rows:,} rows, {self.units} starts"

    @property
    def trial(self) -> "Fits":
        """The first steps of two starts; of the small problem all, so that nothing is compiled twice."""
        return self if self.units < FEW else self._replace(units=2, max_steps=3)

    def data(self) -> tuple[jax.Array, jax.Array]:
        """Inputs, even or uniform in [-1, 1], and what the teacher makes of them."""
        inputs, teacher, _ = jax.random.split(jax.random.key(0), 3)
        shape = self.rows, self.sizes[0]
        even = self.sizes[0] == 1
        x = jnp.linspace(-1, 1, self.rows)[:, None] if even else jax.random.uniform(inputs, shape, minval=-1)
        drawn = initialisers.scaled(glorot_normal(), TEACHER)
        n_in, hidden, n_out = self.sizes
        return x, PREDICT(mlp.init(teacher, (n_in, hidden // 2, n_out), w_init=drawn), x)

    def starts(self) -> mlp.Params:
        """All starts, each leaf with an axis of starts in front."""
        keys = jax.random.split(jax.random.split(jax.random.key(0), 3)[2], 32)[: self.units]
        return jax.vmap(lambda key: mlp.init(key, self.sizes, w_init=glorot_normal))(keys)


def problems(quick: bool) -> Iterable[Fits]:
    small = Fits((1, 10, 1), 100)
    if quick:
        yield small._replace(rows=50, units=4, max_steps=100)
    else:
        yield small
        yield Fits((8, 20, 1), 1000)


def arrived(problem: Fits, values: np.ndarray) -> float:
    """How many starts have a mean squared residual within the goal."""
    del problem
    return float(np.sum(values <= GOAL))


def ours(over: Callable[..., Any], *, geodesic: bool = True) -> Make:
    """One compiled program that goes `over` all starts."""

    @double
    def make(problem: Fits) -> Callable[[], np.ndarray]:
        data, starts, method = problem.data(), problem.starts(), optimisers.levenberg_marquardt(geodesic=geodesic)

        @jax.jit
        def fits(starts: mlp.Params, data: Any) -> jax.Array:
            def fit(start: mlp.Params) -> jax.Array:
                steps = problem.max_steps
                return training.minimise(OBJECTIVE, start, data, method, goal=GOAL, max_steps=steps).value

            return over(fit, starts)

        return lambda: np.asarray(fits(starts, data))

    return make


def optimistix(over: Callable[..., Any] | None, *, cholesky: bool) -> Make:
    """Its Levenberg-Marquardt, jitted as a whole; one start after another from Python where `over` is None.

    Its Jacobian is by forward mode, which suits more rows than parameters. A step of it is one trial, which may be
    rejected.
    """

    @double
    def make(problem: Fits) -> Callable[[], np.ndarray]:
        import lineax
        import optimistix

        class ToGoal(optimistix.LevenbergMarquardt):
            def terminate(self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any) -> Any:
                at_goal = (state.num_accepted_steps > 0) & (2 * state.f_info.as_min() <= GOAL * problem.rows)
                return at_goal, state.result

        solver = ToGoal(0.0, 0.0, linear_solver=lineax.Normal(lineax.Cholesky()) if cholesky else lineax.QR())

        def residual(params: Any, data: Any) -> jax.Array:
            x, y = data
            return (PREDICT(params, x) - y).ravel()

        def fit(start: Any, data: Any) -> jax.Array:
            most = TRIALS * problem.max_steps
            found = optimistix.least_squares(residual, solver, start, args=data, max_steps=most, throw=False)
            return jnp.mean(residual(found.value, data) ** 2)

        data, starts = problem.data(), problem.starts()
        if over is not None:
            together = jax.jit(lambda starts, data: over(lambda start: fit(start, data), starts))
            return lambda: np.asarray(together(starts, data))
        alone, each = jax.jit(fit), one_by_one(starts, problem.units)
        return lambda: np.asarray([alone(start, data) for start in each])

    return make


def scipy(method: str) -> Make:
    """`scipy.optimize.least_squares`, one start after another; residuals and Jacobian compiled by jax."""

    @double
    def make(problem: Fits) -> Callable[[], np.ndarray]:
        from scipy.optimize import least_squares

        data, starts = problem.data(), one_by_one(problem.starts(), problem.units)
        _, back = ravel_pytree(starts[0])
        flat = [np.asarray(ravel_pytree(start)[0]) for start in starts]
        x, y = data

        @jax.jit
        def compiled_residual(theta: Any, x: Any, y: Any) -> jax.Array:
            return (PREDICT(back(theta), x) - y).ravel()

        @jax.jit
        def compiled_jacobian(theta: Any, x: Any, y: Any) -> jax.Array:
            return output_jacobian(OBJECTIVE, back(theta), (x, y)).T

        def residual(theta: np.ndarray) -> np.ndarray:
            r = np.asarray(compiled_residual(theta, x, y))
            value = float(r @ r) / r.size
            if value <= GOAL:
                raise _ArrivedError(value)
            return r

        def jacobian(theta: np.ndarray) -> np.ndarray:
            return np.asarray(compiled_jacobian(theta, x, y))

        def fit(start: np.ndarray) -> float:
            limits = {"ftol": TOLERANCE, "xtol": TOLERANCE, "gtol": TOLERANCE, "max_nfev": TRIALS * problem.max_steps}
            try:
                return 2 * float(least_squares(residual, start, jacobian, method=method, **limits).cost) / problem.rows
            except _ArrivedError as arrived:
                return arrived.value

        return lambda: np.asarray([fit(start) for start in flat])

    return make


class _ArrivedError(Exception):
    """Ends a run of scipy at the goal."""

    def __init__(self, value: float) -> None:
        super().__init__(f"J = {value}")
        self.value = value


def one_by_one(starts: Any, count: int) -> list[Any]:
    """Each start on its own."""
    return [jax.tree.map(lambda leaf, i=i: leaf[i], starts) for i in range(count)]


def chunks(fit: Callable[[Any], Any], starts: Any) -> Any:
    """A few starts in step, which wait for the last of them, then the next."""
    return jax.lax.map(fit, starts, batch_size=FEW)


def vmapped(fit: Callable[[Any], Any], starts: Any) -> Any:
    """All starts in step: those that have arrived wait for the last."""
    return jax.vmap(fit)(starts)


def linear_solvers(over: Callable[..., Any] | None) -> dict[str, Make]:
    """By QR of the Jacobian, its default, or by Cholesky of the normal equations."""
    return {
        f"{solver}, {how}": make
        for solver, cholesky in (("QR", False), ("Cholesky", True))
        for how, make in threads(optimistix(over, cholesky=cholesky)).items()
    }


QUESTION = Question(
    name="least_squares",
    title="Levenberg-Marquardt from many starts, to a mean squared residual of 1e-10, in double precision",
    unit="start",
    witness_name="arrived",
    problems=problems,
    witness=arrived,
    contenders=(
        Contender(
            "levenberg_marquardt", f"geodesic; one jit, vmapped over {FEW} starts at a time", threads(ours(chunks))
        ),
        Contender("levenberg_marquardt, all vmapped", "geodesic; one jit", threads(ours(vmapped)), None, True),
        Contender(
            "levenberg_marquardt, one by one", "geodesic; one jit, a loop", threads(ours(jax.lax.map)), None, True
        ),
        Contender("levenberg_marquardt, plain", "as the first", threads(ours(chunks, geodesic=False)), None, True),
        Contender("optimistix LM", "one by one; jitted, called for each start", linear_solvers(None), "optimistix"),
        Contender("optimistix LM, all vmapped", "one jit", linear_solvers(vmapped), "optimistix", True),
        Contender("scipy lm", "one by one; analytic Jacobian, jitted", threads(scipy("lm")), "scipy"),
        Contender("scipy trf", "one by one; analytic Jacobian, jitted", threads(scipy("trf")), "scipy"),
    ),
    rounds=3,
)
