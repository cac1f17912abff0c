"""Finds what became non-finite first when a run diverged: the loss, its gradient, or the parameters after the step.

A learning rate that is too high makes J overflow. A gradient that is nan where J is finite has another cause, which no
learning rate can fix: J has no derivative there, like a vector's norm at 0, or the chain rule multiplies 0 by infinity.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree
from jaxnn.optimisers import protocol
from jaxnn.training.epochs import Carry, Plan, slowed, strong
from jaxnn.training.ordering import order
from jaxnn.training.steps import TrainState, gather
from jaxnn.types import Batch, Optimiser, OptimiserLike

NO_DERIVATIVE = (
    "J has no derivative there: square roots and norms have none at 0 (add a small number under the root), and the "
    "branch that jnp.where does not select still contributes 0 · ∞ (replace bad inputs by a second jnp.where inside)"
)
NO_BOUND = (
    "The gradient overflows, or the slope of J is unbounded there, like that of a square root at 0: start from other "
    "parameters, scale the inputs, or add a small number under the root"
)
NAMED = 3  # the most leaves that a message names


class Gradient(NamedTuple):
    """Which leaves of a gradient are not finite."""

    nan: Bool[Array, " leaves"]
    infinite: Bool[Array, " leaves"]


class Fault(NamedTuple):
    """The first step of an epoch that was not finite."""

    batch: Int[Array, ""]  # 0 for the first of the epoch; -1 if all were finite
    loss: Float[Array, ""]  # J on that batch
    gradient: Gradient


def of_gradient(grads: Any) -> Gradient:
    """Which leaves contain a nan, and which an infinity."""
    leaves = jax.tree.leaves(grads)
    return Gradient(*(jnp.stack([jnp.any(wrong(g)) for g in leaves]) for wrong in (jnp.isnan, jnp.isinf)))


@jax.jit
def first_fault(plan: Plan, carry: Carry, key: Any, data: Batch) -> Fault:
    """Repeats the steps of an epoch until one is not finite.

    Args:
        plan: the plan of the run.
        carry: the run at the end of the previous epoch, with the learning rate at which it diverged.
        key: decides the order of the rows.
        data: the training set.
    """
    take = plan.step(_watched(slowed(plan.optimiser, carry.slowdown)), data)
    rows = order(key, carry.epoch, plan.rows)
    nothing = of_gradient(jax.tree.map(jnp.zeros_like, carry.train.params))

    def on(chosen: Array, state: tuple[TrainState, Fault, Array]) -> tuple[TrainState, Fault, Array]:
        train, fault, batch = state
        train, info = take(train, gather(data, chosen))
        gradient = train.opt_state[1]
        finite = jnp.isfinite(info.loss) & ~(gradient.nan | gradient.infinite).any() & tree.all_finite(train.params)
        found = Fault(jnp.where(finite, -1, batch), info.loss.astype(fault.loss.dtype), gradient)
        return train, found, batch + 1

    def body(state: tuple[TrainState, Fault, Array]) -> tuple[TrainState, Fault, Array]:
        return on(jax.lax.dynamic_slice(rows, (state[2] * plan.batch_size,), (plan.batch_size,)), state)

    train = carry.train._replace(opt_state=(carry.train.opt_state, nothing))
    start = Fault(jnp.asarray(-1, jnp.int32), jnp.zeros((), carry.best_score.dtype), nothing)
    state = jax.tree.map(strong, (train, start, jnp.zeros((), jnp.int32)))
    whole = plan.whole_batches
    state = jax.lax.while_loop(lambda state: (state[2] < whole) & (state[1].batch < 0), body, state)
    if plan.rows % plan.batch_size:
        short = rows[whole * plan.batch_size :]
        state = jax.lax.cond(
            state[1].batch < 0, lambda state: jax.tree.map(strong, on(short, state)), lambda s: s, state
        )
    return state[1]


def describe(fault: Fault, names: Sequence[str]) -> str:
    """What became non-finite first, and where: `the loss became non-finite`, to be followed by `in epoch 3`."""
    nan, infinite = (np.asarray(wrong) for wrong in fault.gradient)
    if fault.batch < 0 or not np.isfinite(fault.loss):
        return "the loss became non-finite"
    if nan.any():
        return f"the gradient became nan in {listed(names, nan)}, at a finite loss of {float(fault.loss):.4g},"
    if infinite.any():
        return (
            f"the gradient became infinite in {listed(names, infinite)}, at a finite loss of {float(fault.loss):.4g},"
        )
    return "the step, not the gradient, made the parameters non-finite"


def why(fault: Fault) -> str | None:
    """What is wrong with J if its value was finite but its gradient was not; otherwise None."""
    if fault.batch < 0 or not np.isfinite(fault.loss):
        return None
    if np.asarray(fault.gradient.nan).any():
        return NO_DERIVATIVE
    return NO_BOUND if np.asarray(fault.gradient.infinite).any() else None


def at_the_start(fault: Fault) -> bool:
    """Whether the loss or its gradient was not finite before the first step of the epoch."""
    wrong = not np.isfinite(fault.loss) or any(np.asarray(each).any() for each in fault.gradient)
    return bool(fault.batch == 0 and wrong)


def leaf_names(params: Any) -> list[str]:
    """Each leaf as a Python expression, such as `params[0].w`."""
    return [f"params{jax.tree_util.keystr(path)}" for path, _ in jax.tree_util.tree_leaves_with_path(params)]


def listed(names: Sequence[str], chosen: Any) -> str:
    """The names chosen, at most three of them."""
    found = [name for name, is_so in zip(names, np.asarray(chosen), strict=True) if is_so]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _watched(optimiser: OptimiserLike) -> Optimiser:
    """The optimiser, whose state also records which leaves of its latest gradient were not finite."""

    @protocol.forwards_extra
    def update(grads: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
        updates, inner = protocol.update(optimiser, grads, state[0], params, **extra)
        return updates, (inner, of_gradient(grads))

    init: Callable[[Any], Any] = lambda params: (optimiser.init(params), of_gradient(params))
    return Optimiser(init, update)
