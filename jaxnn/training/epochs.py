"""The compiled heart of `fit`: one program that trains for any number of steps and keeps the books.

    while steps are left, epochs are left, and nothing stopped:
        rows ← order(key, epoch)                          a pure function: a resumed run visits the same rows
        one step for every whole batch of `rows`          the inner loop
        at the end of the epoch: the last short batch, the validation set, the best parameters so far

How many steps a call takes is data, not a constant. The host can therefore follow the clock and still run the very
same program: the bits of a run do not depend on how it was cut into calls, so that a run which was killed and resumed
ends where it would have ended.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import structure, tree
from jaxnn.objective import Objective, evaluate, needs, split, weighted_mean
from jaxnn.once import Once
from jaxnn.optimisers import protocol
from jaxnn.training.ordering import order
from jaxnn.training.steps import Info, TrainState, gather, init, learning_rate, step
from jaxnn.types import Batch, Optimiser, OptimiserLike, Params

RECORDS = 256  # epochs that one call can report
STEP_KEYS = 2**31 - 1  # folded into the key for the keys of steps
EVALUATION_ROWS = 8192  # rows that are evaluated at once

RUNNING, STALLED, DIVERGED = 0, 1, 2
LOSS, VALIDATION_LOSS, TRAINING_LOSS, METRICS = 0, 3, 4, 5  # columns of a record; of metrics the first


class Sums(NamedTuple):
    """Of the steps of the current epoch."""

    loss: Float[Array, ""]  # Σ rows of the batch · J
    weight: Float[Array, ""]  # Σ rows
    gradient_norm: Float[Array, ""]  # Σ ‖∇J‖


class Carry(NamedTuple):
    """Everything a run is, between two steps. A checkpoint is this and the history."""

    train: TrainState
    epoch: Int[Array, ""]  # finished epochs
    batch: Int[Array, ""]  # finished batches of the current epoch
    sums: Sums
    ends: TrainState  # of the last two finite epochs, without the key: that of epoch e is row e mod 2
    best_params: Params
    best_score: Float[Array, ""]  # smaller is better
    best_epoch: Int[Array, ""]  # 1 for the first; 0 before any
    slowdown: Float[Array, ""]  # on every update: 1, halved at each divergence
    status: Int[Array, ""]  # RUNNING, STALLED or DIVERGED


class Limits(NamedTuple):
    """Data of a call that change without compiling again."""

    steps: Any  # to take in this call
    epochs: Any  # of the whole run
    patience: Any  # epochs without improvement before the run is stalled
    min_delta: Any  # by which a score must improve


class Sets(NamedTuple):
    """The rows that a run looks at."""

    training: Batch  # (inputs, targets) or (inputs, targets, weight), whose weights have mean 1
    validation: Batch | None  # what the validation loss is of
    metric_weight: Any  # (n,) or None: what rows count for in metrics of the validation set, or of the training set


class Plan(NamedTuple):
    """What the program is made from: a pytree, whose leaves are the numbers of the objective and the optimiser."""

    objective: Callable[..., Any]
    optimiser: OptimiserLike
    rows: int
    batch_size: int
    metrics: tuple[Callable[..., Any], ...]  # (outputs, targets, weight) -> scalar
    monitor: int  # the column of a record that is the score
    sign: float  # -1 where a larger value is better

    @property
    def whole_batches(self) -> int:
        """Batches of full size in an epoch."""
        return self.rows // self.batch_size

    def step(self, optimiser: OptimiserLike, data: Batch) -> Callable[[TrainState, Batch], tuple[TrainState, Info]]:
        """One step on a batch of the data. A plain J averages weights as it likes."""
        weighted = isinstance(self.objective, Objective) and len(data) == 3
        return step(self.objective, optimiser, mean_weight=1.0 if weighted else None)

    @property
    def behind(self) -> bool:
        """Whether the score of an epoch is J where it began: that of full batches, each before its update."""
        return self.monitor == LOSS and self.batch_size == self.rows

    @property
    def columns(self) -> int:
        """Of a record: loss, gradient norm, learning rate, validation loss, training loss, metrics."""
        return METRICS + len(self.metrics)


def _flatten(plan: Plan) -> tuple[Any, Any]:
    made = structure.split((plan.objective, plan.optimiser, plan.metrics))
    return made, (plan.rows, plan.batch_size, plan.monitor, plan.sign)


def _unflatten(fixed: Any, made: Any) -> Plan:
    objective, optimiser, metrics = structure.restore(tuple(made))
    rows, batch_size, monitor, sign = fixed
    return Plan(objective, optimiser, rows, batch_size, metrics, monitor, sign)


jax.tree_util.register_pytree_node(Plan, _flatten, _unflatten)


@Once
def start(plan: Plan, params: Params, key: Any) -> Carry:
    """The run before its first step. Every part has buffers of its own, since the program reuses them."""
    train = init(plan.optimiser, params, key=jax.random.fold_in(key, STEP_KEYS))
    zero = jnp.zeros(())
    carry = Carry(
        train=train,
        epoch=jnp.zeros((), jnp.int32),
        batch=jnp.zeros((), jnp.int32),
        sums=Sums(zero, zero, zero),
        ends=_twice(train),
        best_params=params,
        best_score=jnp.asarray(jnp.inf, zero.dtype),
        best_epoch=jnp.zeros((), jnp.int32),
        slowdown=jnp.ones(()),
        status=jnp.zeros((), jnp.int32),
    )
    return jax.tree.map(lambda leaf: jnp.copy(strong(leaf)), carry)


def _twice(train: TrainState) -> TrainState:
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), train._replace(key=None))


def strong(leaf: Any) -> Array:
    """The leaf with a dtype of its own rather than a Python number's: one type before and after every call."""
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.asarray(leaf, leaf.dtype)


@jax.jit
def last_end(carry: Carry) -> Params:
    """The parameters at the end of the last finite epoch."""
    return jax.tree.map(lambda rows: rows[carry.epoch % 2], carry.ends.params)


@jax.jit
def roll_back(carry: Carry) -> Carry:
    """Back to the end of the last finite epoch, at half the rate."""
    end = jax.tree.map(lambda rows: rows[carry.epoch % 2], carry.ends)
    return carry._replace(
        train=end._replace(key=carry.train.key),
        batch=jnp.zeros_like(carry.batch),
        sums=jax.tree.map(jnp.zeros_like, carry.sums),
        slowdown=carry.slowdown / 2,
        status=jnp.zeros_like(carry.status),
    )


@jax.jit
def roll_further_back(carry: Carry, score: Any) -> Carry:
    """Back by one epoch more, at half the rate: the end of the last one was finite, but nothing finite follows it.

    Only two ends are kept, so this can be done once between two finite epochs. Best parameters that are of the end
    given up go with it: those of the epoch before take their place, whose score is given, if it is finite.
    """
    earlier = roll_back(carry._replace(epoch=carry.epoch - 1))
    given_up, known = carry.best_epoch > earlier.epoch, jnp.isfinite(score)
    return earlier._replace(
        ends=_twice(earlier.train),
        best_params=tree.select(given_up, earlier.train.params, carry.best_params),
        best_score=jnp.where(
            given_up, jnp.where(known, score, jnp.inf).astype(carry.best_score.dtype), carry.best_score
        ),
        best_epoch=jnp.where(given_up, jnp.where(known, earlier.epoch, 0), carry.best_epoch),
    )


@partial(jax.jit, donate_argnums=1)
def advance(
    plan: Plan, carry: Carry, key: Any, sets: Sets, limits: Limits
) -> tuple[Carry, Float[Array, "records columns"], Int[Array, ""]]:
    """Trains until the steps of this call are used up, the epochs are, or the run stops.

    Args:
        plan: what to compile.
        carry: the run; its buffers are reused.
        key: of the order of rows.
        sets: to train on, and to judge by.
        limits: of this call and of the run.

    Returns:
        The run after it, a table whose first rows are the records of the epochs that ended, and how many those are.
    """
    data = sets.training
    take = plan.step(slowed(plan.optimiser, carry.slowdown), data)
    by_rows = len(data) == 2 or isinstance(plan.objective, Objective)  # a plain J is taken for a mean by weight
    whole, short = plan.whole_batches, plan.rows % plan.batch_size

    def on_batch(rows: Array, train: TrainState, sums: Sums) -> tuple[TrainState, Sums]:
        batch = gather(data, rows)
        train, info = take(train, batch)
        counted = rows.size if by_rows else jnp.sum(batch[2])
        loss, norm, counted = (jnp.asarray(x, sums.loss.dtype) for x in (info.loss, info.gradient_norm, counted))
        return train, Sums(sums.loss + counted * loss, sums.weight + counted, sums.gradient_norm + norm)

    def epoch(state: tuple[Carry, Array, Array, Array]) -> tuple[Carry, Array, Array, Array]:
        carry, records, recorded, left = state
        rows = order(key, carry.epoch, plan.rows)
        last = jnp.minimum(whole, carry.batch + left)

        def body(i: Array, moving: tuple[TrainState, Sums]) -> tuple[TrainState, Sums]:
            chosen = jax.lax.dynamic_slice(rows, (i * plan.batch_size,), (plan.batch_size,))
            return on_batch(chosen, *moving)

        train, sums = jax.lax.fori_loop(carry.batch, last, body, (carry.train, carry.sums))
        left = left - (last - carry.batch)
        carry = carry._replace(train=train, sums=sums, batch=last)

        def end(state: tuple[Carry, Array, Array]) -> tuple[Carry, Array, Array]:
            carry, records, recorded = state
            steps = whole
            if short:
                train, sums = on_batch(rows[whole * plan.batch_size :], carry.train, carry.sums)
                carry, steps = carry._replace(train=train, sums=sums), whole + 1
            carry, record = _end_of_epoch(plan, carry, steps, sets, limits)
            finite = carry.status != DIVERGED
            records = jax.lax.dynamic_update_index_in_dim(records, record, recorded, axis=0)
            return carry, records, recorded + finite

        carry, records, recorded = _when(last == whole, end, (carry, records, recorded))
        return carry, records, recorded, left

    def going_on(state: tuple[Carry, Array, Array, Array]) -> Bool[Array, ""]:
        carry, _, recorded, left = state
        return (left > 0) & (recorded < RECORDS) & (carry.epoch < limits.epochs) & (carry.status == RUNNING)

    records = jnp.zeros((RECORDS, plan.columns), carry.best_score.dtype)
    state = (carry, records, jnp.zeros((), jnp.int32), jnp.asarray(limits.steps, jnp.int32))
    carry, records, recorded, _ = jax.lax.while_loop(going_on, epoch, state)
    return jax.tree.map(strong, carry), records, recorded


def _end_of_epoch(plan: Plan, carry: Carry, steps: int, sets: Sets, limits: Limits) -> tuple[Carry, Array]:
    """Judges the epoch: its record, the best parameters so far, and whether to go on."""
    train, sums = carry.train, carry.sums
    loss = sums.loss / jnp.where(sums.weight > 0, sums.weight, 1)
    judged = judge(plan, train.params, sets, train.key)
    values = (loss, sums.gradient_norm / steps, learning_rate(train.opt_state) * carry.slowdown, *judged)
    record = jnp.stack([jnp.asarray(value, carry.best_score.dtype) for value in values])

    finite = jnp.isfinite(loss) & tree.all_finite(train.params)
    score = plan.sign * record[plan.monitor]
    improved = finite & (score < carry.best_score - limits.min_delta)
    judged_params = train.params
    if plan.behind:
        judged_params = jax.tree.map(lambda ends: ends[carry.epoch % 2], carry.ends.params)
        improved &= carry.epoch > 0  # the start is no epoch's end

    def go_on(carry: Carry) -> Carry:
        epoch = carry.epoch + 1
        best_epoch = jnp.where(improved, epoch - plan.behind, carry.best_epoch)
        stalled = (best_epoch > 0) & (epoch - best_epoch >= limits.patience)  # an undefined score uses up no patience
        return carry._replace(
            epoch=epoch,
            batch=jnp.zeros_like(carry.batch),
            sums=jax.tree.map(jnp.zeros_like, sums),
            ends=jax.tree.map(partial(_placed, epoch % 2), carry.ends, train._replace(key=None)),
            best_params=_when(improved, lambda _: judged_params, carry.best_params),
            best_score=jnp.where(improved, score, carry.best_score),
            best_epoch=best_epoch,
            status=jnp.where(stalled, STALLED, RUNNING).astype(jnp.int32),
        )

    return _when(finite, go_on, carry._replace(status=jnp.full_like(carry.status, DIVERGED))), record


def _placed(row: Array, rows: Array, value: Any) -> Array:
    """The rows with one of them replaced: a slice written in place, where `rows.at[row].set` compiles a scatter."""
    return jax.lax.dynamic_update_index_in_dim(rows, jnp.asarray(value, rows.dtype), row, axis=0)


def _when(condition: Array, body: Callable[[Any], Any], state: Any) -> Any:
    """`body(state)` if the condition holds, else `state`.

    A loop of at most one turn, which XLA runs in place, where it copies all that a `cond` returns: with three of those
    an epoch of a small network took a tenth longer.
    """
    return jax.lax.fori_loop(0, condition.astype(jnp.int32), lambda _, state: body(state), state)


def judge(plan: Plan, params: Params, sets: Sets, key: Any) -> tuple[Any, ...]:
    """The validation loss, the training loss and the metrics; nan for what nobody asked for, which is not evaluated.

    The validation loss is without penalty and dropout for an `Objective`; the training loss is J as a caller evaluates
    it, without dropout too. A plain J is taken as it is, and handed a key only if it has no default for it.
    """
    objective, validation = plan.objective, sets.validation
    on_training = plan.monitor == TRAINING_LOSS
    if not isinstance(objective, Objective):
        key = key if needs(objective, "key") else None
        judged = [(sets.training, on_training), (validation, validation is not None)]
        on_each = [evaluate(objective, params, rows, key) if asked else jnp.nan for rows, asked in judged]
        return on_each[1], on_each[0]
    of_validation: Any = jnp.nan
    of_training: Any = jnp.nan
    if on_training:
        x, y, weight = split(sets.training)
        of_training = weighted_mean(objective.loss(outputs_of(objective, params, x), y), weight)
        of_training = of_training if objective.penalty is None else of_training + objective.penalty(params)
    if validation is None and not plan.metrics:
        return of_validation, of_training
    x, y, weight = split(sets.training if validation is None else validation)
    outputs = outputs_of(objective, params, x)  # if that is the training set, XLA computes it once
    if validation is not None:
        of_validation = weighted_mean(objective.loss(outputs, y), weight)
    return of_validation, of_training, *(metric(outputs, y, sets.metric_weight) for metric in plan.metrics)


def outputs_of(objective: Objective, params: Params, x: Any) -> Array:
    """Raw outputs for all rows of x, evaluated in pieces that bound the memory for hidden layers."""
    n = jax.tree.leaves(x)[0].shape[0]
    if n <= EVALUATION_ROWS:
        return objective.outputs(params, x)
    pieces = -(-n // EVALUATION_ROWS)
    rows = jnp.minimum(jnp.arange(pieces * EVALUATION_ROWS), n - 1).reshape(pieces, EVALUATION_ROWS)
    outputs = jax.lax.map(lambda chosen: objective.outputs(params, gather((x,), chosen)[0]), rows)
    return outputs.reshape(-1, *outputs.shape[2:])[:n]


def slowed(optimiser: OptimiserLike, factor: Array) -> Optimiser:
    """The optimiser with every update multiplied by `factor`."""

    @protocol.forwards_extra
    def update(grads: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
        updates, state = protocol.update(optimiser, grads, state, params, **extra)
        return jax.tree.map(lambda u: u * factor.astype(u.dtype), updates), state

    return Optimiser(optimiser.init, update)
