"""How soon is a loss reached that Adam has after its whole budget? Full batches, double precision.

Two regressions by networks with tanh: diabetes, standardised, with a penalty ½ λ ‖θ‖² so that a minimum exists, and
Friedman's smooth function of five inputs, without noise. Adam runs through its budget at five learning rates; the
least of the five final losses is the goal of everyone, Adam with that rate included, and all start at the same
parameters. A call ends at the first J that is not above the goal, or with the contender's budget; the witness is the
last J over the goal, above 1 for whoever did not reach it.

scipy's and torch's functions raise at the goal: nothing is cheaper for them. What is drawn, J against seconds, takes
all steps of a run as equally long.

References:
    Friedman, Multivariate adaptive regression splines, 1991 (the smooth function, his equation 61).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.nn.initializers import glorot_normal

from benchmarks.harness import Contender, Make, Question
from benchmarks.setting import double, threads
from jaxnn import derivatives, losses, mlp, optimisers, training, tree
from jaxnn.data import bundled
from jaxnn.objective import Objective, l2
from jaxnn.types import Optimiser

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
ADAM_STEPS = 20_000
MATRIX_STEPS, VECTOR_STEPS = 1_000, 20_000  # budgets of methods that form a matrix, and of those that do not
PENALTY = 0.05  # λ on diabetes: with less, several minima are near, and who finds the lowest is luck
DRAWN = 60  # steps of a curve that the report keeps
ROUNDING = 1e-9  # of the goal, relative: another order of sums must not keep Adam from its own loss


class Race(NamedTuple):
    """A regression and Adam's budget."""

    data_set: str
    adam_steps: int
    matrix_steps: int
    vector_steps: int
    units: int = 1
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """Data, network and budget."""
        x, _ = self.data()
        sizes = "-".join(map(str, self.sizes))
        return f"{self.data_set}, {len(x):,} rows, {sizes} tanh, Adam's loss after {self.adam_steps:,} steps"

    @property
    def trial(self) -> "Race":
        """The first steps; of the small problem all, so that nothing is compiled twice."""
        return self if self.adam_steps < ADAM_STEPS else self._replace(matrix_steps=10, vector_steps=30)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the network."""
        return (10, 16, 1) if self.data_set == "diabetes" else (5, 20, 1)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets, float64, the targets standardised."""
        return diabetes() if self.data_set == "diabetes" else friedman()

    @property
    def penalty(self) -> float:
        """λ."""
        return PENALTY if self.data_set == "diabetes" else 0.0

    def objective(self) -> Objective:
        """The mean squared error, and the penalty if there is one."""
        penalty = l2(self.penalty) if self.penalty else None
        return Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error, penalty)

    def start(self) -> mlp.Params:
        """The same parameters for all."""
        with jax.enable_x64(True):
            return mlp.init(jax.random.key(0), self.sizes, w_init=glorot_normal)

    def batch(self) -> tuple[jax.Array, jax.Array]:
        """The data as jax's arrays."""
        with jax.enable_x64(True):
            x, y = self.data()
            return jnp.asarray(x), jnp.asarray(y)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    data = bundled.load("diabetes")
    return standardised(data.x), standardised(np.reshape(data.y, (-1, 1)))


def friedman() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).uniform(size=(1000, 5))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return 2 * x - 1, standardised(y[:, None])


def standardised(values: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and standard deviation 1."""
    values = np.asarray(values, np.float64)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def problems(quick: bool) -> Iterable[Race]:
    if quick:
        yield Race("Friedman's function", adam_steps=100, matrix_steps=20, vector_steps=100)
        return
    for data_set in ("diabetes", "Friedman's function"):
        yield Race(data_set, ADAM_STEPS, MATRIX_STEPS, VECTOR_STEPS)


@cache
def goal(data_set: str, steps: int) -> tuple[float, float]:
    """The least of Adam's final losses, and its learning rate."""
    problem = Race(data_set, steps, 0, 0)
    with jax.enable_x64(True):
        run = jax.jit(partial(adam_values, problem.objective(), steps=steps))
        final = {rate: run(problem.start(), problem.batch(), rate, -jnp.inf)[steps] for rate in RATES}
    best = min(final, key=lambda rate: float(final[rate]))
    return float(final[best]) * (1 + ROUNDING), best


def adam_values(objective: Objective, start: Any, batch: Any, rate: Any, target: Any, *, steps: int) -> jax.Array:
    """J at every step of Adam up to the first that is not above the target, (steps + 1,), NaN beyond."""
    optimiser = optimisers.adam(rate)

    def step(carry: Any) -> Any:
        params, state, values, count, _ = carry
        value, grads = jax.value_and_grad(objective)(params, batch)
        updates, state = optimiser.update(grads, state, params)
        return tree.add(params, updates), state, values.at[count].set(value), count + 1, value

    def going_on(carry: Any) -> jax.Array:
        return (carry[3] <= steps) & (carry[4] > target)

    empty = jnp.full(steps + 1, jnp.nan)
    carry = start, optimiser.init(start), empty, 0, jnp.asarray(jnp.inf)
    return jax.lax.while_loop(going_on, step, carry)[2]


def adam(problem: Race) -> Callable[[], np.ndarray]:
    target, rate = goal(problem.data_set, problem.adam_steps)
    run = jax.jit(partial(adam_values, problem.objective(), steps=problem.adam_steps))
    start, batch = problem.start(), problem.batch()
    return lambda: finite(run(start, batch, rate, target))


def minimised(optimiser: Callable[[], Optimiser], *, matrix: bool) -> Make:
    """One of our methods in `minimise`, compiled as a whole."""

    def make(problem: Race) -> Callable[[], np.ndarray]:
        objective, method = problem.objective(), optimiser()
        steps = problem.matrix_steps if matrix else problem.vector_steps
        start, batch, (target, _) = problem.start(), problem.batch(), goal(problem.data_set, problem.adam_steps)

        @jax.jit
        def run(start: Any, batch: Any) -> jax.Array:
            return training.minimise(objective, start, batch, method, goal=target, max_steps=steps).history.value

        return lambda: finite(run(start, batch))

    return make


def newton() -> Optimiser:
    return optimisers.newton(method="trust_region", hessian=partial(derivatives.mlp_hessian, activation=jnp.tanh))


def scipy_lbfgs(problem: Race) -> Callable[[], np.ndarray]:
    from scipy.optimize import minimize

    target, _ = goal(problem.data_set, problem.adam_steps)
    objective, batch = problem.objective(), problem.batch()
    start, back = ravel_pytree(problem.start())
    first = np.asarray(start)
    value_and_grad = jax.jit(jax.value_and_grad(lambda theta, batch: objective(back(theta), batch)))

    def run() -> np.ndarray:
        values: list[float] = []

        def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, grad = value_and_grad(theta, batch)
            values.append(float(value))
            if values[-1] <= target:
                raise _ReachedError
            return values[-1], np.asarray(grad)

        limits = {"maxiter": problem.vector_steps, "maxfun": 2 * problem.vector_steps, "ftol": 0.0, "gtol": 0.0}
        with suppress(_ReachedError):
            minimize(function, first, jac=True, method="L-BFGS-B", options=limits)
        return np.minimum.accumulate(values)

    return run


def torch_lbfgs(count: int) -> Make:
    """`torch.optim.LBFGS` with its strong Wolfe line search."""

    def make(problem: Race) -> Callable[[], np.ndarray]:
        import torch

        target, _ = goal(problem.data_set, problem.adam_steps)
        x, y = map(torch.from_numpy, problem.data())
        layers = problem.start()

        def run() -> np.ndarray:
            torch.set_num_threads(count)
            leaves = [torch.tensor(np.asarray(leaf), requires_grad=True) for leaf in jax.tree.leaves(layers)]
            w1, b1, w2, b2 = leaves
            method = torch.optim.LBFGS(
                leaves,
                max_iter=problem.vector_steps,
                max_eval=2 * problem.vector_steps,
                tolerance_grad=0.0,
                tolerance_change=0.0,
                line_search_fn="strong_wolfe",
            )
            values: list[float] = []

            def closure() -> Any:
                method.zero_grad()
                outputs = torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2)
                loss = ((y - outputs) ** 2).mean()
                if problem.penalty:
                    loss = loss + 0.5 * problem.penalty * sum((leaf**2).sum() for leaf in leaves)
                values.append(loss.item())
                if values[-1] <= target:
                    raise _ReachedError
                loss.backward()
                return loss

            with suppress(_ReachedError):
                method.step(closure)
            return np.minimum.accumulate(values)

        return run

    return make


class _ReachedError(Exception):
    """Ends a run at the goal."""


def finite(values: Any) -> np.ndarray:
    """J up to the last step."""
    found = np.asarray(values)
    return found[~np.isnan(found)]


def over_goal(problem: Race, values: np.ndarray) -> float:
    """The last J over the goal."""
    return float(values[-1]) / goal(problem.data_set, problem.adam_steps)[0]


def curve(problem: Race, values: np.ndarray) -> dict[str, list[float]]:
    """What the report keeps of a run: shares of its steps, denser at its start, and there J over the goal, less 1."""
    target, _ = goal(problem.data_set, problem.adam_steps)
    last = max(len(values) - 1, 1)
    steps = np.unique(np.geomspace(1, last, DRAWN).astype(int).clip(0, len(values) - 1))
    above = values[steps] / target - 1
    return {"shares": [_short(x) for x in steps / last], "above_goal": [_short(x) for x in above]}


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def of_ours(optimiser: Callable[[], Optimiser], *, matrix: bool) -> dict[str, Make]:
    return dict(threads(double(minimised(optimiser, matrix=matrix))))


STRAIGHT = partial(optimisers.levenberg_marquardt, geodesic=False)
GEODESIC = partial(optimisers.levenberg_marquardt, geodesic=True)

QUESTION = Question(
    name="race",
    title="Seconds to the loss that Adam has after its whole budget, in double precision",
    unit="run",
    witness_name="J / goal",
    problems=problems,
    witness=over_goal,
    contenders=(
        Contender("levenberg_marquardt", "one jit", of_ours(STRAIGHT, matrix=True)),
        Contender("levenberg_marquardt, geodesic", "one jit", of_ours(GEODESIC, matrix=True), None, True),
        Contender("newton", "trust region, mlp_hessian; one jit", of_ours(newton, matrix=True), None, True),
        Contender(
            "gauss_newton", "with line search; one jit", of_ours(optimisers.gauss_newton, matrix=True), None, True
        ),
        Contender("newton_cg", "one jit", of_ours(optimisers.newton_cg, matrix=True), None, True),
        Contender("lbfgs", "strong Wolfe; one jit", of_ours(optimisers.lbfgs, matrix=False)),
        Contender("adam", "best of five rates; one jit", double(adam)),
        Contender("scipy L-BFGS-B", "value and gradient jitted", dict(threads(double(scipy_lbfgs))), "scipy"),
        Contender("torch LBFGS", "strong_wolfe", {"1 thread": torch_lbfgs(1), "2 threads": torch_lbfgs(2)}, "torch"),
    ),
    rounds=7,
    curve=curve,
)
