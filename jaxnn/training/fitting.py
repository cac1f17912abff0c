"""`fit`: trains on data that fit in memory, epoch by epoch, and loses nothing.

The work is one compiled program (`epochs.advance`), called for as many steps as fit in a fraction of a second. Between
two calls the host shows progress, saves checkpoints, listens for signals, and takes a run that diverged back to its
last good epoch.
"""

import inspect
import math
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, structure, tree
from jaxnn import metrics as metrics_module
from jaxnn.files import check_writable
from jaxnn.objective import Objective, split
from jaxnn.once import Once
from jaxnn.training import faults, prepare
from jaxnn.training.checkpoint import Checkpoints
from jaxnn.training.epochs import (
    DIVERGED,
    LOSS,
    METRICS,
    RUNNING,
    STALLED,
    TRAINING_LOSS,
    VALIDATION_LOSS,
    Carry,
    Limits,
    Plan,
    Sets,
    advance,
    judge,
    last_end,
    outputs_of,
    roll_back,
    roll_further_back,
    start,
)
from jaxnn.training.history import COLUMNS, History, Records
from jaxnn.training.interrupt import listening
from jaxnn.training.minimise import report
from jaxnn.training.progress import reporter
from jaxnn.training.steps import TrainState
from jaxnn.types import OptimiserLike, Params

CALL_SECONDS = 0.2  # that a compiled call should last: what Ctrl-C waits for
FIRST_FLOPS = 1e9  # work in the first call: a fraction of a second on any machine
FIRST_STEPS = 1000  # at most: an objective may do more work than its parameters tell
GROWTH = 16  # at most, from one call to the next
RETRIES = 5  # of a run that diverges, each at half the rate of the one before
NEVER = 2**31 - 1
SPLIT_KEY = 2**31 - 2  # folded into the key for the validation split


class Epoch(NamedTuple):
    """What a hook is told after each epoch."""

    epoch: int  # finished epochs, 1 after the first
    params: Params
    best_params: Params  # so far; with full batches and nothing monitored of the epochs before, the start at first
    values: dict[str, float]  # the epoch's row of the history


class Fit(NamedTuple):
    """What a run leaves behind."""

    params: Params  # after the last step
    best_params: Params  # at the end of the epoch with the best score: evaluated there, they have `best_score`
    best_epoch: int  # that epoch, 1 for the first; 0 if none was finished or had a score
    state: TrainState  # after the last step, with the optimiser's state
    history: History
    stop: str  # why it ended, in words
    notes: tuple[str, ...]  # what happened on the way: divergence, checkpoints that failed
    interrupted: str | None = None  # the signal that ended it, "SIGINT" or "SIGTERM"
    best_score: float = math.nan  # of best_params: the validation loss, J of the training set, or the metric monitored


def fit(
    objective: Callable[..., Any],
    optimiser: OptimiserLike,
    params: Params,
    data: Any,
    *,
    epochs: int,
    batch_size: int,
    key: Any,
    validation: Any = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    monitor: str | None = None,
    higher_is_better: bool | None = None,
    metrics: Sequence[str | Callable[..., Any]] = (),
    class_weight: Mapping[int, float] | str | None = None,
    class_weight_on_validation: bool = True,
    hooks: Sequence[Callable[[Epoch], Any]] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    history_file: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Fit:
    """Trains a network.

    The first call with an objective and an optimiser compiles a program for their structure and the shapes of the data.
    Other numbers compile nothing: learning rates, schedules, decay, penalties, dropout rates, patience are data.
    Functions are recognised by identity, and `functools.partial`s by their parts: define a lambda once, outside a loop.

    Args:
        objective: J(params, batch), an `Objective` or any function giving a scalar. Metrics need an `Objective`.
        optimiser: ours or optax's.
        params: where to start; they are copied.
        data: (inputs, targets) or (inputs, targets, weight), rows first. Weights are measured by their mean over the
            training rows, so that no unit of them matters: the loss of a batch is Σ w ℓ / (rows · mean weight), whose
            gradient is on average that of the weighted mean of all rows, at any batch size. A plain J is handed weights
            of mean 1: it should take their mean(w ℓ), not Σ w ℓ / Σ w, which is another objective in small batches.
        epochs: whole number ≥ 1.
        batch_size: whole number ≥ 1; a larger one than there are rows means full batches. The last batch of an epoch
            may be short; its gradient is the mean over its own rows, and it counts with them in the epoch's loss.
        key: a PRNG key: of the order of rows, of dropout, of the validation split.
        validation: a fraction in (0, 1) of the rows to hold out, or a data set like `data`. Each class has its share of
            a fraction, and `notes` name those with too few rows for one.
        patience: epochs without improvement after which the run ends, counted from the first finite score; None for
            never.
        min_delta: ≥ 0, by which a score must be better to count as an improvement.
        monitor: what the score is: "validation_loss", "loss" or the name of a metric that JAX can trace, each measured
            at an epoch's end: `best_score` is what evaluating `best_params` gives. "loss" is J of the training set, a
            forward pass over it each epoch. By default "validation_loss"; without a validation set "loss"; and with
            neither that nor patience, the means over epochs' batches choose for nothing, and `best_score` is J of what
            they chose or of the last epoch's end, whichever is lower, measured when the run is over.
        higher_is_better: of a monitored metric of your own; the named metrics know.
        metrics: names from `jaxnn.metrics`, or functions (outputs, targets, weight) -> scalar of the raw outputs,
            computed at the end of each epoch on the validation set, or on the data without one. A function that JAX
            can't trace is called with numpy arrays between epochs, which is slower. Their weights are the rows' own,
            divided by their mean, without those of classes: accuracy is that of the rows as they are.
        class_weight: class -> weight, or "balanced", rows / (classes · rows of class); multiplies the training rows'
            weights.
        class_weight_on_validation: whether the same weights multiply those of the validation rows in the validation
            loss. They do unless this is False, so that the best epoch is chosen, and patience counts, by what is
            minimised: with rare classes the loss without weights prefers the first epochs. (In Keras they do not.)
        hooks: called with an `Epoch` after each epoch; one that returns something true ends the run.
        checkpoint: a folder in which the run is saved every now and then.
        resume: go on from the newest checkpoint in that folder, if there is one. The run then ends with the same bits
            as if it had never stopped.
        history_file: one line of JSON per epoch is written there at the end.
        progress: whether to report on standard error.

    Returns:
        A `Fit`. Divergence is no exception: the run goes back to its last good epoch and on at half the rate, a few
        times, and `stop` and `notes` say so. SIGINT (Ctrl-C) and SIGTERM end it with everything learnt so far. Started
        in the background, a process ignores SIGINT, as shells arrange, and so does the run; SIGTERM still ends it.

    Raises:
        ValueError: shapes, labels, values or arguments that do not fit, before anything is trained; a checkpoint of
            another run.
        TypeError: arguments or data of the wrong kind.
        OSError: a folder or file that can't be written, before anything is trained.
    """
    for name, count in {
        "epochs": epochs,
        "batch_size": batch_size,
        "patience": 1 if patience is None else patience,
    }.items():
        checks.whole(1, **{name: count})
        if count > NEVER:
            raise ValueError(f"{name} must be below 2³¹, got {count}.")
    checks.non_negative(min_delta=min_delta)
    if callable(hooks):
        raise TypeError(f"hooks must be a sequence of functions, as in hooks=[{hooks!r}].")
    if not isinstance(optimiser, OptimiserLike):
        raise TypeError(f"optimiser must have init and update, as optimisers.adam(1e-3) has; got {optimiser!r}.")
    if not hasattr(key, "dtype"):
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), got {key!r}.")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs the checkpoint folder to resume from.")
    notes: list[str] = []
    data = prepare.on_device(data, "training set")
    if isinstance(validation, int | float):
        split_key = jax.random.fold_in(key, SPLIT_KEY)
        data, validation, note = prepare.split_rows(data, float(validation), split_key)
        notes += [] if note is None else [note]
    elif validation is not None:
        validation = prepare.on_device(validation, "validation set")
    weights = prepare.class_weights(data[1], class_weight)
    metric_weight = split(data if validation is None else validation)[2]
    data = prepare.with_class_weight(data, weights, "training set")
    if validation is not None:
        on_validation = weights if class_weight_on_validation else None
        validation = prepare.with_class_weight(validation, on_validation, "validation set")
    prepare.rehearse(objective, params, data, "training set")
    if validation is not None:
        prepare.rehearse(objective, params, validation, "validation set")
    compiled, on_host = _sort_metrics(objective, params, data, metrics)
    notes += _undefined(objective, params, data, validation, metrics, metric_weight, monitor)
    if history_file is not None:
        check_writable(history_file)

    rows = jax.tree.leaves(data[0])[0].shape[0]
    monitored = monitor or ("loss" if validation is None else "validation_loss")
    column, sign = _monitor(monitored, compiled, on_host, higher_is_better, validated=validation is not None)
    if monitor is None and validation is None and patience is None:
        column = LOSS  # which is there anyway
    plan = Plan(objective, optimiser, rows, min(batch_size, rows), tuple(compiled.values()), column, sign)
    records = Records(
        tuple(compiled), tuple(on_host), validated=validation is not None, training_loss=column == TRAINING_LOSS
    )
    structure.watch(plan, stacklevel=2)
    limits = Limits(0, int(epochs), NEVER if patience is None else int(patience), float(min_delta))
    run = _Run(plan, key, Sets(data, validation, metric_weight), limits, records, on_host, tuple(hooks), monitored)
    run.carry = start(plan, params, key)
    if plan.batch_size < rows and report(run.carry.train.opt_state) is not None:
        warnings.warn(
            f"The optimiser compares values of J from step to step, and with {plan.batch_size} of {rows} rows a step "
            f"their noise drowns what it looks for: give batch_size={rows}, or use training.minimise.",
            stacklevel=2,
        )
    if checkpoint is not None:
        run.checkpoints = Checkpoints(checkpoint, plan, run.carry, data, validation, key)
        run.checkpoints.prepare(resume=resume)
        if resume:
            run.resume()
    run.show = reporter(progress, epochs)
    for note in notes:
        if note not in run.notes:  # as those of a run that is resumed have it already
            run.note(note)
    try:
        stop = run.go()
    finally:
        run.show.close()
    history = records.history()
    if history_file is not None:
        try:
            history.write(history_file)
        except OSError as error:
            run.note(f"The history could not be written: {error}")
    carry = run.carry
    best_params, best_epoch, best_score = run.best()
    if len(records) and not math.isfinite(best_score):
        run.note(f"The score, {monitored}, was never a finite number: the best parameters are the last ones.")
    return Fit(
        params=carry.train.params,
        best_params=best_params,
        best_epoch=best_epoch,
        state=carry.train,
        history=history,
        stop=stop,
        notes=tuple(run.notes),
        interrupted=run.interrupted,
        best_score=best_score,
    )


class _Run:
    """The host's side of a run: what changes between two compiled calls."""

    checkpoints: Checkpoints | None = None
    carry: Carry
    show: Any
    interrupted: str | None = None  # the signal that ended the run
    told_undefined = False  # that the score is not a finite number

    def __init__(
        self,
        plan: Plan,
        key: Any,
        sets: Sets,
        limits: Limits,
        records: Records,
        on_host: dict[str, Callable[..., Any]],
        hooks: tuple[Callable[[Epoch], Any], ...],
        monitored: str,
    ) -> None:
        self.plan, self.key, self.sets = plan, key, sets
        self.limits, self.records, self.on_host, self.hooks = limits, records, on_host, hooks
        self.monitored = monitored
        self.notes: list[str] = []
        self.retries = 0
        self.diverged_after = -1  # epochs finished when the run last diverged
        self.earlier = 0.0  # seconds of the run before it was resumed
        self.began = time.monotonic()

    def resume(self) -> None:
        """Takes up the newest checkpoint, if there is one."""
        assert self.checkpoints is not None
        found = self.checkpoints.load(self.carry, self.records)
        if found is not None:
            carry, self.earlier, (self.retries, self.diverged_after) = found
            self.notes = list(self.checkpoints.notes)
            best = int(carry.best_epoch)
            stalled = best > 0 and int(carry.epoch) - best >= self.limits.patience  # it may be another patience now
            self.carry = carry._replace(status=jnp.asarray(STALLED if stalled else RUNNING, jnp.int32))

    def go(self) -> str:
        """Calls the program until the run ends, and says why it did."""
        steps = self.first_call()
        self.began = time.monotonic()
        first = True
        with listening() as interrupt:
            while True:
                stop = self.ended()
                self.interrupted = interrupt.received
                if stop is None and interrupt.received is not None:
                    stop = f"interrupted by {interrupt.received} after {int(self.carry.epoch)} epochs"
                if stop is not None:
                    self.save(last=True)
                    return stop
                before, call_began = int(self.carry.train.step), time.monotonic()
                ended = self.call(steps)
                taken, took = int(self.carry.train.step) - before, time.monotonic() - call_began
                growth = min(GROWTH, CALL_SECONDS / max(took, 1e-6))
                if not first or growth > 1:  # a long first call was mostly the compiler's
                    steps = min(NEVER, max(1, int(taken * growth)))
                first = False
                stop = self.after_call(ended)
                self.save(last=stop is not None)
                if stop is not None:
                    self.interrupted = interrupt.received
                    return stop

    def first_call(self) -> int:
        """Steps that any machine takes in a fraction of a second."""
        work = 6 * tree.size(self.carry.train.params) * self.plan.batch_size
        return min(FIRST_STEPS, max(1, int(FIRST_FLOPS / max(work, 1))))

    def call(self, steps: int) -> int:
        """One call of the program; returns how many epochs ended."""
        if self.hooks or self.on_host:  # the host is needed after every epoch
            left = self.plan.whole_batches - int(self.carry.batch)
            steps = min(steps, max(left, 1))
        self.carry, table, count = advance(
            self.plan, self.carry, self.key, self.sets, self.limits._replace(steps=steps)
        )
        ended = int(count)
        if ended:
            self.records.add(np.asarray(table)[:ended], self.elapsed())
        return ended

    def after_call(self, ended: int) -> str | None:
        """What the host does with the epochs that ended; a reason to stop, or None."""
        if int(self.carry.status) == DIVERGED or not np.isfinite(self.carry.sums.loss):
            return self.diverged()
        if not ended:
            return None
        for name, metric in self.on_host.items():
            self.records.fill(name, self.measure(metric))
        values = self.records.latest()
        self.show.show(len(self.records), values)
        going_on = len(self.records) < self.limits.epochs
        if going_on and not int(self.carry.best_epoch) and not self.plan.behind and not self.told_undefined:
            self.told_undefined = True
            score = self.records.values[-1][self.plan.monitor]
            self.note(
                f"The score, {self.monitored}, is {score:g} after epoch {len(self.records)}: until it is a finite "
                f"number no epoch is the best, and patience waits."
            )
        for hook in self.hooks:
            told = Epoch(len(self.records), _copy(self.carry.train.params), _copy(self.carry.best_params), values)
            if hook(told):
                return f"a hook ended the run after {told.epoch} epochs"
        return None

    def ended(self) -> str | None:
        """Why the run is over, or None."""
        epoch = int(self.carry.epoch)
        if int(self.carry.status) == STALLED:
            return (
                f"no improvement for {self.limits.patience} epochs: "
                f"the best was epoch {int(self.carry.best_epoch)} of {epoch}"
            )
        if epoch >= self.limits.epochs:
            return f"all {epoch} epochs done"
        return None

    def diverged(self) -> str | None:
        """Rolls back; gives up, saying so, when that has been tried often enough or cannot help."""
        epoch, factor = int(self.carry.epoch), float(self.carry.slowdown)
        stuck = epoch == self.diverged_after  # not one epoch was finished since the last time
        two_ends = len(set(np.asarray(self.carry.ends.step).tolist())) == 2
        back_here = roll_back(self.carry)
        astray = back_here._replace(slowdown=self.carry.slowdown)
        fault = jax.device_get(faults.first_fault(self.plan, astray, self.key, self.sets.training))
        what = faults.told(fault, faults.leaf_names(self.carry.train.params))
        reason = faults.why(fault)
        if stuck and two_ends:
            self.records.drop()
            self.carry = roll_further_back(self.carry, self.last_score())
        else:
            self.carry = back_here
        back = int(self.carry.epoch)
        if epoch == 0 and faults.at_the_start(fault):
            remedy = reason or "Start from other parameters, and scale the inputs"
            return f"{what} in epoch 1 on its first batch, where no learning rate has had a part yet. {remedy}"
        if self.retries == RETRIES:
            remedy = reason or "Lower the learning rate, scale the inputs, or clip the gradient"
            return (
                f"{what} in epoch {epoch + 1} even at {factor:g} of the learning rate, after "
                f"{RETRIES} halvings: the parameters are those of epoch {back}. {remedy}"
            )
        self.retries, self.diverged_after = self.retries + 1, back
        self.note(
            f"{what[0].upper()}{what[1:]} in epoch {epoch + 1}: back to the end of epoch {back}, "
            f"and on at {factor / 2:g} of the learning rate.{'' if reason is None else f' {reason}.'}"
        )
        return None

    def last_score(self) -> float:
        """Of the last epoch in the books, smaller is better; infinite where there is none."""
        if not len(self.records) or self.plan.behind:
            return math.inf
        return self.plan.sign * self.records.values[-1][self.plan.monitor]

    def best(self) -> tuple[Params, int, float]:
        """The best parameters, their epoch, and what the score of these very parameters is."""
        params, epoch = self.carry.best_params, int(self.carry.best_epoch)
        if epoch and self.plan.monitor != LOSS:
            return params, epoch, self.plan.sign * float(self.carry.best_score)
        # The score was never finite; or it was the mean over an epoch's batches, each before its update: J itself is
        # measured now, of what that mean chose and of the last epoch's end.
        score = self.score(params) if epoch else math.nan
        last = self.carry.train.params if not int(self.carry.batch) else last_end(self.carry)
        last_score = score if epoch and epoch == int(self.carry.epoch) else self.score(last)
        if not epoch or self.plan.sign * last_score < self.plan.sign * score or not math.isfinite(score):
            return last, int(self.carry.epoch) if math.isfinite(last_score) else 0, last_score
        return params, epoch, score

    def score(self, params: Params) -> float:
        """What is monitored, of some parameters."""
        column = TRAINING_LOSS if self.plan.monitor == LOSS else self.plan.monitor
        judged = _jitted_judge(self.plan._replace(monitor=column), params, self.sets, self.carry.train.key)
        return float(judged[column - VALIDATION_LOSS])

    def measure(self, metric: Callable[..., Any]) -> float:
        x, y, _ = split(self.sets.training if self.sets.validation is None else self.sets.validation)
        weight = self.sets.metric_weight
        outputs = np.asarray(_jitted_outputs(self.plan.objective, self.carry.train.params, x))
        return float(metric(outputs, np.asarray(y), None if weight is None else np.asarray(weight)))

    def save(self, *, last: bool = False) -> None:
        if self.checkpoints is not None:
            write = self.checkpoints.save_now if last else self.checkpoints.save
            failure = write(self.carry, self.records, self.elapsed(), (self.retries, self.diverged_after), self.notes)
            if failure is not None:
                self.note(failure)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
        self.show.say(sentence)

    def elapsed(self) -> float:
        return self.earlier + time.monotonic() - self.began


def _sort_metrics(
    objective: Callable[..., Any], params: Params, data: Any, metrics: Sequence[str | Callable[..., Any]]
) -> tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]:
    """The metrics by name: those that JAX can trace, and those that the host must compute."""
    if isinstance(metrics, str) or callable(metrics):
        raise TypeError(f"metrics must be a sequence, as in metrics=[{metrics!r}].")
    if metrics and not isinstance(objective, Objective):
        raise ValueError("Metrics need the network's outputs: pass an Objective(predict, loss) as the objective.")
    compiled: dict[str, Callable[..., Any]] = {}
    on_host: dict[str, Callable[..., Any]] = {}
    for metric in metrics:
        name, function = (
            (metric, metrics_module.from_outputs(metric)) if isinstance(metric, str) else (_name(metric), metric)
        )
        if name in compiled or name in on_host or name in (*COLUMNS, "epoch", "seconds"):
            raise ValueError(f"The metric name {name!r} is taken; give the function another __name__.")
        (compiled if isinstance(metric, str) or _traceable(function, objective, params, data) else on_host)[name] = (
            function
        )
    return compiled, on_host


def _name(metric: Callable[..., Any]) -> str:
    return getattr(metric, "__name__", type(metric).__name__)


def _traceable(metric: Callable[..., Any], objective: Any, params: Params, data: Any) -> bool:
    """Whether JAX can trace a metric: numpy's and scikit-learn's functions say no by a tracer's conversion error."""
    try:
        inspect.signature(metric).bind(None, None, None)
    except TypeError:
        raise TypeError(
            f"The metric {_name(metric)} must take (outputs, targets, weight), raw outputs first; wrap one of another "
            f"library, as in lambda outputs, targets, weight: {_name(metric)}(targets, outputs.argmax(axis=1))."
        ) from None
    x, y, weight = split(data)
    outputs = prepare.shape_of_outputs(objective, params, x)
    try:
        value = jax.eval_shape(metric, outputs, y, weight)
        if jnp.shape(value) != ():
            raise TypeError(f"The metric {_name(metric)} must give one number, got shape {jnp.shape(value)}.")
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
        return False
    return True


def _undefined(
    objective: Any, params: Params, data: Any, validation: Any, metrics: Sequence[Any], weight: Any, monitor: str | None
) -> list[str]:
    """Notes about named metrics that have no value on the rows they are to be measured on.

    Raises:
        ValueError: one of them is monitored.
    """
    names = [metric for metric in metrics if isinstance(metric, str)]
    if not names:
        return []
    what, (x, y, _) = ("training set", split(data)) if validation is None else ("validation set", split(validation))
    found = prepare.undefined_metrics(names, prepare.shape_of_outputs(objective, params, x), y, weight)
    if monitor in found:
        raise ValueError(
            f"monitor={monitor!r} is not defined on the {what}: {found[monitor]}. Monitor another score, or give "
            f"validation rows of every class."
        )
    return [f"{name} is not defined on the {what}, and nan in the history: {why}." for name, why in found.items()]


def _monitor(
    monitor: str, compiled: Mapping[str, Any], on_host: Mapping[str, Any], higher: bool | None, *, validated: bool
) -> tuple[int, float]:
    """The column of a record that is the score, and the sign that makes smaller better."""
    if monitor in on_host:
        raise ValueError(f"{monitor!r} is computed on the host between epochs and can't be monitored: write it in JAX.")
    columns = {"loss": TRAINING_LOSS} | ({"validation_loss": VALIDATION_LOSS} if validated else {})
    columns |= {name: METRICS + i for i, name in enumerate(compiled)}
    column = checks.one_of(monitor, columns, "monitor")
    if higher is None:
        if monitor in compiled and monitor not in metrics_module.HIGHER_IS_BETTER:
            raise ValueError(f"Say whether more of {monitor!r} is better: pass higher_is_better=True or False.")
        higher = metrics_module.HIGHER_IS_BETTER.get(monitor, False)
    return column, -1.0 if higher else 1.0


@jax.jit
def _copy(params: Params) -> Params:
    """Buffers of a hook's own: the run's are reused by its next call."""
    return jax.tree.map(jnp.copy, params)


_jitted_outputs = jax.jit(outputs_of)
_jitted_judge = Once(judge)
