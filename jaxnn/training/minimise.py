"""`minimise`: the whole data at every step, one compiled loop, until nothing is left to gain.

    until a rule of `Stop` holds:  θ ← θ + update(∇J(θ), …)

For methods that evaluate the objective themselves (Newton's family, Gauss-Newton, Levenberg-Marquardt, quasi-Newton);
any other optimiser runs in it as well, with full batches. It is pure: jit it, vmap it over starts.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from jaxnn import checks, structure, tree
from jaxnn.derivatives import rounding
from jaxnn.objective import Objective, evaluate, names, split
from jaxnn.once import Once
from jaxnn.optimisers import newton, protocol
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise
from jaxnn.training import prepare, stopping
from jaxnn.training.chunked_objective import Chunked
from jaxnn.training.stopping import Stop
from jaxnn.types import Batch, OptimiserLike, OptState, Params

DEFAULT = newton(method="trust_region")
ENDLESS = 1e-6  # times the largest number: a J that is so far below 0 falls without an end
ROWS_COMPARED = 3  # of a predict that is to work row by row


class Path(NamedTuple):
    """What happened at every step: arrays of shape (steps + 1,), the start first; nan where there is nothing to tell.

    Under jit or vmap they have shape (max_steps + 1,), nan after the last step.
    """

    value: Float[Array, "*steps"]  # J
    gradient_norm: Float[Array, "*steps"]  # ‖∇J‖₂
    damping: Float[Array, "*steps"]  # λ, σ or trust radius after the step
    gain_ratio: Float[Array, "*steps"]  # of the step that led here
    predicted_reduction: Float[Array, "*steps"]  # likewise
    evaluations: Float[Array, "*steps"]  # of J, gradients and products within that step, beyond one value and gradient


class Solution(NamedTuple):
    """Where a minimisation ended."""

    params: Params
    value: Float[Array, "*starts"]  # J there
    gradient_norm: Float[Array, "*starts"]  # ‖∇J‖₂ there
    steps: Int[Array, "*starts"]  # taken
    stop: Any  # why it ended: words, or a `Stop` under jit and vmap, whose `words()` tell afterwards
    history: Path
    value_error: Float[Array, "*starts"]  # by which J changes when every parameter is off by a rounding
    gradient_error: Float[Array, "*starts"]  # by which ∇J does, its norm: what lies below is not decidable
    state: OptState  # the optimiser's


class _Run(NamedTuple):
    params: Params
    opt_state: OptState
    value: Array
    grad: Any
    steps: Array
    watch: stopping.Watch
    path: Path


def minimise(
    objective: Callable[..., Any],
    params: Params,
    batch: Any,
    optimiser: OptimiserLike | None = None,
    *,
    max_steps: int = 1000,
    gradient_tolerance: Any = 0.0,
    goal: Any = -math.inf,
    rows_at_once: int | None = None,
    key: Any = None,
) -> Solution:
    """Minimises J on the whole of a data set.

    The first call with an objective and an optimiser compiles a program for their structure and the shapes of the data;
    other numbers, such as damping, penalties and tolerances, compile nothing. Inside jit and vmap nothing is checked or
    warned of, and `stop` is a `Stop`.

    Args:
        objective: J(params, batch), an `Objective` or any function giving a scalar. Gauss-Newton methods need the
            `Objective`, with a `predict` that takes each row on its own.
        params: where to start: any pytree of floating-point arrays, one flat array included.
        batch: (inputs, targets) or (inputs, targets, weight), a table of whole numbers as inputs being cast to the
            parameters' dtype unless predict takes them as indices; whatever a plain J takes, as it is.
        optimiser: by default `optimisers.newton(method="trust_region")`.
        max_steps: whole number ≥ 1.
        gradient_tolerance: ≥ 0; ends the run when ‖∇J‖₂ is not above it. With 0, a method that knows its predicted
            reduction goes on for as long as steps mean anything in this precision.
        goal: ends the run when J is not above it; by default there is none.
        rows_at_once: J and its gradient are summed over so many rows at a time, exactly, in the memory of those.
        key: for an objective that names one (dropout); the same for every evaluation.

    Returns:
        A `Solution`. Divergence is no exception: `stop` says so. L-BFGS and BFGS, which have no model of J to judge
        convergence by, are judged at the end by a Newton step, where jax can differentiate J twice.

    Raises:
        ValueError: a start that is not finite, integer parameters, shapes or labels that do not fit, an objective that
            is no scalar or lacks the split that the optimiser needs, a predict that mixes rows.
        TypeError: arguments of the wrong kind.
    """
    optimiser = DEFAULT if optimiser is None else optimiser
    checks.whole(1, max_steps=max_steps)
    checks.non_negative(gradient_tolerance=gradient_tolerance)
    if not isinstance(optimiser, OptimiserLike):
        raise TypeError(
            f"optimiser must have init and update, as optimisers.levenberg_marquardt() has; got {optimiser!r}."
        )
    here = jnp.zeros(())  # a tracer under jit, whatever was handed over
    if not _traced((params, batch, gradient_tolerance, goal, key, here)):
        if goal is None or math.isnan(float(goal)):
            raise ValueError(f"goal must be a number, the J to be reached, or left out; got {goal!r}.")
        checks.non_negative(gradient_tolerance=float(gradient_tolerance))
        params, batch = _checked(objective, params, batch, optimiser, key)
    if rows_at_once is not None:
        checks.whole(1, rows_at_once=rows_at_once)
        if key is not None and isinstance(objective, Objective) and names(objective.predict, "key"):
            raise ValueError(
                "rows_at_once with a predict that draws by `key` would draw for each chunk what it draws for the whole "
                "data: leave out one of the two."
            )
        objective = Chunked.of(objective, rows_at_once)
    made = structure.split((objective, optimiser))
    structure.watch(made, stacklevel=2)
    solution = _run(made, int(max_steps), params, batch, stopping.Limits(gradient_tolerance, goal), key)
    return solution if _traced(solution) else _told(solution, float(gradient_tolerance))


@partial(jax.jit, static_argnums=1)
def _run(made: Any, max_steps: int, params: Params, batch: Any, limits: stopping.Limits, key: Any) -> Solution:
    objective, optimiser = structure.restore(made)

    def value_fn(p: Params) -> Array:
        return evaluate(objective, p, batch, key)

    value_and_grad = jax.value_and_grad(value_fn)

    def step(run: _Run) -> _Run:
        updates, opt_state = protocol.update(
            optimiser,
            run.grad,
            run.opt_state,
            run.params,
            value=run.value,
            grad=run.grad,
            value_fn=value_fn,
            objective=objective,
            batch=batch,
            key=key,
        )
        arrived = tree.add(run.params, updates)
        value, grad = value_and_grad(arrived)
        finite = jnp.isfinite(value) & tree.all_finite(grad) & tree.all_finite(arrived)
        finite &= value > -ENDLESS * jnp.finfo(value.dtype).max
        told = report(opt_state)
        steps = run.steps + 1
        watch = stopping.decide(
            run.watch,
            told,
            before=(run.params, run.value),
            after=(arrived, value),
            grad=grad,
            finite=finite,
            steps=steps,
            limits=limits,
            max_steps=max_steps,
        )
        path = _recorded(run.path, steps, value, grad, told)
        # what has diverged is not arrived at: the last finite parameters are what there is
        params, value, grad = tree.select(finite, (arrived, value, grad), (run.params, run.value, run.grad))
        return _Run(params, _strong(opt_state), value, grad, steps, watch, path)

    value, grad = value_and_grad(params)
    start_state = _strong(optimiser.init(params))
    empty = jnp.full(max_steps + 1, jnp.nan, value.dtype)
    start = _Run(
        params=params,
        opt_state=start_state,
        value=value,
        grad=grad,
        steps=jnp.zeros((), jnp.int32),
        watch=stopping.begin(value, grad, report(start_state), limits),
        path=_recorded(Path(*[empty] * len(Path._fields)), 0, value, grad, None),
    )
    end = jax.lax.while_loop(lambda run: run.watch.code == stopping.GOING_ON, step, start)
    moved = jax.tree.map(lambda leaf: leaf + rounding.offset(leaf), end.params)
    other_value, other_grad = value_and_grad(moved)
    value_error, stop = jnp.abs(other_value - end.value), Stop(end.watch.code)
    told = report(end.opt_state)
    if told is not None and told.promised is None and _twice_differentiable(value_fn, end.params):
        promised = partial(_promised, value_fn, end.params, end.grad)
        left = jax.lax.cond(stopping.in_question(stop), promised, lambda: jnp.zeros((), tree.norm(end.grad).dtype))
        stop = stopping.audited(stop, left, rounding.bound(end.value, value_error))
    return Solution(
        params=end.params,
        value=end.value,
        gradient_norm=tree.norm(end.grad),
        steps=end.steps,
        stop=stop,
        history=end.path,
        value_error=value_error,
        gradient_error=tree.norm(jax.tree.map(jnp.subtract, other_grad, end.grad)),
        state=end.opt_state,
    )


def _twice_differentiable(value_fn: Callable[[Params], Array], params: Params) -> bool:
    """Whether jax can differentiate J twice: not where its gradient is a program of the user's own, called back."""
    try:
        jax.eval_shape(lambda p: jax.jvp(jax.grad(value_fn), (p,), (p,)), params)
    except (TypeError, ValueError, NotImplementedError):  # J and its gradient have been traced without one
        return False
    return True


def _promised(value_fn: Callable[[Params], Array], params: Params, grad: Params) -> Array:
    """What a Newton step would gain, by conjugate gradients on products with the Hessian."""
    _, push = jax.linearize(jax.grad(value_fn), params)
    g, unravel = ravel_pytree(tree.widen(grad))
    product = lambda v: ravel_pytree(tree.widen(push(tree.cast_like(unravel(v), params))))[0]
    return promise.by_products(product, g, jnp.ones_like(g))


def _traced(values: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def report(opt_state: OptState) -> Report | None:
    """The report within an optimiser's state, the first one found; None for a rule that makes none."""
    found = [leaf for leaf in jax.tree.leaves(opt_state, is_leaf=_is_report) if _is_report(leaf)]
    return found[0] if found else None


def _is_report(node: Any) -> bool:
    return isinstance(node, Report)


def _recorded(path: Path, step: Any, value: Array, grad: Any, told: Report | None) -> Path:
    known = (value, tree.norm(grad))
    rest = () if told is None else (told.damping, told.gain_ratio, told.predicted_reduction, told.evaluations)
    columns = [column.at[step].set(x.astype(column.dtype)) for column, x in zip(path, (*known, *rest), strict=False)]
    return Path(*columns, *path[len(columns) :])


def _strong(state: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), state)


def _checked(
    objective: Callable[..., Any], params: Params, batch: Any, optimiser: OptimiserLike, key: Any
) -> tuple[Params, Any]:
    """Parameters and data as device arrays, after everything that a compiled loop could not say."""
    if isinstance(objective, Objective) and key is not None and names(objective.predict, "key"):
        objective = replace(objective, predict=partial(objective.predict, key=key))
    params = jax.tree.map(jnp.asarray, params)
    if isinstance(objective, Objective):
        batch = prepare.real_inputs(objective, params, prepare.on_device(batch, "data"))
    else:
        batch = jax.tree.map(jnp.asarray, batch)
    prepare.rehearse(objective, params, batch, "data")
    value = jax.eval_shape(lambda p, b: evaluate(objective, p, b, key), params, batch)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"The objective must be a floating-point number, got {value.dtype}.")
    told = report(jax.eval_shape(optimiser.init, params))
    narrow = min(jnp.finfo(leaf.dtype).bits for leaf in (value, *jax.tree.leaves(params))) < 64
    if told is not None and narrow:
        warnings.warn(
            "float32: second-order methods end where J can no longer be told apart, after about four digits of the "
            "parameters; value_error and gradient_error of the solution say how far. For fourteen digits run in "
            "float64: with jax.enable_x64(True), parameters and data included.",
            stacklevel=3,
        )
    if isinstance(objective, Objective) and protocol.is_row_by_row(optimiser):
        _check_rows(objective, params, batch)
    return params, batch


def _check_rows(objective: Objective, params: Params, batch: Batch) -> None:
    """Refuses a predict whose rows depend on each other: Gauss-Newton's Jacobian is taken row by row."""
    x = split(batch)[0]
    few = jax.tree.map(lambda part: part[:ROWS_COMPARED], x)
    one = jax.tree.map(lambda part: part[:1], x)
    together, alone = _outputs(objective, params, few), _outputs(objective, params, one)
    if alone.shape != (1, *together.shape[1:]):
        raise ValueError(f"predict must give one row for each row of x: for 1 row it gave shape {alone.shape}.")
    a, b = np.asarray(together[:1], np.float64), np.asarray(alone, np.float64)
    rounding = 1e4 * float(jnp.finfo(together.dtype).eps) * max(1.0, float(np.nan_to_num(np.abs(b)).max()))
    if not np.allclose(a, b, rtol=0, atol=rounding, equal_nan=True):
        raise ValueError(
            "predict must take each row on its own: the first row's outputs change with the rows beside it "
            f"({a.ravel()[0]:.6g} and {b.ravel()[0]:.6g}). Use newton or lbfgs, which take J as a whole."
        )


@Once
def _outputs(objective: Objective, params: Params, x: Any) -> Array:
    return objective.outputs(params, x)


def _told(solution: Solution, gradient_tolerance: float) -> Solution:
    """The solution for a person: the reason in words, the history as long as the run."""
    steps = int(solution.steps)
    if steps == 0 and int(solution.stop.code) == stopping.DIVERGED:
        raise ValueError(
            f"The start is not finite: J = {float(solution.value):.6g}, and the gradient's norm is "
            f"{float(solution.gradient_norm):.6g}. Start where both are finite numbers."
        )
    reason = stopping.told(
        solution.stop,
        steps=steps,
        gradient_norm=float(solution.gradient_norm),
        gradient_tolerance=gradient_tolerance,
    )
    return solution._replace(stop=reason, history=Path(*(column[: steps + 1] for column in solution.history)))
