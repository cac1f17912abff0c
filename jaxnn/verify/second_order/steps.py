"""What a Newton step is: exact on quadratics, the same in any coordinates, and quadratic in its convergence.

    one step            θ - H⁻¹∇J is the minimum of a quadratic, whatever its condition
    affine invariance   J(A φ) from φ₀ = A⁻¹θ₀: A φₖ = θₖ for all k. The gradient's steps are other ones
    units               2ᵏ J, and parameters that are 2ᵏ and 2⁻ᵏ times as large: the very same steps, to the last bit
    order q             ‖θₖ₊₁ - θ*‖ = O(‖θₖ - θ*‖^q); estimated by log(eₖ₊₁/eₖ) / log(eₖ/eₖ₋₁): 2 for Newton

References:
    Boyd & Vandenberghe, Convex Optimization, 2004, section 9.5.1 (affine invariance).
    Nocedal & Wright, Numerical Optimization, 2006, theorem 3.5 (quadratic convergence).
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import losses, optimisers, tree
from jaxnn.objective import Objective
from jaxnn.optimisers import protocol
from jaxnn.types import Batch, OptimiserLike
from jaxnn.verify.compiling import quick_to_compile
from jaxnn.verify.table import FAILED, HOLDS, Row, verdict_of

N = 8
CONDITION = 1e3
DRAWS = 10
EXACT = 1e-11  # CONDITION roundings and a margin
INVARIANT = 1e-9  # after six steps, each of which solves with a matrix whose condition A makes about 1e4
AWAY = 0.01  # how far gradient descent must be from itself in other coordinates
ORDER = 0.2  # that an estimate from two steps may be off

EXACT_METHODS: Mapping[str, Callable[[], OptimiserLike]] = MappingProxyType(
    {
        'newton("pure")': partial(optimisers.newton, method="pure"),
        'newton("line_search")': partial(optimisers.newton, method="line_search"),
        "gauss_newton": optimisers.gauss_newton,
    }
)
Newton = Callable[[], OptimiserLike]
UNITS: Mapping[str, Callable[[], OptimiserLike]] = MappingProxyType(
    {
        "newton": optimisers.newton,
        'newton("cubic")': partial(optimisers.newton, method="cubic"),
        'newton("line_search")': partial(optimisers.newton, method="line_search"),
        "gauss_newton": optimisers.gauss_newton,
        'levenberg_marquardt(scale="diagonal")': partial(optimisers.levenberg_marquardt, scale="diagonal"),
        "saddle_free_newton": optimisers.saddle_free_newton,
    }
)
POWER = 40  # of 2: 24 decades from 2⁻⁴⁰ to 2⁴⁰


def path(optimiser: OptimiserLike, objective: Callable[..., Any], params: Any, batch: Batch, steps: int) -> Any:
    """The parameters after each step from `params`, stacked, the start included."""

    def value_fn(params: Any) -> Any:
        return objective(params, batch)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        value, grad = jax.value_and_grad(value_fn)(params)
        extra = dict(value=value, grad=grad, value_fn=value_fn, objective=objective, batch=batch)
        updates, state = protocol.update(optimiser, grad, state, params, **extra)
        params = tree.add(params, updates)
        return (params, state), params

    after = jax.lax.scan(step, (params, optimiser.init(params)), length=steps)[1]
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), params, after)


def one_step(methods: Mapping[str, Callable[[], OptimiserLike]] = EXACT_METHODS) -> list[Row]:
    """One step from anywhere to the minimum of a quadratic: mean (xᵀθ - y)² with a design of known condition."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(DRAWS, N, N)))[0] for _ in range(2))
    design = left * np.geomspace(1, CONDITION**-0.5, N) @ right
    solution, start = rng.normal(size=(2, DRAWS, N))
    y = np.einsum("dij,dj->di", design, solution)
    objective = Objective(lambda theta, x: x @ theta, losses.squared_error)

    @partial(jax.jit, compiler_options=quick_to_compile())
    def after(start: Any, design: Any, y: Any) -> Any:
        def one(make: Callable[[], OptimiserLike], *drawn: Any) -> Any:
            start, x, y = drawn
            return path(make(), objective, start, (x, y), 1)[-1]

        return {name: jax.vmap(partial(one, make))(start, design, y) for name, make in methods.items()}

    how = f"{DRAWS} quadratics of {N} parameters, condition {CONDITION:g}, one step"
    rows = []
    for name, theta in after(start, design, y).items():
        worst = _relative(np.asarray(theta), solution)
        verdict = verdict_of(worst, EXACT, otherwise="the step does not end at the minimum", passed=HOLDS)
        rows.append(_row(name, "the minimum", how, 1, verdict))
    return rows


def _logistic(theta: Any, batch: Batch) -> Any:
    """A smooth convex function that is no quadratic: logistic regression with a little weight decay."""
    x, y = batch
    return losses.sigmoid_cross_entropy((x @ theta)[:, None], y[:, None]).mean() + 0.05 * jnp.sum(theta**2)


def _data() -> tuple[Any, Batch]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4))
    y = (x @ rng.normal(size=4) + rng.normal(size=40) > 0).astype(float)
    return jnp.asarray(0.3 * rng.normal(size=4)), (jnp.asarray(x), jnp.asarray(y))


def units(methods: Mapping[str, Newton] = UNITS) -> list[Row]:
    """Six steps of a decay in other units, of y and of each parameter: powers of 2 change no rounding."""
    t = jnp.linspace(0, 3, 20)
    start, steps = jnp.asarray([1.0, 1.0, 0.25]), 6
    how = f"a decay, {steps} steps, units of y over 24 decades, of the parameters over 48"

    @partial(jax.jit, static_argnums=0, compiler_options=quick_to_compile())
    def after(make: Newton, unit: Any, each: Any) -> Any:
        def predict(p: Any, t: Any) -> Any:
            p = p / each
            return unit * (p[0] * jnp.exp(-p[1] * t) + p[2])

        y = unit * (2 * jnp.exp(-1.3 * t) + 0.5 + 0.01 * jnp.cos(50 * t))
        return path(make(), Objective(predict, losses.squared_error), start * each, (t, y), steps) / each

    rows = []
    for name, make in methods.items():
        plain = np.asarray(after(make, 1.0, jnp.ones(3)))
        off = 0.0
        for power in (-POWER, POWER):
            other = 2.0 ** jnp.asarray([power, 0, -power])
            for path_there in (after(make, 2.0**power, jnp.ones(3)), after(make, 1.0, other)):
                off = max(off, _relative(np.asarray(path_there), plain))
        verdict = verdict_of(off, 0.0, otherwise="the steps change with the units", passed=HOLDS)
        rows.append(_row(name, "the same in any units", how, steps, verdict))
    return rows


def invariance(newton: Newton, gradient: Newton) -> list[Row]:
    """The same path in other coordinates, θ = A φ; and another one by gradient descent.

    Args:
        newton: makes the method that does not see the coordinates.
        gradient: makes one that does.
    """
    start, batch = _data()
    a = np.random.default_rng(2).normal(size=(4, 4)) * np.geomspace(1, 30, 4)
    steps = 6

    @partial(jax.jit, compiler_options=quick_to_compile())
    def both(start: Any, a: Any) -> Any:
        def in_coordinates(phi: Any, batch: Batch) -> Any:
            return _logistic(a @ phi, batch)

        found = []
        for make in (newton, gradient):
            plain = path(make(), _logistic, start, batch, steps)
            other = path(make(), in_coordinates, jnp.linalg.solve(a, start), batch, steps)
            found.append((plain, other @ a.T))
        return found

    worst = [_relative(np.asarray(other), np.asarray(plain)) for plain, other in both(start, jnp.asarray(a))]
    how = f"logistic regression, θ = A φ, {steps} steps"
    verdict = verdict_of(worst[0], INVARIANT, otherwise="the paths part", passed=HOLDS)
    away = {"worst": worst[1], "expected": f"more than {AWAY}", "verdict": HOLDS, "why": ""}
    if not worst[1] > AWAY:
        away |= {"verdict": FAILED, "why": "gradient descent does not see the coordinates: the test says nothing"}
    return [
        _row('newton("pure")', "itself in other coordinates", how, steps, verdict),
        _row("sgd", "itself in other coordinates: is another path", how, steps, away),
    ]


def order(newton: Newton) -> tuple[list[Row], list[str]]:
    """The measured order of convergence, and the digits after each step as a remark.

    Args:
        newton: makes the method.
    """
    start, batch = _data()
    steps = 12
    run = jax.jit(lambda start: path(newton(), _logistic, start, batch, steps), compiler_options=quick_to_compile())
    points = np.asarray(run(start))
    errors = np.linalg.norm(points - points[-1], axis=1) / np.linalg.norm(points[-1])
    digits = np.maximum(-np.log10(np.maximum(errors, 1e-16)), 0)
    rates = [
        np.log(c / b) / np.log(b / a) for a, b, c in zip(errors, errors[1:], errors[2:], strict=False) if c > 1e-14
    ]
    measured = float(rates[-1]) if rates else float("nan")
    verdict = verdict_of(
        abs(measured - 2) if rates else np.inf, ORDER, otherwise=f"the order is {measured:.2f}", passed=HOLDS
    )
    used = next((k for k, error in enumerate(errors) if error <= 1e-14), steps)
    table = ", ".join(f"{digit:.1f}" for digit in digits[: used + 1])
    how = f"logistic regression: order {measured:.2f} from the last steps above rounding"
    remark = f'Digits after each step of newton("pure"), logistic regression: {table}.'
    return [_row('newton("pure")', "order 2", how, used, verdict)], [remark]


def _relative(found: np.ndarray, expected: np.ndarray) -> float:
    apart = np.abs(found - expected).max() / np.abs(expected).max()
    return float(apart) if np.isfinite(apart) else np.inf


def _row(rule: str, reference: str, mapping: str, steps: int, found: dict[str, Any]) -> Row:
    return Row("newton", rule, reference, mapping, steps, **found)
