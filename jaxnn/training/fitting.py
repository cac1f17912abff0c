"""`fit`: trains on data that fit into memory, epoch by epoch, and keeps every result.

Here the arguments are checked and the run put together. The work is done by one compiled program (`epochs.advance`),
and what happens between two calls of it by the host (`host_loop.Run`).
"""

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxnn import html, structure
from jaxnn.files import check_writable
from jaxnn.training.checkpoint import check_resume
from jaxnn.training.endings import Ending
from jaxnn.training.epochs import Limits, Plan, start
from jaxnn.training.history import History
from jaxnn.training.host_loop import Epoch, Run
from jaxnn.training.nested_states import report
from jaxnn.training.preparation import NEVER, check_numbers, prepare
from jaxnn.training.progress import reporter
from jaxnn.training.run_checkpoint import checkpoints_of
from jaxnn.training.steps import TrainState
from jaxnn.types import OptimiserLike, Params
from jaxnn.wording import counted


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
    reason: str = ""  # why the run ended, as a word: a key of `training.endings.SENTENCES`

    def _repr_html_(self) -> str:
        """What a notebook shows: how the run ended, its best and last epochs, and its curve."""
        rows = self.history.rows()
        numbers = sorted({1, self.best_epoch, len(rows)} & {row["epoch"] for row in rows})
        shown = [rows[number - 1] for number in numbers]
        best = f"epoch {self.best_epoch}, score {self.best_score:.5g}" if self.best_epoch else None
        loss = "loss" if self.history.validation_loss is None else "validation_loss"
        return html.page(
            f"Fit of {counted(len(rows), 'epoch')}",
            html.facts({"best": best, "ended": self.stop, "seconds": rows[-1]["seconds"] if rows else None}),
            html.listing(self.notes),
            html.table(list(shown[0]), [list(row.values()) for row in shown]) if shown else "",
            html.curve(loss, [math.nan if row[loss] is None else row[loss] for row in rows]),
        )


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
    check_numbers(epochs=epochs, batch_size=batch_size, patience=patience, min_delta=min_delta)
    if callable(hooks):
        raise TypeError(f"hooks must be a sequence of functions, as in hooks=[{hooks!r}].")
    if not isinstance(optimiser, OptimiserLike):
        raise TypeError(f"optimiser must have init and update, such as optimisers.adam(1e-3), got {optimiser!r}.")
    if not hasattr(key, "dtype"):
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), got {key!r}.")
    check_resume(checkpoint, resume=resume)
    ready = prepare(
        objective,
        params,
        data,
        key=key,
        validation=validation,
        patience=patience,
        monitor=monitor,
        higher_is_better=higher_is_better,
        metrics=metrics,
        class_weight=class_weight,
        class_weight_on_validation=class_weight_on_validation,
    )
    if history_file is not None:
        check_writable(history_file)
    sets = ready.sets
    rows = jax.tree.leaves(sets.training[0])[0].shape[0]
    plan = ready.plan(objective, optimiser, rows, batch_size)
    structure.watch(plan, stacklevel=2)
    carry = start(plan, params, key)
    warn_of_noise(plan, carry.train.opt_state, stacklevel=3)
    checkpoints = None
    if checkpoint is not None:
        checkpoints = checkpoints_of(checkpoint, plan, carry, sets, key, ready.records())
        checkpoints.create_folder(resume=resume)
    run = Run(
        plan=plan,
        key=key,
        sets=sets,
        limits=Limits(0, int(epochs), NEVER if patience is None else int(patience), float(min_delta)),
        carry=carry,
        records=ready.records(),
        progress=reporter(progress, epochs),
        monitored=ready.monitored,
        on_host=ready.host_metrics,
        hooks=tuple(hooks),
        checkpoints=checkpoints,
    )
    try:
        if resume:
            run.resume()
        for note in ready.notes:
            if note not in run.notes:  # a resumed run may have it already
                run.note(note)
        ended = run.go()
    finally:
        run.progress.close()
    if history_file is not None:
        try:
            run.records.history().write(history_file)
        except OSError as error:
            run.note(f"The history file could not be written: {error}")
    return result(run, ended)


def warn_of_noise(plan: Plan, opt_state: Any, *, stacklevel: int) -> None:
    """Warns if a method that needs all rows in every step is given batches."""
    if plan.batch_size < plan.rows and report(opt_state) is not None:
        warnings.warn(
            f"The optimiser compares values of J between steps, and with {plan.batch_size} of {plan.rows} rows per"
            f" step, noise dominates the differences: pass batch_size={plan.rows}, or use training.minimise.",
            stacklevel=stacklevel,
        )


def result(run: Run, ended: Ending) -> Fit:
    """The result of a run that has ended."""
    best_params, best_epoch, best_score = run.best()
    if len(run.records) and not math.isfinite(best_score):
        run.note(f"The score, {run.monitored}, was never a finite number, so best_params are the last parameters.")
    return Fit(
        params=run.carry.train.params,
        best_params=best_params,
        best_epoch=best_epoch,
        state=run.carry.train,
        history=run.records.history(),
        stop=str(ended),
        notes=tuple(run.notes),
        interrupted=run.interrupted,
        best_score=best_score,
        reason=ended.reason,
    )
