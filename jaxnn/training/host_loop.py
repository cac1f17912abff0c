"""The host's part of a run of `fit`: what happens between two calls of the compiled program (`epochs.advance`).

Each call trains for as many steps as take a fraction of a second. Then the host shows progress, saves checkpoints,
checks for signals, and returns a run that diverged to its last good epoch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import tree
from jaxnn.objective import split
from jaxnn.once import Once
from jaxnn.training import faults, run_checkpoint
from jaxnn.training.checkpoint import Checkpoints
from jaxnn.training.endings import Ending, ending
from jaxnn.training.epochs import (
    DIVERGED,
    LOSS,
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
)
from jaxnn.training.history import Records
from jaxnn.training.interrupt import listening
from jaxnn.training.preparation import NEVER
from jaxnn.training.progress import Progress
from jaxnn.types import Params

CALL_SECONDS = 0.2  # how long a compiled call should take, and so how long Ctrl-C waits
FIRST_FLOPS = 1e9  # floating-point operations in the first call: a fraction of a second on any machine
FIRST_STEPS = 1000  # the most in the first call: an objective may take longer than its parameters suggest
GROWTH = 16  # the most by which the number of steps grows from call to call
RETRIES = 5  # for a run that diverges, each at half the previous learning rate


class Epoch(NamedTuple):
    """What a hook receives after each epoch."""

    epoch: int  # finished epochs, 1 after the first
    params: Params
    best_params: Params  # so far; at first the initial parameters, with full batches and no monitor
    values: dict[str, float]  # the epoch's row of the history


@dataclass
class Run:
    """A run of `fit`, complete before its first step."""

    plan: Plan
    key: Any
    sets: Sets
    limits: Limits
    carry: Carry
    records: Records
    progress: Progress
    monitored: str  # the name of the score
    on_host: dict[str, Callable[..., Any]] = field(default_factory=dict)  # metrics by name
    hooks: tuple[Callable[[Epoch], Any], ...] = ()
    checkpoints: Checkpoints | None = None
    notes: list[str] = field(default_factory=list)
    retries: int = 0
    diverged_after: int = -1  # epochs finished when the run last diverged
    earlier: float = 0.0  # seconds that the run took before it was resumed
    began: float = field(default_factory=time.monotonic)
    interrupted: str | None = None  # the signal that ended the run
    noted_undefined: bool = False  # whether a note has said that the score is not a finite number

    def resume(self) -> None:
        """Continues from the newest checkpoint, if there is one."""
        assert self.checkpoints is not None
        found = run_checkpoint.load(self.checkpoints, self.carry)
        if found is not None:
            carry, history, self.earlier, self.retries, self.diverged_after, self.notes = found
            self.records.restore(history)
            self.carry = with_patience(carry, self.limits.patience)

    def go(self) -> Ending:
        """Calls the program until the run ends, and returns why it did."""
        steps = self.first_call()
        self.began = time.monotonic()
        first = True
        with listening() as interrupt:
            while True:
                stop = self.ended()
                self.interrupted = interrupt.received
                if stop is None and interrupt.received is not None:
                    stop = ending("interrupted", signal=interrupt.received, epochs=int(self.carry.epoch))
                if stop is not None:
                    self.save(last=True)
                    return stop
                before, call_began = int(self.carry.train.step), time.monotonic()
                ended = self.call(steps)
                taken, took = int(self.carry.train.step) - before, time.monotonic() - call_began
                steps = paced(taken, took, steps if first else None, most=NEVER)
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

    def after_call(self, ended: int) -> Ending | None:
        """Handles the epochs that ended; returns why the run stops here, or None."""
        if int(self.carry.status) == DIVERGED or not np.isfinite(self.carry.sums.loss):
            return self.diverged()
        if not ended:
            return None
        for name, metric in self.on_host.items():
            self.records.fill(name, self.measure(metric))
        values = self.records.latest()
        self.progress.show(len(self.records), values)
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
                return ending("hook", epochs=epoch.epoch)
        return None

    def ended(self) -> Ending | None:
        """Why the run has ended, or None."""
        return ended(int(self.carry.status), int(self.carry.epoch), int(self.carry.best_epoch), self.limits)

    def diverged(self) -> Ending | None:
        """Rolls back and returns None; or gives up, after enough retries or if they cannot help."""
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
            return ending("not_finite_at_start", fault=what, remedy=remedy)
        if self.retries == RETRIES:
            remedy = reason or "Lower the learning rate, scale the inputs, or clip the gradient"
            facts = dict(fault=what, failed=epoch + 1, slowdown=factor, halvings=RETRIES, epochs=back, remedy=remedy)
            return ending("diverged", **facts)
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
        """A metric that is computed on the host, of the last parameters."""
        x, y, _ = split(self.sets.training if self.sets.validation is None else self.sets.validation)
        weight = self.sets.metric_weight
        outputs = np.asarray(_jitted_outputs(self.plan.objective, self.carry.train.params, x))
        return float(metric(outputs, np.asarray(y), None if weight is None else np.asarray(weight)))

    def save(self, *, last: bool = False) -> None:
        """Writes a checkpoint if it is time to, or if it is the last; a failure becomes a note."""
        if self.checkpoints is not None:
            retries = (self.retries, self.diverged_after)
            contents = lambda: run_checkpoint.contents(self.carry, self.records, self.elapsed(), retries, self.notes)
            failure = self.checkpoints.save(contents, last=last)
            if failure is not None:
                self.note(failure)

    def note(self, sentence: str) -> None:
        """Keeps a note for the result, and shows it."""
        self.notes.append(sentence)
        self.progress.say(sentence)

    def elapsed(self) -> float:
        """Seconds since the start of the run, including those before it was resumed."""
        return self.earlier + time.monotonic() - self.began


def paced(done: int, seconds: float, first: int | None, *, most: int) -> int:
    """How many steps or epochs the next call should have to take `CALL_SECONDS`.

    Args:
        done: how many the last call had.
        seconds: how long it took.
        first: None, or how many the first call was to have if the last was the first. It is not made smaller, since
            most of a long first call was compilation.
        most: the limit.
    """
    growth = min(GROWTH, CALL_SECONDS / max(seconds, 1e-6))
    return first if first is not None and growth <= 1 else min(most, max(1, int(done * growth)))


def with_patience(carry: Carry, patience: int) -> Carry:
    """A resumed run, or several, with this patience, which may not be that of before."""
    best = np.asarray(carry.best_epoch)
    stalled = (best > 0) & (np.asarray(carry.epoch) - best >= patience)
    return carry._replace(status=jnp.asarray(np.where(stalled, STALLED, RUNNING), jnp.int32))


def ended(status: int, epochs: int, best_epoch: int, limits: Limits) -> Ending | None:
    """Why a run in this state has ended, or None."""
    if status == STALLED:
        return ending("patience", patience=limits.patience, best_epoch=best_epoch, epochs=epochs)
    return ending("epochs", epochs=epochs) if epochs >= limits.epochs else None


@jax.jit
def _copy(params: Params) -> Params:
    """A copy for hooks, because the next call reuses the run's buffers."""
    return jax.tree.map(jnp.copy, params)


_jitted_outputs = jax.jit(outputs_of)
_jitted_evaluate_sets = Once(evaluate_sets)
