"""Gradient accumulation: one step of an optimiser for the mean of several gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers import protocol
from jaxnn.types import Optimiser, OptimiserLike, Params, Updates


class AccumulateState(NamedTuple):
    """What gradient accumulation carries from step to step."""

    collected: Int[Array, ""]  # the number of gradients since the last step, below `steps`
    rows: Int[Array, ""]  # their number of rows; 1 per gradient in a loop that does not send its batch
    mean: Updates  # their mean, weighted by rows, like params
    inner: Any  # the inner optimiser's state


@factories.optimiser
def accumulate(inner: OptimiserLike, *, steps: int) -> Optimiser:
    """Averages `steps` ≥ 1 gradients before each step of `inner`, and takes no step in between.

    The result is `inner` on batches `steps` times as large. In loops that send their batch, as ours do, gradients are
    weighted by their rows, so a short last batch counts less; in others all have the same weight. An optimiser that
    evaluates the objective, such as a line search, sees only the last batch: `value` and `value_fn` belong to that.

    Raises:
        ValueError: `steps` is below 1.
    """
    checks.whole(1, steps=steps)

    def init(params: Params) -> AccumulateState:
        return AccumulateState(tree.start(), tree.start(), tree.zeros(params), inner.init(params))

    @protocol.forwards_extra
    def update(
        grads: Updates, state: AccumulateState, params: Params = None, **extra: Any
    ) -> tuple[Updates, AccumulateState]:
        count = state.collected + 1
        rows = _rows(extra.get("batch"))
        total = state.rows + rows
        mean = jax.tree.map(lambda m, g: m + (g - m) / (total.astype(g.dtype) / rows), state.mean, tree.widen(grads))
        mean = tree.cast_like(mean, state.mean)

        def act() -> tuple[Updates, AccumulateState]:
            average = tree.cast_like(mean, grads)
            updates, after = protocol.update(inner, average, state.inner, params, **(extra | {"grad": average}))
            return updates, AccumulateState(tree.start(), tree.start(), tree.zeros(mean), after)

        def wait() -> tuple[Updates, AccumulateState]:
            return jax.tree.map(jnp.zeros_like, grads), AccumulateState(count, total, mean, state.inner)

        return jax.lax.cond(count == steps, act, wait)

    return Optimiser(init, update)


def _rows(batch: Any) -> int:
    """The number of rows of a batch; 1 if there is no batch, or it has no rows."""
    leaves = jax.tree.leaves(batch)
    return max(1, jnp.shape(leaves[0])[0]) if leaves and jnp.ndim(leaves[0]) else 1
