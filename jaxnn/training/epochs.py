"""The compiled core of `fit`: one program that trains for any number of steps and records each epoch.

    while steps and epochs are left, and the run has not stopped:
        rows ← order(key, epoch)                          a pure function: a resumed run visits the same rows
        one step for every full batch of `rows`           the inner loop
        at the end of the epoch: the last short batch, the validation set, the best parameters so far

The number of steps in a call is data, not a constant, so the host can adjust it to the clock without compiling another
program. The bits of a run do not depend on how it was divided into calls: a run that is killed and resumed ends with
the same bits.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import chunks, structure, tree
from jaxnn.objective import Objective, evaluate, needs, split, weighted_mean
from jaxnn.once import Once
from jaxnn.optimisers import protocol
from jaxnn.training.nested_states import learning_rate
from jaxnn.training.ordering import order
from jaxnn.training.steps import Info, TrainState, gather, init, step
from jaxnn.types import Batch, Optimiser, OptimiserLike, Params

RECORDS = 256  # the most epochs that one call can record
STEP_KEYS = 2**31 - 1  # folded into the key for the keys of steps
EVALUATION_ROWS = 8192  # rows evaluated at a time

RUNNING, STALLED, DIVERGED = 0, 1, 2
LOSS, VALIDATION_LOSS, TRAINING_LOSS, METRICS = 0, 3, 4, 5  # columns of a record; METRICS is the first metric's


class Sums(NamedTuple):
    """Sums over the steps of the current epoch."""

    loss: Float[Array, ""]  # Σ rows of the batch · J
    weight: Float[Array, ""]  # Σ rows
    gradient_norm: Float[Array, ""]  # Σ ‖∇J‖


class Carry(NamedTuple):
    """The complete state of a run between two steps. A checkpoint is this and the history."""

    train: TrainState
    epoch: Int[Array, ""]  # finished epochs
    batch: Int[Array, ""]  # finished batches of the current epoch
    sums: Sums
    snapshots: TrainState  # at the end of the last two finite epochs, without the key: epoch e's is row e mod 2
    best_params: Params
    best_score: Float[Array, ""]  # smaller is better
    best_epoch: Int[Array, ""]  # 1 for the first; 0 before any
    slowdown: Float[Array, ""]  # factor on every update: 1, halved at each divergence
    status: Int[Array, ""]  # RUNNING, STALLED or DIVERGED


class Limits(NamedTuple):
    """Limits of a call, as data: other values compile nothing."""

    steps: Any  # steps in this call
    epochs: Any  # epochs in the whole run
    patience: Any  # epochs without improvement after which the run has stalled
    min_delta: Any  # the least decrease of a score that counts as an improvement


class Sets(NamedTuple):
    """The data of a run."""

    training: Batch  # (inputs, targets) or (inputs, targets, weight), whose weights have mean 1
    validation: Batch | None  # the rows of the validation loss
    metric_weight: Any  # (n,) or None: the rows' weights in metrics, which use validation or else training rows


class Plan(NamedTuple):
    """What determines the program: a pytree whose leaves are the hyperparameters of objective and optimiser."""

    objective: Callable[..., Any]
    optimiser: OptimiserLike
    rows: int
    batch_size: int
    metrics: tuple[Callable[..., Any], ...]  # (outputs, targets, weight) -> scalar
    monitor: int  # the column of a record that holds the score
    sign: float  # -1 if a larger value is better, else 1

    @property
    def whole_batches(self) -> int:
        """The number of full batches in an epoch."""
        return self.rows // self.batch_size

    def step(self, optimiser: OptimiserLike, data: Batch) -> Callable[[TrainState, Batch], tuple[TrainState, Info]]:
        """A function that takes one step on a batch of the data. A plain J does its own weighting."""
        weighted = isinstance(self.objective, Objective) and len(data) == 3
        return step(self.objective, optimiser, mean_weight=1.0 if weighted else None)

    def on_batch(self, data: Batch, slowdown: Array) -> Callable[[Array, TrainState, Sums], tuple[TrainState, Sums]]:
        """A function that takes one step on the given rows of the data, and adds to the sums of the epoch."""
        take = self.step(slowed(self.optimiser, slowdown), data)
        by_rows = len(data) == 2 or isinstance(self.objective, Objective)  # a plain J is assumed to be a weighted mean

        def on_batch(rows: Array, train: TrainState, sums: Sums) -> tuple[TrainState, Sums]:
            batch = gather(data, rows)
            train, info = take(train, batch)
            counted = rows.size if by_rows else jnp.sum(batch[2])
            loss, norm, counted = (jnp.asarray(x, sums.loss.dtype) for x in (info.loss, info.gradient_norm, counted))
            return train, Sums(sums.loss + counted * loss, sums.weight + counted, sums.gradient_norm + norm)

        return on_batch

    @property
    def behind(self) -> bool:
        """Whether an epoch's score is J at its start: with full batches, the loss is measured before the update."""
        return self.monitor == LOSS and self.batch_size == self.rows

    @property
    def columns(self) -> int:
        """The number of columns of a record: loss, gradient norm, rate, validation loss, training loss, metrics."""
        return METRICS + len(self.metrics)


def flatten(plan: Plan) -> tuple[Any, Any]:
    """Objective, optimiser and metrics as a pytree of their numbers, and the rest, which is compiled in."""
    made = structure.split((plan.objective, plan.optimiser, plan.metrics))
    return made, (plan.rows, plan.batch_size, plan.monitor, plan.sign)


def unflatten(fixed: Any, made: Any) -> Plan:
    """The inverse of `flatten`."""
    objective, optimiser, metrics = structure.restore(tuple(made))
    rows, batch_size, monitor, sign = fixed
    return Plan(objective, optimiser, rows, batch_size, metrics, monitor, sign)


jax.tree_util.register_pytree_node(Plan, flatten, unflatten)


@Once
def start(plan: Plan, params: Params, key: Any) -> Carry:
    """The run before its first step. Every part has its own buffers, because the program reuses them."""
    train = init(plan.optimiser, params, key=jax.random.fold_in(key, STEP_KEYS))
    zero = jnp.zeros(())
    carry = Carry(
        train=train,
        epoch=jnp.zeros((), jnp.int32),
        batch=jnp.zeros((), jnp.int32),
        sums=Sums(zero, zero, zero),
        snapshots=_twice(train),
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
    """The leaf without JAX's weak type, so its type is the same before and after every call."""
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.asarray(leaf, leaf.dtype)


@jax.jit
def last_snapshot(carry: Carry) -> Params:
    """The parameters at the end of the last finite epoch."""
    return jax.tree.map(lambda rows: rows[carry.epoch % 2], carry.snapshots.params)


@jax.jit
def roll_back(carry: Carry) -> Carry:
    """Returns to the end of the last finite epoch, at half the learning rate."""
    end = jax.tree.map(lambda rows: rows[carry.epoch % 2], carry.snapshots)
    return carry._replace(
        train=end._replace(key=carry.train.key),
        batch=jnp.zeros_like(carry.batch),
        sums=jax.tree.map(jnp.zeros_like, carry.sums),
        slowdown=carry.slowdown / 2,
        status=jnp.zeros_like(carry.status),
    )


@jax.jit
def roll_further_back(carry: Carry, score: Any) -> Carry:
    """Returns to the epoch before, at half the rate: the last epoch's end was finite, but no finite step follows it.

    Only two snapshots are kept, so this is possible once between two finite epochs. If the best parameters are those of
    the discarded epoch, those of the epoch before replace them, with the given score if it is finite.
    """
    earlier = roll_back(carry._replace(epoch=carry.epoch - 1))
    given_up, known = carry.best_epoch > earlier.epoch, jnp.isfinite(score)
    return earlier._replace(
        snapshots=_twice(earlier.train),
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
    """Trains until the steps of this call or the epochs of the run are done, or the run stops.

    Args:
        plan: what to compile.
        carry: the run; its buffers are reused.
        key: decides the order of the rows.
        sets: the training and validation data.
        limits: the limits of this call and of the run.

    Returns:
        The run after the call, a table whose first rows are the records of the finished epochs, and their number.
    """
    data = sets.training
    on_batch = plan.on_batch(data, carry.slowdown)
    whole, short = plan.whole_batches, plan.rows % plan.batch_size

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
            carry, record = end_of_epoch(plan, carry, steps, sets, limits)
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


def end_of_epoch(plan: Plan, carry: Carry, steps: int, sets: Sets, limits: Limits) -> tuple[Carry, Array]:
    """Evaluates the epoch: its record, the best parameters so far, and whether to continue."""
    train, sums = carry.train, carry.sums
    loss = sums.loss / jnp.where(sums.weight > 0, sums.weight, 1)
    evaluated = evaluate_sets(plan, train.params, sets, train.key)
    values = (loss, sums.gradient_norm / steps, learning_rate(train.opt_state) * carry.slowdown, *evaluated)
    record = jnp.stack([jnp.asarray(value, carry.best_score.dtype) for value in values])

    finite = jnp.isfinite(loss) & tree.all_finite(train.params)
    score = plan.sign * record[plan.monitor]
    improved = finite & (score < carry.best_score - limits.min_delta)
    scored_params = train.params  # those that the score belongs to
    if plan.behind:
        scored_params = jax.tree.map(lambda rows: rows[carry.epoch % 2], carry.snapshots.params)
        improved &= carry.epoch > 0  # the start is not the end of an epoch

    def go_on(carry: Carry) -> Carry:
        epoch = carry.epoch + 1
        best_epoch = jnp.where(improved, epoch - plan.behind, carry.best_epoch)
        stalled = (best_epoch > 0) & (
            epoch - best_epoch >= limits.patience
        )  # an undefined score does not count against patience
        return carry._replace(
            epoch=epoch,
            batch=jnp.zeros_like(carry.batch),
            sums=jax.tree.map(jnp.zeros_like, sums),
            snapshots=jax.tree.map(partial(_placed, epoch % 2), carry.snapshots, train._replace(key=None)),
            best_params=_when(improved, lambda _: scored_params, carry.best_params),
            best_score=jnp.where(improved, score, carry.best_score),
            best_epoch=best_epoch,
            status=jnp.where(stalled, STALLED, RUNNING).astype(jnp.int32),
        )

    return _when(finite, go_on, carry._replace(status=jnp.full_like(carry.status, DIVERGED))), record


def _placed(row: Array, rows: Array, value: Any) -> Array:
    """Replaces one of the rows: writes a slice in place, whereas `rows.at[row].set` compiles a scatter."""
    return jax.lax.dynamic_update_index_in_dim(rows, jnp.asarray(value, rows.dtype), row, axis=0)


def _when(condition: Array, body: Callable[[Any], Any], state: Any) -> Any:
    """`body(state)` if the condition holds, else `state`.

    A loop of at most one iteration, which XLA runs in place, whereas it copies everything that a `cond` returns: three
    of those made an epoch of a small network a tenth slower.
    """
    return jax.lax.fori_loop(0, condition.astype(jnp.int32), lambda _, state: body(state), state)


def evaluate_sets(plan: Plan, params: Params, sets: Sets, key: Any) -> tuple[Any, ...]:
    """The validation loss, the training loss and the metrics; nan for those not requested, which are not evaluated.

    For an `Objective`, the validation loss excludes penalty and dropout; the training loss is J as a caller evaluates
    it, also without dropout. A plain J is called as it is, with a key only if it requires one.
    """
    objective, validation = plan.objective, sets.validation
    on_training = plan.monitor == TRAINING_LOSS
    if not isinstance(objective, Objective):
        key = key if needs(objective, "key") else None
        wanted = [(sets.training, on_training), (validation, validation is not None)]
        on_each = [evaluate(objective, params, rows, key) if asked else jnp.nan for rows, asked in wanted]
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
    outputs = outputs_of(objective, params, x)  # for the training set, XLA computes them only once
    if validation is not None:
        of_validation = weighted_mean(objective.loss(outputs, y), weight)
    return of_validation, of_training, *(metric(outputs, y, sets.metric_weight) for metric in plan.metrics)


def outputs_of(objective: Objective, params: Params, x: Any) -> Array:
    """Raw outputs for all rows of x, evaluated in chunks to limit the memory for hidden layers."""
    return chunks.mapped(lambda some: objective.outputs(params, some), x, EVALUATION_ROWS)


def slowed(optimiser: OptimiserLike, factor: Array) -> Optimiser:
    """The optimiser with every update multiplied by `factor`."""

    @protocol.forwards_extra
    def update(grads: Any, state: Any, params: Any, **extra: Any) -> tuple[Any, Any]:
        updates, state = protocol.update(optimiser, grads, state, params, **extra)
        return jax.tree.map(lambda u: u * factor.astype(u.dtype), updates), state

    return Optimiser(optimiser.init, update)
