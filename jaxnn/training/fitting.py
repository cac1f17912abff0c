"""`fit`: trains on data that fit into memory, epoch by epoch, and keeps every result.

The work is done by one compiled program (`epochs.advance`), called for as many steps as take a fraction of a second.
Between two calls the host shows progress, saves checkpoints, checks for signals, and returns a run that diverged to its
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
from jaxnn.training import faults, inputs
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
    evaluate_sets,
    last_snapshot,
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

CALL_SECONDS = 0.2  # how long a compiled call should take, and so how long Ctrl-C waits
FIRST_FLOPS = 1e9  # floating-point operations in the first call: a fraction of a second on any machine
FIRST_STEPS = 1000  # the most in the first call: an objective may take longer than its parameters suggest
GROWTH = 16  # the most by which the number of steps grows from call to call
RETRIES = 5  # for a run that diverges, each at half the previous learning rate
NEVER = 2**31 - 1
SPLIT_KEY = 2**31 - 2  # folded into the key for the validation split


class Epoch(NamedTuple):
    """What a hook receives after each epoch."""

    epoch: int  # finished epochs, 1 after the first
    params: Params
    best_params: Params  # so far; at first the initial parameters, with full batches and no monitor
    values: dict[str, float]  # the epoch's row of the history


class Fit(NamedTuple):
    """The result of `fit`."""

    params: Params  # after the last step
    best_params: Params  # at the end of the epoch with the best score, which is `best_score`
    best_epoch: int  # the number of that epoch, from 1; 0 if no epoch was finished or had a finite score
    state: TrainState  # after the last step, with the optimiser's state
    history: History
    stop: str  # why the run ended, as a sentence
    notes: tuple[str, ...]  # events during the run, such as divergence or checkpoints that failed
    interrupted: str | None = None  # the signal that ended the run, "SIGINT" or "SIGTERM"
    best_score: float = math.nan  # of best_params: the validation loss, J of the training set, or monitored metric


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
    Other numbers compile nothing: learning rates, schedules, decay, penalties, dropout rates and patience are data.
    Functions are compared by identity, and those of `functools.partial` by their components, so define a lambda once,
    outside any loop.

    Args:
        objective: J(params, batch), an `Objective` or any function that returns a scalar. Metrics need an `Objective`.
        optimiser: ours or optax's.
        params: the initial parameters; they are copied.
        data: (inputs, targets) or (inputs, targets, weight), rows first. Weights are divided by their mean over
            the training rows, so their unit does not matter: the loss of a batch is Σ w ℓ / (rows · mean weight), whose
            gradient is on average that of the weighted mean of all rows, for any batch size. A plain J gets weights of
            mean 1 and should return mean(w ℓ), not Σ w ℓ / Σ w, which is another objective in small batches.
        epochs: whole number ≥ 1.
        batch_size: whole number ≥ 1; if it exceeds the number of rows, batches are full. The last batch of an
            epoch may be short; its gradient is the mean over its own rows, by whose number it counts in the epoch's
            loss.
        key: a PRNG key for the order of the rows, dropout and the validation split.
        validation: the fraction of rows to hold out, in (0, 1), or a data set like `data`. A fraction is taken of each
            class, and `notes` names classes with too few rows for that.
        patience: epochs without improvement after which the run ends, counted from the first finite score; None for
            never.
        min_delta: how much better a score must be to count as an improvement, ≥ 0.
        monitor: the score that decides which epoch is best: "validation_loss", "loss" or the name of a metric that JAX
            can trace. It is measured at the end of each epoch, so `best_score` is that of `best_params`. "loss" is J of
            the training set, which costs a forward pass over it each epoch. The default is "validation_loss", or "loss"
            without a validation set. If there is also no patience, epochs are instead compared by the mean loss over
            their batches, which costs nothing; `best_score` is then J of the epoch chosen, or of the last if it is
            lower, measured at the end of the run.
        higher_is_better: whether a higher value is better, for a monitored metric of your own.
        metrics: names from `jaxnn.metrics`, or functions (outputs, targets, weight) -> scalar of the raw outputs,
            computed at the end of each epoch on the validation set, or on the data without one. A function that JAX
            can't trace is called with numpy arrays between epochs, which is slower. Metrics use the rows' own weights,
            divided by their mean, but not class weights: accuracy is that of the rows as they are.
        class_weight: class -> weight, or "balanced", rows / (classes · rows of class); multiplies the training rows'
            weights.
        class_weight_on_validation: whether class weights apply to the validation loss too. If True, the best epoch and
            patience depend on the loss that is minimised; without class weights, and with rare classes, the validation
            loss favours the first epochs. (Keras does not apply them.)
        hooks: called with an `Epoch` after each epoch; the run ends if one returns something true.
        checkpoint: a folder in which the run is saved at intervals.
        resume: whether to continue from the newest checkpoint in that folder, if there is one. The run then ends with
            the same bits as if it had never stopped.
        history_file: a file to which one line of JSON per epoch is written at the end.
        progress: whether to print progress on standard error.

    Returns:
        A `Fit`. Divergence raises no exception: the run returns to its last good epoch and continues at half the
        learning rate, a few times, and `stop` and `notes` say so. SIGINT (Ctrl-C) and SIGTERM end the run and keep what
        was learnt so far. A shell starts background processes with SIGINT ignored, also for the run; SIGTERM still ends
        it.

    Raises:
        ValueError: shapes, labels, values or arguments are invalid, or a checkpoint belongs to another run. All errors
            are raised before training starts.
        TypeError: arguments or data have the wrong type.
        OSError: a folder or file can't be written.
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
        raise TypeError(f"optimiser must have init and update, such as optimisers.adam(1e-3), got {optimiser!r}.")
    if not hasattr(key, "dtype"):
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), got {key!r}.")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs the folder to resume from: pass checkpoint=folder.")
    notes: list[str] = []
    data = inputs.on_device(data, "training set")
    if isinstance(validation, int | float):
        split_key = jax.random.fold_in(key, SPLIT_KEY)
        data, validation, note = inputs.split_rows(data, float(validation), split_key)
        notes += [] if note is None else [note]
    elif validation is not None:
        validation = inputs.on_device(validation, "validation set")
    weights = inputs.class_weights(data[1], class_weight)
    metric_weight = split(data if validation is None else validation)[2]
    data = inputs.with_class_weight(data, weights, "training set")
    if validation is not None:
        on_validation = weights if class_weight_on_validation else None
        validation = inputs.with_class_weight(validation, on_validation, "validation set")
    inputs.rehearse(objective, params, data, "training set")
    if validation is not None:
        inputs.rehearse(objective, params, validation, "validation set")
    compiled, on_host = _sort_metrics(objective, params, data, metrics)
    notes += _undefined(objective, params, data, validation, metrics, metric_weight, monitor)
    if history_file is not None:
        check_writable(history_file)

    rows = jax.tree.leaves(data[0])[0].shape[0]
    monitored = monitor or ("loss" if validation is None else "validation_loss")
    column, sign = _monitor(monitored, compiled, on_host, higher_is_better, validated=validation is not None)
    if monitor is None and validation is None and patience is None:
        column = LOSS  # which is computed anyway
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
            f"The optimiser compares values of J between steps, and with {plan.batch_size} of {rows} rows per step,"
            f" noise dominates the differences: pass batch_size={rows}, or use training.minimise.",
            stacklevel=2,
        )
    if checkpoint is not None:
        run.checkpoints = Checkpoints(checkpoint, plan, run.carry, data, validation, key)
        run.checkpoints.create_folder(resume=resume)
        if resume:
            run.resume()
    run.show = reporter(progress, epochs)
    for note in notes:
        if note not in run.notes:  # a resumed run may have it already
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
            run.note(f"The history file could not be written: {error}")
    carry = run.carry
    best_params, best_epoch, best_score = run.best()
    if len(records) and not math.isfinite(best_score):
        run.note(f"The score, {monitored}, was never a finite number, so best_params are the last parameters.")
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
    """The host's part of a run: what changes between two compiled calls."""

    checkpoints: Checkpoints | None = None
    carry: Carry
    show: Any
    interrupted: str | None = None  # the signal that ended the run
    noted_undefined = False  # whether a note has said that the score is not a finite number

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
        self.earlier = 0.0  # seconds that the run took before it was resumed
        self.began = time.monotonic()

    def resume(self) -> None:
        """Continues from the newest checkpoint, if there is one."""
        assert self.checkpoints is not None
        found = self.checkpoints.load(self.carry, self.records)
        if found is not None:
            carry, self.earlier, (self.retries, self.diverged_after) = found
            self.notes = list(self.checkpoints.notes)
            best = int(carry.best_epoch)
            stalled = best > 0 and int(carry.epoch) - best >= self.limits.patience  # patience may have changed
            self.carry = carry._replace(status=jnp.asarray(STALLED if stalled else RUNNING, jnp.int32))

    def go(self) -> str:
        """Calls the program until the run ends, and returns the reason."""
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
                if not first or growth > 1:  # most of a long first call was compilation
                    steps = min(NEVER, max(1, int(taken * growth)))
                first = False
                stop = self.after_call(ended)
                self.save(last=stop is not None)
                if stop is not None:
                    self.interrupted = interrupt.received
                    return stop

    def first_call(self) -> int:
        """The number of steps in the first call, which take a fraction of a second on any machine."""
        work = 6 * tree.size(self.carry.train.params) * self.plan.batch_size
        return min(FIRST_STEPS, max(1, int(FIRST_FLOPS / max(work, 1))))

    def call(self, steps: int) -> int:
        """Calls the program once; returns how many epochs ended."""
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
        """Handles the epochs that ended; returns a reason to stop, or None."""
        if int(self.carry.status) == DIVERGED or not np.isfinite(self.carry.sums.loss):
            return self.diverged()
        if not ended:
            return None
        for name, metric in self.on_host.items():
            self.records.fill(name, self.measure(metric))
        values = self.records.latest()
        self.show.show(len(self.records), values)
        going_on = len(self.records) < self.limits.epochs
        if going_on and not int(self.carry.best_epoch) and not self.plan.behind and not self.noted_undefined:
            self.noted_undefined = True
            score = self.records.values[-1][self.plan.monitor]
            self.note(
                f"The score, {self.monitored}, is {score:g} after epoch {len(self.records)}. Until it is a finite"
                f" number, no epoch counts as the best, and patience does not start."
            )
        for hook in self.hooks:
            epoch = Epoch(len(self.records), _copy(self.carry.train.params), _copy(self.carry.best_params), values)
            if hook(epoch):
                return f"a hook ended the run after {epoch.epoch} epochs"
        return None

    def ended(self) -> str | None:
        """Why the run has ended, or None."""
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
        """Rolls back and returns None; or returns why it gives up, after enough retries or if they cannot help."""
        epoch, factor = int(self.carry.epoch), float(self.carry.slowdown)
        stuck = epoch == self.diverged_after  # no epoch was finished since the last divergence
        two_snapshots = len(set(np.asarray(self.carry.snapshots.step).tolist())) == 2
        rolled_back = roll_back(self.carry)
        at_full_rate = rolled_back._replace(slowdown=self.carry.slowdown)
        fault = jax.device_get(faults.first_fault(self.plan, at_full_rate, self.key, self.sets.training))
        what = faults.describe(fault, faults.leaf_names(self.carry.train.params))
        reason = faults.why(fault)
        if stuck and two_snapshots:
            self.records.drop()
            self.carry = roll_further_back(self.carry, self.last_score())
        else:
            self.carry = rolled_back
        back = int(self.carry.epoch)
        if epoch == 0 and faults.at_the_start(fault):
            remedy = reason or "Start from other parameters, and scale the inputs"
            return (
                f"{what} on the first batch of epoch 1, before any step, so the learning rate is not the cause. "
                f"{remedy}"
            )
        if self.retries == RETRIES:
            remedy = reason or "Lower the learning rate, scale the inputs, or clip the gradient"
            return (
                f"{what} in epoch {epoch + 1} even at {factor:g} times the learning rate, after "
                f"{RETRIES} halvings; the parameters are those of epoch {back}. {remedy}"
            )
        self.retries, self.diverged_after = self.retries + 1, back
        self.note(
            f"{what[0].upper()}{what[1:]} in epoch {epoch + 1}. The run returned to the end of epoch {back} "
            f"and continues at {factor / 2:g} times the learning rate.{'' if reason is None else f' {reason}.'}"
        )
        return None

    def last_score(self) -> float:
        """The score of the last recorded epoch, smaller is better; infinite if there is none."""
        if not len(self.records) or self.plan.behind:
            return math.inf
        return self.plan.sign * self.records.values[-1][self.plan.monitor]

    def best(self) -> tuple[Params, int, float]:
        """The best parameters, their epoch, and their score."""
        params, epoch = self.carry.best_params, int(self.carry.best_epoch)
        if epoch and self.plan.monitor != LOSS:
            return params, epoch, self.plan.sign * float(self.carry.best_score)
        # Either the score was never finite, or it was the mean over an epoch's batches, each before its update. Now J
        # itself is measured, of the parameters chosen by that mean and of the last ones.
        score = self.score(params) if epoch else math.nan
        last = self.carry.train.params if not int(self.carry.batch) else last_snapshot(self.carry)
        last_score = score if epoch and epoch == int(self.carry.epoch) else self.score(last)
        if not epoch or self.plan.sign * last_score < self.plan.sign * score or not math.isfinite(score):
            return last, int(self.carry.epoch) if math.isfinite(last_score) else 0, last_score
        return params, epoch, score

    def score(self, params: Params) -> float:
        """The score of some parameters."""
        column = TRAINING_LOSS if self.plan.monitor == LOSS else self.plan.monitor
        evaluated = _jitted_evaluate_sets(self.plan._replace(monitor=column), params, self.sets, self.carry.train.key)
        return float(evaluated[column - VALIDATION_LOSS])

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
    """The metrics by name: those that JAX can trace, and those to compute on the host."""
    if isinstance(metrics, str) or callable(metrics):
        raise TypeError(f"metrics must be a sequence, such as metrics=[{metrics!r}].")
    if metrics and not isinstance(objective, Objective):
        raise ValueError("Metrics need the network's outputs: pass an Objective(predict, loss) as the objective.")
    compiled: dict[str, Callable[..., Any]] = {}
    on_host: dict[str, Callable[..., Any]] = {}
    for metric in metrics:
        name, function = (
            (metric, metrics_module.from_outputs(metric)) if isinstance(metric, str) else (_name(metric), metric)
        )
        if name in compiled or name in on_host or name in (*COLUMNS, "epoch", "seconds"):
            raise ValueError(f"The metric name {name!r} is already used: give the function another __name__.")
        (compiled if isinstance(metric, str) or _traceable(function, objective, params, data) else on_host)[name] = (
            function
        )
    return compiled, on_host


def _name(metric: Callable[..., Any]) -> str:
    return getattr(metric, "__name__", type(metric).__name__)


def _traceable(metric: Callable[..., Any], objective: Any, params: Params, data: Any) -> bool:
    """Whether JAX can trace a metric: NumPy's and scikit-learn's functions raise a tracer's conversion error."""
    try:
        inspect.signature(metric).bind(None, None, None)
    except TypeError:
        raise TypeError(
            f"The metric {_name(metric)} must take (outputs, targets, weight), with raw outputs first. Wrap a function"
            f" of another library: lambda outputs, targets, weight: {_name(metric)}(targets, outputs.argmax(axis=1))."
        ) from None
    x, y, weight = split(data)
    outputs = inputs.shape_of_outputs(objective, params, x)
    try:
        value = jax.eval_shape(metric, outputs, y, weight)
        if jnp.shape(value) != ():
            raise TypeError(f"The metric {_name(metric)} must return one number, got shape {jnp.shape(value)}.")
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
        return False
    return True


def _undefined(
    objective: Any, params: Params, data: Any, validation: Any, metrics: Sequence[Any], weight: Any, monitor: str | None
) -> list[str]:
    """Notes about named metrics that are undefined on the rows on which they would be measured.

    Raises:
        ValueError: one of them is monitored.
    """
    names = [metric for metric in metrics if isinstance(metric, str)]
    if not names:
        return []
    what, (x, y, _) = ("training set", split(data)) if validation is None else ("validation set", split(validation))
    found = inputs.undefined_metrics(names, inputs.shape_of_outputs(objective, params, x), y, weight)
    if monitor in found:
        raise ValueError(
            f"monitor={monitor!r} is undefined on the {what}: {found[monitor]}. Monitor another score, or provide "
            f"validation rows of every class."
        )
    return [f"{name} is undefined on the {what}, so it is nan in the history: {why}." for name, why in found.items()]


def _monitor(
    monitor: str, compiled: Mapping[str, Any], on_host: Mapping[str, Any], higher: bool | None, *, validated: bool
) -> tuple[int, float]:
    """The column of a record that holds the score, and the sign that makes smaller better."""
    if monitor in on_host:
        raise ValueError(
            f"{monitor!r} is computed on the host between epochs, so it can't be monitored: write it in JAX."
        )
    columns = {"loss": TRAINING_LOSS} | ({"validation_loss": VALIDATION_LOSS} if validated else {})
    columns |= {name: METRICS + i for i, name in enumerate(compiled)}
    column = checks.one_of(monitor, columns, "monitor")
    if higher is None:
        if monitor in compiled and monitor not in metrics_module.HIGHER_IS_BETTER:
            raise ValueError(
                f"It is unknown whether a higher {monitor!r} is better: pass higher_is_better=True or False."
            )
        higher = metrics_module.HIGHER_IS_BETTER.get(monitor, False)
    return column, -1.0 if higher else 1.0


@jax.jit
def _copy(params: Params) -> Params:
    """A copy for hooks, because the next call reuses the run's buffers."""
    return jax.tree.map(jnp.copy, params)


_jitted_outputs = jax.jit(outputs_of)
_jitted_evaluate_sets = Once(evaluate_sets)
