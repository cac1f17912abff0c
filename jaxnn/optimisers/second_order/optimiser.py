"""Turns a method's own arithmetic, (problem, state) -> (step, state), into an optimiser."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from jaxnn import tree
from jaxnn.derivatives import rounding
from jaxnn.optimisers import protocol, report
from jaxnn.optimisers.first_order.gradients import given
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser, Params, Updates

State: TypeAlias = Any  # a NamedTuple that begins with `step` and `learning_rate` and ends with a `Report`
Fields: TypeAlias = dict[str, Any]  # those of a state that are the method's own


def optimiser_of(
    method: str,
    state_type: Callable[..., State],
    step_of: Callable[[Problem, State], tuple[Array, State]],
    start: Callable[[int, Array], Fields] = lambda n, one: {},
    *,
    promised: float | None = jnp.nan,
    row_by_row: bool = False,
    own_gradient: bool = True,
) -> Optimiser:
    """An optimiser from a method's step; it also counts the steps.

    Args:
        method: the method's name in messages.
        state_type: the method's NamedTuple of `step`, `learning_rate`, the fields of its own and `report`.
        step_of: (problem, state) -> (step (n,), state).
        start: (n, 1 in the dtype of the arithmetic) -> the first values of its own fields, n being the number of
            parameters.
        promised: what the first report promises: ∞ if the method leaves a saddle point even if the gradient is 0, None
            if it has no model, otherwise nan.
        row_by_row: whether it computes the outputs row by row, so predict must not mix rows.
        own_gradient: whether it needs ∇J itself; False if a chain may change the gradient.

    Returns:
        An optimiser whose update raises ValueError if parameters or `value_fn` are missing, or the gradient is not that
        of J.
    """

    def init(params: Params) -> State:
        leaves = [tree.wide_dtype(jnp.result_type(leaf)) for leaf in jax.tree.leaves(params)]
        one = jnp.ones((), jnp.result_type(*leaves) if leaves else jnp.float32)
        common = {"step": tree.start(), "learning_rate": one, "report": report.start(one.dtype, promised=promised)}
        return state_type(**common | start(tree.size(params), one))

    def update(
        grads: Updates,
        state: State,
        params: Params = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        objective: Any = None,
        batch: Any = None,
        key: Any = None,
        **extra: Any,
    ) -> tuple[Updates, State]:
        del extra
        given(params, method)
        if value_fn is None:
            raise ValueError(
                f"{method} evaluates the objective, so it needs value_fn: call update(grads, state, params, value=J, "
                "value_fn=params -> J), as training.step, training.fit and training.minimise do."
            )
        grad = grads if grad is None else grad
        if own_gradient and not _same(grads, grad):
            raise ValueError(
                f"{method} needs the gradient of J itself, because its matrix is that of J: in a chain, put no link"
                " that changes gradients before it. For weight decay, add a penalty to J: Objective(predict, loss, "
                "l2(strength))."
            )
        theta, _ = ravel_pytree(tree.widen(params))
        gradient, unravel = ravel_pytree(tree.widen(grads))

        def updates(step: Array) -> Updates:
            return tree.cast_like(unravel(step), grads)

        def value_at(step: Array) -> Array:
            return jnp.asarray(value_fn(tree.add(params, updates(step))), gradient.dtype)

        value = jnp.asarray(value_fn(params) if value is None else value, gradient.dtype)
        moved = value_at(rounding.offset(theta))
        known = rounding.bound(value, jnp.where(jnp.isfinite(moved), jnp.abs(moved - value), 0.0))
        problem = Problem(
            method, params, grad, value_fn, objective, batch, key, theta, gradient, value, known, value_at, updates
        )
        step, after = step_of(problem, state)
        return updates(step), after._replace(step=tree.increment(state.step))

    return Optimiser(init, protocol.row_by_row(update) if row_by_row else update)


def _same(grads: Updates, grad: Updates) -> bool:
    """Whether they are the identical arrays, which is known even while tracing."""
    return all(a is b for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(grad), strict=True))
