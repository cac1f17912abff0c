"""An objective summed over chunks of its rows: the same J and the same derivatives, in the memory of one chunk.

    J = Σ_chunks Σᵢ wᵢ ℓᵢ / Σ w + R                or over the number of rows, for `Relative` weights

The chunks are evaluated one after another and recomputed for the derivative (`jax.checkpoint`), so
intermediates of only one chunk are in memory at a time. The last chunk is padded with copies of a row of weight 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import chunks, structure, tree
from jaxnn.objective import Objective, Relative, split, with_mean_one
from jaxnn.types import Batch, Params


@dataclass(frozen=True)
class Chunked(Objective):
    """An `Objective` that evaluates `rows_at_once` rows at a time."""

    rows_at_once: int = 1024

    @classmethod
    def of(cls, objective: Callable[..., Any], rows_at_once: int) -> "Chunked":
        """The objective, evaluated in chunks.

        Raises:
            ValueError: a plain function, for which it is unknown how the rows add up.
        """
        if not isinstance(objective, Objective):
            raise ValueError(
                "rows_at_once needs a separate predict and loss: pass an Objective(predict, loss) as the objective."
            )
        return cls(objective.predict, objective.loss, objective.penalty, rows_at_once)

    def mean_loss(self, params: Params, batch: Batch, key: Any = None) -> Array:
        """The weighted mean loss, chunk by chunk."""
        x, y, weight = split(batch)
        rows = jax.tree.leaves(x)[0].shape[0]
        if isinstance(weight, Relative):
            weight = weight.values
        elif weight is not None:
            weight = with_mean_one(weight)
        if weight is not None and jnp.shape(weight) != (rows,):
            raise ValueError(f"weight must have shape ({rows},), one per example, got {jnp.shape(weight)}.")
        size = min(self.rows_at_once, rows)
        weights = chunks.shares(jnp.ones(rows) if weight is None else jnp.asarray(weight), size)

        @jax.checkpoint
        def total(at: Array, w: Array) -> Array:
            some_x, some_y = chunks.taken((x, y), at)
            losses = self.loss(self.outputs(params, some_x, key), some_y)
            if losses.shape != (size,):
                raise ValueError(
                    f"The loss must return one number per example, shape ({size},), got shape {losses.shape}."
                )
            losses = losses.astype(tree.wide_dtype(losses.dtype))
            return jnp.sum(w.astype(losses.dtype) * losses)

        totals = jax.lax.map(lambda part: total(*part), (chunks.places(rows, size), weights))
        return jnp.sum(totals) / rows


jax.tree_util.register_pytree_node(
    Chunked,
    lambda objective: (objective.as_pytree, objective.rows_at_once),
    lambda rows_at_once, split: Chunked.of(Objective(*structure.restore(tuple(split))), rows_at_once),
)
