"""`fit_ensemble`: trains many networks at once, each as `fit` would train it alone.

Members differ in any of: initial parameters, random key, optimiser, objective, rows, weights. They are trained a chunk
at a time, in step (`lockstep.advance`); a chunk fits the cache of a core, and every core works on a chunk of its own.
After each call, members that have ended leave, and the others move together, so what has ended costs nothing more.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, structure
from jaxnn.training import inputs
from jaxnn.training.checkpoint import check_resume
from jaxnn.training.epochs import Limits
from jaxnn.training.fitting import Fit, warn_of_noise
from jaxnn.training.lockstep import Axes, Share
from jaxnn.training.member_arguments import (
    balancing,
    epochs_of_each,
    first_notes,
    number_of_members,
    picked,
    row_numbers,
    stacked,
    weights_of_rows,
)
from jaxnn.training.member_loop import Finished, Hook, Members
from jaxnn.training.preparation import NEVER, check_numbers, prepare
from jaxnn.training.progress import reporter
from jaxnn.types import OptimiserLike, Params


class EnsembleFit(NamedTuple):
    """The result of `fit_ensemble`; arrays have a leading axis of members."""

    members: tuple[Fit, ...]  # each as `fit` returns it
    params: Params  # after each member's last step
    best_params: Params  # of each member's best epoch
    best_epoch: np.ndarray  # (members,), from 1; 0 if none was finished or had a finite score
    best_score: np.ndarray  # (members,), as in `Fit`
    stop: tuple[str, ...]  # why each ended, as a sentence
    interrupted: str | None  # the signal that ended those that had not ended, "SIGINT" or "SIGTERM"


def fit_ensemble(
    objective: Any,
    optimiser: Any,
    params: Params,
    data: Any,
    *,
    epochs: int | Sequence[int] | np.ndarray,
    batch_size: int,
    key: Any,
    rows: Sequence[Any] | None = None,
    validation_rows: Sequence[Any] | None = None,
    weights: Any = None,
    validation: Any = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    monitor: str | None = None,
    higher_is_better: bool | None = None,
    metrics: Sequence[str | Callable[..., Any]] = (),
    class_weight: Mapping[int, float] | str | None = None,
    class_weight_on_validation: bool = True,
    members_at_once: int | None = None,
    hook: Hook | None = None,
    finished: Finished | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> EnsembleFit:
    """Trains many networks of one shape at once: seeds, hyperparameters, folds or bootstrap samples.

        keys = jax.random.split(jax.random.key(0), 32)
        params = jax.vmap(lambda key: mlp.init(key, (64, 100, 10)))(keys)
        fitted = training.fit_ensemble(objective, adam(1e-3), params, data, epochs=20, batch_size=32, key=keys)

    Member i is, to rounding, `fit(objective, optimiser, params, data, key=key)` with the i-th of everything that has
    one for each member: the same rows in the same order, the same validation, early stopping, and return from
    divergence. A member that diverges changes no other.

    Args:
        objective: as for `fit`; or a sequence with one for each member, which may differ in numbers such as a penalty's
            strength or a dropout rate.
        optimiser: as for `fit`; or a sequence with one for each member, which may differ in numbers, or what
            `optimisers.stack` returns.
        params: the initial parameters, with a leading axis of members on every leaf.
        data: as for `fit`; held once, or twice with `validation_rows`, whatever the number of members.
        epochs: whole number ≥ 1; or a sequence with one for each member.
        batch_size: whole number ≥ 1, as for `fit`.
        key: keys (members,); or one key, which is split: member i has `jax.random.split(key, members)[i]`.
        rows: for each member, the numbers of the rows of `data` that it is trained on; a row may occur several times,
            as in a bootstrap sample. Members with as many rows run together. None for all rows.
        validation_rows: for each member, the numbers of the rows of `data` on which it is validated, such as a fold.
        weights: (members, rows of data) ≥ 0, for each member the weights of all rows in training, instead of those of
            `data`, which then apply only to validation.
        validation: as for `fit`; a fraction is split off with the first member's key, for all. With `rows` or `weights`
            it cannot be a fraction.
        patience: as for `fit`, for each member.
        min_delta: as for `fit`.
        monitor: as for `fit`.
        higher_is_better: as for `fit`.
        metrics: names from `jaxnn.metrics`, or functions that JAX can trace, as for `fit`.
        class_weight: as for `fit`; with `rows`, "balanced" counts the classes in each member's own.
        class_weight_on_validation: as for `fit`.
        members_at_once: how many members a compiled call trains in step; by default as many as fit the cache of a core,
            at most 16. With 1, a member's bits do not depend on the other members. It is always 1 for keys that are not
            of JAX's default kind, "threefry2x32", because those draw other numbers under vmap.
        hook: called after each epoch with the scores so far of the members that have not ended, as in
            `hook({0: scores, 3: scores})`, each an array (epochs finished,) of the monitored column of its history. It
            returns the numbers of the members to end now, which keep what they have learnt; [] for none. A member that
            repeats an epoch after divergence is behind the others by as much, as is one that begins when another ended.
        finished: called as `finished(0, fit)` with each member's number and `Fit` when it has ended, so that it can be
            kept while others go on. Not called for those that a signal ended, or that had ended before this run.
        checkpoint: as for `fit`, of all members.
        resume: as for `fit`. Members that have ended stay so, unless it was by a limit that is now larger. A hook must
            depend on the scores alone for the bits to be those of a run that never stopped.
        progress: whether to print progress on standard error.

    Returns:
        An `EnsembleFit`. As in `fit`, divergence raises no exception, and SIGINT and SIGTERM end the run and keep what
        was learnt. They are answered between calls, and a call trains every member for at least one epoch.

    Raises:
        ValueError: shapes, labels, values or arguments are invalid, numbers of members differ, sequences differ in more
            than numbers, the members need more than half of this machine's memory, a checkpoint belongs to another run,
            or `hook` returned the number of a member that is not running.
        TypeError: arguments or data have the wrong type.
        OSError: the folder of checkpoints can't be written.
    """
    check_numbers(epochs=1, batch_size=batch_size, patience=patience, min_delta=min_delta)
    check_resume(checkpoint, resume=resume)
    if members_at_once is not None:
        checks.whole(1, members_at_once=members_at_once)
    if validation is not None and validation_rows is not None:
        raise ValueError("Pass validation or validation_rows, not both.")
    if isinstance(validation, int | float) and (rows is not None or weights is not None):
        raise ValueError(
            f"With rows or weights, which number the rows of data, validation={validation!r} cannot hold out a fraction"
            " of them: pass a validation set, or validation_rows."
        )
    count = number_of_members(params, key)
    own_epochs = epochs_of_each(epochs, count)
    keys = key if key.shape else jax.random.split(key, count)
    objective, of_objective = stacked("objective", objective, count)
    optimiser, of_optimiser = stacked("optimiser", optimiser, count)
    inputs.check_params(params)
    if jax.random.key_impl(keys) != "threefry2x32":
        members_at_once = 1  # under vmap, JAX draws from the first of several keys of other kinds
    first = partial(picked, chosen=0)
    if not isinstance(optimiser, OptimiserLike):
        raise TypeError(f"optimiser must have init and update, such as optimisers.adam(1e-3), got {optimiser!r}.")
    by_own_rows = rows is not None and class_weight == "balanced"
    ready = prepare(
        first(objective, of_objective),
        first(params, 0),
        data[:2] if weights is not None and isinstance(data, tuple | list) else data,
        key=keys[0],
        validation=data if validation_rows is not None else validation,
        patience=patience,
        monitor=monitor,
        higher_is_better=higher_is_better,
        metrics=metrics,
        class_weight=None if by_own_rows else class_weight,
        class_weight_on_validation=class_weight_on_validation,
    )
    if ready.host_metrics:
        name = next(iter(ready.host_metrics))
        raise ValueError(f"{name!r} cannot be traced by JAX, so it cannot be measured in an ensemble: write it in JAX.")
    total = jax.tree.leaves(ready.sets.training[0])[0].shape[0]
    own_rows = row_numbers("rows", rows, count, total)
    own_validation = row_numbers("validation_rows", validation_rows, count, total)
    training, validated = ready.sets.training, ready.sets.validation
    factors = validation_weight = None
    if by_own_rows and own_rows is not None:
        factors = balancing(training[1], own_rows, training[1])
        if validated is not None and class_weight_on_validation:
            on_validation = balancing(training[1], own_rows, validated[1])
            validation_weight = weights_of_rows(None, validated, own_validation, count, on_validation)
    weight = weights_of_rows(weights, training, own_rows, count, factors)
    metric_weight = None
    if metrics and weights is not None and validated is None:  # without class weights
        metric_weight = weights_of_rows(weights, training[:2], own_rows, count)
    by_member = Share(own_rows, own_validation, weight, metric_weight, validation_weight)
    shares = [Share(*(None if each is None else each[i] for each in by_member)) for i in range(count)]
    members = Members(
        ready=ready,
        objective=objective,
        optimiser=optimiser,
        axes=Axes(of_objective, of_optimiser, *(None if each is None else 0 for each in by_member)),
        params=jax.tree.map(np.asarray, params),
        keys=keys,
        shares=shares,
        notes=first_notes(ready, first(objective, of_objective), first(params, 0), shares, metrics),
        batch_size=batch_size,
        limits=Limits(0, own_epochs, NEVER if patience is None else int(patience), float(min_delta)),
        at_once=members_at_once,
        progress=reporter(progress, int(own_epochs.max())),
        hook=hook,
        finished=finished,
        checkpoint=checkpoint,
        resume=resume,
    )
    structure.watch(members.plan(np.arange(1)), stacklevel=2)
    members.check_memory()
    warn_of_noise(members.plan(np.arange(1)), members.outline().train.opt_state, stacklevel=3)
    try:
        for note in dict.fromkeys(note for notes in members.notes for note in notes):
            members.progress.say(note)
        fits = members.go()
    finally:
        members.progress.close()
    return EnsembleFit(
        members=fits,
        params=_stacked([fit.params for fit in fits]),
        best_params=_stacked([fit.best_params for fit in fits]),
        best_epoch=np.array([fit.best_epoch for fit in fits]),
        best_score=np.array([fit.best_score for fit in fits]),
        stop=tuple(fit.stop for fit in fits),
        interrupted=members.interrupted,
    )


def _stacked(trees: list[Params]) -> Params:
    """The trees as one with a leading axis; stacked by NumPy, since JAX would compile this for every number of them."""
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)
