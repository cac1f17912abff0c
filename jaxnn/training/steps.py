"""One step of training, and many in one scan: pure functions, which can be jitted, vmapped and differentiated.

    step = training.step(objective, optimiser)
    state, info = step(state, batch)

With weights, a mini-batch's loss is Σ w ℓ / (rows · w̄), where w̄ is the mean weight of the whole training set. If it
were divided by the batch's own Σ w, its gradient would not equal that of the weighted objective on average, and in
batches of one row weights would have no effect. `run` computes w̄ from its data; `step` takes it as an argument.

The state carried from step to step (`TrainState`) is separate from what a step reports (`Info`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, numerics, tree
from jaxnn.objective import Objective, Relative, evaluate, split, with_mean_one
from jaxnn.optimisers import protocol
from jaxnn.training.nested_states import learning_rate
from jaxnn.types import Batch, OptimiserLike, OptState, Params

LARGE = 2**16  # entries of an array that takes longer to copy than another small operation takes


class TrainState(NamedTuple):
    """What training carries from step to step."""

    params: Params
    opt_state: OptState
    step: Int[Array, ""] | int = 0  # steps taken so far, int32
    key: Any = None  # each step derives its own key from this for an objective with an argument `key`


class Info(NamedTuple):
    """What one step reports."""

    loss: Float[Array, ""]  # J on the batch, before the update
    gradient_norm: Float[Array, ""]  # ‖∇J‖₂ over all parameters, before the update
    learning_rate: Float[Array, ""]  # the learning rate used; nan if the optimiser's state has none


def init(optimiser: OptimiserLike, params: Params, *, key: Any = None) -> TrainState:
    """The state before the first step.

    Args:
        optimiser: ours or optax's.
        params: a pytree of floating-point arrays. They are not copied: a step that donates its state
            invalidates them too.
        key: a PRNG key for objectives with an argument `key` (dropout); if None, they get none.
    """
    return TrainState(params, optimiser.init(params), tree.start(), key)


def step(
    objective: Callable[..., Any], optimiser: OptimiserLike, *, mean_weight: Any = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Info]]:
    """Returns a pure function that takes one step: `(state, batch) -> (state, info)`.

    Args:
        objective: J(params, batch), an `Objective` or any function that returns a scalar. If it has an argument
            `key`, all evaluations within a step get the same key, and every step a new one.
        optimiser: ours or optax's. Its update gets `value`, `grad` and `value_fn` (params -> J on this batch), and
            also `objective`, `batch` and `key` if it has arguments of these names.
        mean_weight: the mean weight of the whole training set, > 0, for batches with weights: the loss of a batch is
            Σ w ℓ / (rows · mean_weight). If None, the batch is the whole set, and the loss is Σ w ℓ / Σ w.

    Raises:
        ValueError: the mean weight is not > 0, or the objective is a plain function, which does its own averaging.
    """
    if mean_weight is not None:
        checks.positive(mean_weight=mean_weight)
        if not isinstance(objective, Objective):
            raise ValueError(
                "mean_weight needs a separate predict and loss: pass an Objective(predict, loss) as the objective."
            )

    def take(state: TrainState, batch: Batch) -> tuple[TrainState, Info]:
        # Derived from the step counter, not from the previous key, so XLA removes it if nothing uses it.
        key = None if state.key is None else jax.random.fold_in(state.key, state.step)
        batch = batch if mean_weight is None else _relative(batch, mean_weight)

        def value_fn(params: Params) -> Array:
            return evaluate(objective, params, batch, key)

        value, grad = jax.value_and_grad(value_fn)(state.params)
        extra = dict(value=value, grad=grad, value_fn=value_fn, objective=objective, batch=batch, key=key)
        updates, opt_state = protocol.update(optimiser, grad, state.opt_state, state.params, **extra)
        params = tree.add(state.params, updates)
        info = Info(value, _norm(grad), learning_rate(opt_state))
        return TrainState(params, opt_state, tree.increment(jnp.asarray(state.step, jnp.int32)), state.key), info

    return take


def run(
    objective: Callable[..., Any],
    optimiser: OptimiserLike,
    params: Params,
    data: Batch,
    rows: Any,
    *,
    key: Any = None,
) -> tuple[TrainState, Info]:
    """Trains on the given rows of the data in one scan: jit it, vmap it, differentiate it.

    Args:
        objective: J(params, batch).
        optimiser: ours or optax's.
        params: where to start.
        data: (inputs, targets) or (inputs, targets, weight), rows first; all on the device. For an
            `Objective`, weights are divided by their mean over all rows of the data.
        rows: (steps, batch) integers, the rows of each step, as `training.batches` returns them.
        key: a PRNG key for objectives with an argument `key` (dropout).

    Returns:
        The last state, and an `Info` whose arrays have shape (steps,).

    Raises:
        ValueError: `rows` has another shape or dtype.
    """
    rows = jnp.asarray(rows)
    if rows.ndim != 2 or not jnp.issubdtype(rows.dtype, jnp.integer):
        raise ValueError(f"rows must be integers of shape (steps, batch), got {rows.dtype} {rows.shape}.")
    mean_weight = None
    if isinstance(objective, Objective) and len(data) == 3:
        data, mean_weight = (*data[:2], with_mean_one(data[2])), 1.0
    take = step(objective, optimiser, mean_weight=mean_weight)

    def body(state: TrainState, chosen: Array) -> tuple[TrainState, Info]:
        return take(state, gather(data, chosen))

    return jax.lax.scan(body, init(optimiser, params, key=key), rows)


def gather(data: Batch, rows: Array) -> Batch:
    """The given rows of every part of the data."""
    return tuple(jax.tree.map(lambda part: jnp.take(part, rows, axis=0), part) for part in data)


def _relative(batch: Batch, mean_weight: Any) -> Batch:
    """The batch with its weights as multiples of the mean weight."""
    x, y, weight = split(batch)
    return (x, y) if weight is None else (x, y, Relative(jnp.asarray(weight) / mean_weight))


def _norm(grads: Any) -> Array:
    """√Σ g², as one dot product of the concatenated gradient, and one more for each large leaf.

    Leaf by leaf, or with `tree.norm`, which cannot overflow, it would take a fifth of the time of a small network's
    step. A large leaf is not copied: that would take a tenth of a large network's step.
    """
    leaves = [leaf.reshape(-1) for leaf in jax.tree.leaves(tree.widen(grads))]
    small = [leaf for leaf in leaves if leaf.size < LARGE]
    parts = [jnp.concatenate(small) if small else jnp.zeros(1), *(leaf for leaf in leaves if leaf.size >= LARGE)]
    return numerics.sqrt(sum(jnp.vdot(part, part) for part in parts))
