"""The compiled core of `fit_ensemble`: several members trained in lockstep, each as `epochs.advance` trains one.

    for each epoch of this call:
        rows ← order(key, epoch)                          each member's own
        one step of every member for every full batch     one loop, the same for all, so nothing in it is conditional
        the end of the epoch, as in `fit`                 each member's own
        members that had ended keep the state in which they ended

Members may be in different epochs, since one that diverged repeats some.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree
from jaxnn.once import Once
from jaxnn.training import epochs
from jaxnn.training.epochs import DIVERGED, RECORDS, RUNNING, Carry, Limits, Plan, Sets, Sums
from jaxnn.training.ordering import order
from jaxnn.training.steps import TrainState, gather
from jaxnn.types import Batch, Params


class Axes(NamedTuple):
    """The axes for `vmap`: 0 where each member has its own, along a leading axis; None for what all share."""

    objective: int | None = None
    optimiser: int | None = None
    rows: int | None = None
    validation_rows: int | None = None
    weight: int | None = None
    metric_weight: int | None = None
    validation_weight: int | None = None


class Share(NamedTuple):
    """Each member's share of the data that all have in common."""

    rows: Int[Any, "*members rows"] | None = None  # of the training set; None for all
    validation_rows: Int[Any, "*members rows"] | None = None  # of the validation set; None for all
    weight: Float[Any, "*members all_rows"] | None = None  # of all rows, mean 1 over its own; None for the shared
    metric_weight: Float[Any, "*members all_rows"] | None = None  # in metrics of the training set, likewise
    validation_weight: Float[Any, "*members all_rows"] | None = None  # of all rows of the validation set, likewise


def training_set(sets: Sets, share: Share) -> Batch:
    """One member's training set with its own weights; its rows are still to be taken."""
    return sets.training if share.weight is None else (*sets.training[:2], share.weight)


def own_sets(sets: Sets, share: Share) -> Sets:
    """One member's data."""
    training, (_, validation, metric_weight) = training_set(sets, share), sets
    if share.metric_weight is not None:
        metric_weight = share.metric_weight
    measured = share.rows if validation is None else share.validation_rows  # the rows that metrics are of
    if metric_weight is not None and measured is not None:
        metric_weight = metric_weight[measured]
    if share.rows is not None:
        training = gather(training, share.rows)
    if share.validation_weight is not None and validation is not None:
        validation = (*validation[:2], share.validation_weight)
    if share.validation_rows is not None and validation is not None:
        validation = gather(validation, share.validation_rows)
    return Sets(training, validation, metric_weight)


@partial(jax.jit, static_argnums=0)
def start(axes: Axes, plan: Plan, params: Params, keys: Any) -> Carry:
    """The members before their first step."""
    (objective, optimiser, metrics), fixed = epochs.flatten(plan)

    def of_one(objective: Any, optimiser: Any, params: Params, key: Any) -> Carry:
        return epochs.start(epochs.unflatten(fixed, (objective, optimiser, metrics)), params, key)

    return jax.vmap(of_one, (axes.objective, axes.optimiser, 0, 0))(objective, optimiser, params, keys)


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def advance(
    axes: Axes, plan: Plan, carry: Carry, keys: Any, sets: Sets, share: Share, limits: Limits
) -> tuple[Carry, Float[Array, "members records columns"], Int[Array, " members"]]:
    """Trains all members for some epochs.

    Args:
        axes: what each member has for itself.
        plan: what to compile; its numbers have a leading axis where `axes` says so.
        carry: the members; its buffers are reused.
        keys: (members,), each member's.
        sets: the data that all share.
        share: each member's own share of them.
        limits: `steps` is the number of epochs in this call, at most `RECORDS`; `epochs` is (members,).

    Returns:
        The members after the call, each one's table of records, and how many of its rows are finished epochs.
    """
    (objective, optimiser, metrics), fixed = epochs.flatten(plan)
    whole, short = plan.whole_batches, plan.rows % plan.batch_size

    def each(function: Any) -> Any:
        """A function of a member's plan, its share and more, mapped over the members."""

        def of_one(objective: Any, optimiser: Any, share: Share, *more: Any) -> Any:
            return function(epochs.unflatten(fixed, (objective, optimiser, metrics)), share, *more)

        def of_all(*more: Any) -> Any:
            of_shares: Any = Share(*axes[2:])
            in_axes = (axes.objective, axes.optimiser, of_shares, *(0 for _ in more))
            return jax.vmap(of_one, in_axes)(objective, optimiser, share, *more)

        return of_all

    def visit(plan: Plan, share: Share, key: Any, epoch: Array) -> Array:
        positions = order(key, epoch, plan.rows)
        return positions if share.rows is None else share.rows[positions]

    def on_batch(plan: Plan, share: Share, slowdown: Array, *batch: Any) -> tuple[TrainState, Sums]:
        return plan.on_batch(training_set(sets, share), slowdown)(*batch)

    def end(plan: Plan, share: Share, limit: Array, before: Carry, after: Carry) -> tuple[Carry, Array, Array]:
        active = (before.status == RUNNING) & (before.epoch < limit)
        after, record = epochs.end_of_epoch(plan, after, whole + bool(short), own_sets(sets, share), limits)
        return tree.select(active, after, before), record, active & (after.status != DIVERGED)

    def epoch(state: tuple[Carry, Array, Array, Array]) -> tuple[Carry, Array, Array, Array]:
        before, records, recorded, left = state
        visited = each(visit)(keys, before.epoch)

        def body(i: Array, moving: tuple[Any, Any]) -> tuple[Any, Any]:
            chosen = jax.lax.dynamic_slice_in_dim(visited, i * plan.batch_size, plan.batch_size, axis=1)
            return each(on_batch)(before.slowdown, chosen, *moving)

        train, sums = jax.lax.fori_loop(0, whole, body, (before.train, before.sums))
        if short:
            train, sums = each(on_batch)(before.slowdown, visited[:, -short:], train, sums)
        after, record, finished = each(end)(limits.epochs, before, before._replace(train=train, sums=sums))
        place = jax.vmap(lambda table, row, i: jax.lax.dynamic_update_index_in_dim(table, row, i, axis=0))
        return after, place(records, record, recorded), recorded + finished, left - 1

    def going_on(state: tuple[Carry, Array, Array, Array]) -> Bool[Array, ""]:
        carry, _, _, left = state
        return (left > 0) & jnp.any((carry.status == RUNNING) & (carry.epoch < limits.epochs))

    members = carry.epoch.shape[0]
    records = jnp.zeros((members, RECORDS, plan.columns), carry.best_score.dtype)
    state = (carry, records, jnp.zeros(members, jnp.int32), jnp.asarray(limits.steps, jnp.int32))
    carry, records, recorded, _ = jax.lax.while_loop(going_on, epoch, state)
    return jax.tree.map(epochs.strong, carry), records, recorded


@Once
def taken(members: Any, chosen: Int[Array, "*chosen"]) -> Any:
    """The chosen members of a tree whose leaves have a leading axis of members."""
    return jax.tree.map(lambda leaf: leaf[chosen], members)


@partial(Once, donate=(0,))
def placed(members: Any, chosen: Int[Array, " chosen"], some: Any) -> Any:
    """The tree with these members in the chosen places; places beyond the end are left out. Reuses its buffers."""
    return jax.tree.map(lambda leaf, part: leaf.at[chosen].set(part, mode="drop"), members, some)
