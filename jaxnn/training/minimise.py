"""`minimise`: all data in every step, one compiled loop, until J cannot be reduced further.

    until a rule of `Stop` holds:  θ ← θ + update(∇J(θ), …)

For second-order methods (Newton, Gauss-Newton, Levenberg-Marquardt, quasi-Newton); other optimisers run too, with full
batches. It is pure, so it can be jitted, and vmapped over starts.
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
from jaxtyping import Array

from jaxnn import checks, structure, tree
from jaxnn.derivatives import rounding
from jaxnn.objective import Objective, evaluate, names, split
from jaxnn.once import Once
from jaxnn.optimisers import newton, protocol
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import promise
from jaxnn.training import inputs, stopping
from jaxnn.training.chunked_objective import Chunked
from jaxnn.training.nested_states import report
from jaxnn.training.solution import Solution, Trajectory
from jaxnn.training.stopping import Stop
from jaxnn.types import Batch, OptimiserLike, OptState, Params

DEFAULT = newton(method="trust_region")
UNBOUNDED = 1e-6  # in units of the largest number: a J that far below 0 is unbounded below
ROWS_COMPARED = 3  # to check that predict works row by row


class _Run(NamedTuple):
    params: Params
    opt_state: OptState
    value: Array
    grad: Any
    steps: Array
    watch: stopping.Watch


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
    """Minimises J on a whole data set.

    The first call with an objective and an optimiser compiles a program for their structure and the shapes of the data;
    other numbers, such as damping, penalties and tolerances, compile nothing. Under jit and vmap there are no checks or
    warnings, and `stop` is a `Stop`.

    Args:
        objective: J(params, batch), an `Objective` or any function that returns a scalar. Gauss-Newton methods need an
            `Objective` whose `predict` computes each row independently.
        params: the start: any pytree of floating-point arrays, or one flat array.
        batch: (inputs, targets) or (inputs, targets, weight). Integer inputs are cast to the parameters' dtype unless
            predict takes them as indices. A plain J gets the batch unchanged.
        optimiser: the method; by default `optimisers.newton(method="trust_region")`.
        max_steps: whole number ≥ 1.
        gradient_tolerance: ≥ 0; the run ends when ‖∇J‖₂ ≤ gradient_tolerance. With 0, a method that predicts its
            reduction continues for as long as steps are meaningful in this precision.
        goal: the run ends when J ≤ goal; by default there is no goal.
        rows_at_once: J and its gradient are summed over this many rows at a time, which gives the same J with less
            memory.
        key: a PRNG key for an objective with an argument `key` (dropout); every evaluation gets the same.

    Returns:
        A `Solution`. Divergence raises no exception: `stop` says so. L-BFGS and BFGS predict no reduction of J, so at
        the end a Newton step decides whether they converged, if JAX can differentiate J twice.

    Raises:
        ValueError: the start is not finite, parameters are integers, shapes or labels do not fit, the objective is not
            a scalar, the optimiser needs an `Objective`, or `predict` mixes rows.
        TypeError: arguments have the wrong type.
    """
    optimiser = DEFAULT if optimiser is None else optimiser
    checks.whole(1, max_steps=max_steps)
    checks.non_negative(gradient_tolerance=gradient_tolerance)
    if not isinstance(optimiser, OptimiserLike):
        raise TypeError(
            f"optimiser must have init and update, such as optimisers.levenberg_marquardt(), got {optimiser!r}."
        )
    here = jnp.zeros(())  # a tracer under jit, even if all arguments are constants
    if not _traced((params, batch, gradient_tolerance, goal, key, here)):
        if goal is None or math.isnan(float(goal)):
            raise ValueError(f"goal must be a number, the value of J to reach, or be left out, got {goal!r}.")
        checks.non_negative(gradient_tolerance=float(gradient_tolerance))
        params, batch = _checked(objective, params, batch, optimiser, key)
    if rows_at_once is not None:
        checks.whole(1, rows_at_once=rows_at_once)
        if key is not None and isinstance(objective, Objective) and names(objective.predict, "key"):
            raise ValueError(
                "rows_at_once does not work with a predict that uses `key`, because every chunk would draw the same"
                " random numbers: leave out rows_at_once or key."
            )
        objective = Chunked.of(objective, rows_at_once)
    made = structure.split((objective, optimiser))
    structure.watch(made, stacklevel=2)
    solution = _run(made, int(max_steps), params, batch, stopping.Limits(gradient_tolerance, goal), key)
    return solution if _traced(solution) else _described(solution, float(gradient_tolerance))


def _run(made: Any, max_steps: int, params: Params, batch: Any, limits: stopping.Limits, key: Any) -> Solution:
    """The run, as four programs: compiled together, each evaluation of J outside the loop would be a further copy."""
    value, grad = _evaluated(made, params, batch, key)
    start = _begun(made, params, value, grad, limits)
    end, trajectory = _iterated(made, max_steps, start, batch, limits, key)
    solution = _concluded(end, trajectory, *_evaluated(made, _moved(end.params), batch, key))
    if _modelled(end) or not (_traced(solution.stop) or bool(stopping.in_question(solution.stop))):
        return solution
    return _audited(made, solution, end.grad, batch, key)


@Once
def _evaluated(made: Any, params: Params, batch: Any, key: Any) -> tuple[Array, Params]:
    """J and ∇J."""
    objective, _ = structure.restore(made)
    return jax.value_and_grad(lambda p: evaluate(objective, p, batch, key))(params)


@Once
def _begun(made: Any, params: Params, value: Array, grad: Params, limits: stopping.Limits) -> _Run:
    """The run before its first step."""
    _, optimiser = structure.restore(made)
    state = _strong(optimiser.init(params))
    watch = stopping.begin(value, grad, report(state), limits)
    return _Run(params, state, value, grad, jnp.zeros((), jnp.int32), watch)


@partial(jax.jit, static_argnums=1)
def _iterated(
    made: Any, max_steps: int, start: _Run, batch: Any, limits: stopping.Limits, key: Any
) -> tuple[_Run, Trajectory]:
    """The run after its last step, and its history."""
    objective, optimiser = structure.restore(made)

    def value_fn(p: Params) -> Array:
        return evaluate(objective, p, batch, key)

    def step(state: tuple[_Run, Trajectory]) -> tuple[_Run, Trajectory]:
        run, trajectory = state
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
        value, grad = jax.value_and_grad(value_fn)(arrived)
        finite = jnp.isfinite(value) & tree.all_finite(grad) & tree.all_finite(arrived)
        finite &= value > -UNBOUNDED * jnp.finfo(value.dtype).max
        reported = report(opt_state)
        steps = run.steps + 1
        watch = stopping.decide(
            run.watch,
            reported,
            before=(run.params, run.value),
            after=(arrived, value),
            grad=grad,
            finite=finite,
            steps=steps,
            limits=limits,
            max_steps=max_steps,
        )
        trajectory = _recorded(trajectory, steps, value, grad, reported)
        # a step that diverged is not taken: the last finite parameters remain
        params, value, grad = tree.select(finite, (arrived, value, grad), (run.params, run.value, run.grad))
        return _Run(params, _strong(opt_state), value, grad, steps, watch), trajectory

    empty = Trajectory(*[jnp.full(max_steps + 1, jnp.nan, start.value.dtype)] * len(Trajectory._fields))
    trajectory = _recorded(empty, 0, start.value, start.grad, None)
    return jax.lax.while_loop(lambda state: state[0].watch.code == stopping.GOING_ON, step, (start, trajectory))


@Once
def _moved(params: Params) -> Params:
    """The parameters, each changed by a rounding error."""
    return jax.tree.map(lambda leaf: leaf + rounding.offset(leaf), params)


@Once
def _concluded(end: _Run, trajectory: Trajectory, value_nearby: Array, grad_nearby: Params) -> Solution:
    """The solution, given J and ∇J where every parameter is changed by a rounding error."""
    return Solution(
        params=end.params,
        value=end.value,
        gradient_norm=tree.norm(end.grad),
        steps=end.steps,
        stop=Stop(end.watch.code),
        history=trajectory,
        value_error=jnp.abs(value_nearby - end.value),
        gradient_error=tree.norm(jax.tree.map(jnp.subtract, grad_nearby, end.grad)),
        state=end.opt_state,
    )


def _modelled(end: _Run) -> bool:
    """Whether the run needs no audit: its optimiser makes no report, or one that predicts the reduction of J."""
    reported = report(end.opt_state)
    return reported is None or reported.promised is not None


@jax.jit
def _audited(made: Any, solution: Solution, grad: Params, batch: Any, key: Any) -> Solution:
    """The solution of a method without a model, with the verdict of a Newton step, where J has second derivatives."""
    objective, _ = structure.restore(made)

    def value_fn(p: Params) -> Array:
        return evaluate(objective, p, batch, key)

    if not _twice_differentiable(value_fn, solution.params):
        return solution
    promised = partial(_promised, value_fn, solution.params, grad)
    none = jnp.zeros((), solution.gradient_norm.dtype)
    left = jax.lax.cond(stopping.in_question(solution.stop), promised, lambda: none)
    bound = rounding.bound(solution.value, solution.value_error)
    return solution._replace(stop=stopping.audited(solution.stop, left, bound))


def _twice_differentiable(value_fn: Callable[[Params], Array], params: Params) -> bool:
    """Whether JAX can differentiate J twice, which fails if its gradient comes from a callback."""
    try:
        jax.eval_shape(lambda p: jax.jvp(jax.grad(value_fn), (p,), (p,)), params)
    except (TypeError, ValueError, NotImplementedError):  # not from J or its gradient, which have been traced before
        return False
    return True


def _promised(value_fn: Callable[[Params], Array], params: Params, grad: Params) -> Array:
    """The reduction of a Newton step, found by conjugate gradients with Hessian-vector products."""
    _, push = jax.linearize(jax.grad(value_fn), params)
    g, unravel = ravel_pytree(tree.widen(grad))
    product = lambda v: ravel_pytree(tree.widen(push(tree.cast_like(unravel(v), params))))[0]
    return promise.by_products(product, g, jnp.ones_like(g))


def _traced(values: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def _recorded(trajectory: Trajectory, step: Any, value: Array, grad: Any, reported: Report | None) -> Trajectory:
    known = (value, tree.norm(grad))
    rest: tuple[Array, ...] = ()
    if reported is not None:
        rest = (reported.damping, reported.gain_ratio, reported.predicted_reduction, reported.evaluations)
    pairs = zip(trajectory, (*known, *rest), strict=False)
    columns = [column.at[step].set(x.astype(column.dtype)) for column, x in pairs]
    return Trajectory(*columns, *trajectory[len(columns) :])


def _strong(state: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), state)


def _checked(
    objective: Callable[..., Any], params: Params, batch: Any, optimiser: OptimiserLike, key: Any
) -> tuple[Params, Any]:
    """Parameters and data as device arrays, after all checks that a compiled loop cannot make."""
    if isinstance(objective, Objective) and key is not None and names(objective.predict, "key"):
        objective = replace(objective, predict=partial(objective.predict, key=key))
    params = jax.tree.map(jnp.asarray, params)
    if isinstance(objective, Objective):
        batch = inputs.real_inputs(objective, params, inputs.on_device(batch, "data"))
    else:
        batch = jax.tree.map(jnp.asarray, batch)
    inputs.rehearse(objective, params, batch, "data")
    value = jax.eval_shape(lambda p, b: evaluate(objective, p, b, key), params, batch)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"The objective must return a floating-point number, got {value.dtype}.")
    reported = report(jax.eval_shape(optimiser.init, params))
    narrow = min(jnp.finfo(leaf.dtype).bits for leaf in (value, *jax.tree.leaves(params))) < 64
    if reported is not None and narrow:
        warnings.warn(
            "float32: second-order methods stop once rounding hides any change of J, at about four correct digits of"
            " the parameters; value_error and gradient_error of the solution give the exact limits. For fourteen"
            " digits use float64: make the parameters and data, and call minimise, within `with jax.enable_x64(True)`.",
            stacklevel=3,
        )
    if isinstance(objective, Objective) and protocol.is_row_by_row(optimiser):
        _check_rows(objective, params, batch)
    return params, batch


def _check_rows(objective: Objective, params: Params, batch: Batch) -> None:
    """Refuses a predict whose rows depend on each other, because Gauss-Newton's Jacobian is computed row by row."""
    x = split(batch)[0]
    few = jax.tree.map(lambda part: part[:ROWS_COMPARED], x)
    one = jax.tree.map(lambda part: part[:1], x)
    together, alone = _outputs(objective, params, few), _outputs(objective, params, one)
    if alone.shape != (1, *together.shape[1:]):
        raise ValueError(
            f"predict must return one row for each row of x, but for 1 row it returned shape {alone.shape}."
        )
    a, b = np.asarray(together[:1], np.float64), np.asarray(alone, np.float64)
    rounding = 1e4 * float(jnp.finfo(together.dtype).eps) * max(1.0, float(np.nan_to_num(np.abs(b)).max()))
    if not np.allclose(a, b, rtol=0, atol=rounding, equal_nan=True):
        raise ValueError(
            "predict must compute each row independently, but the first row's outputs depend on the other rows "
            f"({a.ravel()[0]:.6g} and {b.ravel()[0]:.6g}). Use newton or lbfgs, which do not need this."
        )


@Once
def _outputs(objective: Objective, params: Params, x: Any) -> Array:
    return objective.outputs(params, x)


def _described(solution: Solution, gradient_tolerance: float) -> Solution:
    """The solution with the stop reason as a sentence, and the history cut to the length of the run."""
    steps = int(solution.steps)
    if steps == 0 and int(solution.stop.code) == stopping.DIVERGED:
        raise ValueError(
            f"The start is not finite: J = {float(solution.value):.6g}, and the gradient's norm is "
            f"{float(solution.gradient_norm):.6g}. Start from parameters where both are finite."
        )
    reason = stopping.describe(
        solution.stop,
        steps=steps,
        gradient_norm=float(solution.gradient_norm),
        gradient_tolerance=gradient_tolerance,
    )
    # Cut by NumPy: JAX would compile a slice for every number of steps.
    history = Trajectory(*(jnp.asarray(np.asarray(column)[: steps + 1]) for column in solution.history))
    return solution._replace(stop=reason, history=history)
