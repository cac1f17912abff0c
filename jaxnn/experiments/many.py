"""Trains many networks, of any recipes and on any parts of the rows, as few programs.

    jobs                          (rows, recipe, seed), one for each network
    jobs of one form              the same shapes, functions and flags: they differ in numbers, keys and rows
    one form, one program         `training.fit_ensemble`, whose data are all parts' rows, one after the other

What job i gives is, to rounding, `network.train` of it alone. Learning rates, decays, penalties, dropout rates (above
0), seeds, rows and numbers of epochs are numbers; layers, activations, batch sizes and optimisers are forms, and each
form is compiled by itself.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import structure, training
from jaxnn.experiments.network import Network, Trained, followed_metrics, network, trained
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.training.endings import ending

Hook = Callable[[dict[int, np.ndarray]], Iterable[int]]


class Job(NamedTuple):
    """A network to be trained.

    Attributes:
        rows: it is trained on their training rows, and its best epoch is chosen on their validation rows.
        recipe: the network and how to train it.
        seed: decides the initial parameters, the order of the rows and dropout.
    """

    rows: Rows
    recipe: Recipe
    seed: int


def train_many(
    jobs: Sequence[Job],
    *,
    metric: str | None = None,
    class_weight: Mapping[int, float] | str | None = None,
    hook: Hook | None = None,
    finished: Callable[[int, Trained], Any] | None = None,
    enough: Callable[[], bool] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    build: Callable[..., Network] = network,
    progress: bool = False,
    **settings: Any,
) -> list[Trained]:
    """Trains the network of each job; what job i gives is, to rounding, `network.train` of it alone.

    Args:
        jobs: the networks to be trained, all of the same kind of problem.
        metric: as for `network.train`, for all.
        class_weight: as for `training.fit`, for all; "balanced" counts the classes in each job's own training rows.
        hook: called between two calls of a program with the scores of each network that is running, by the number of
            its job, (epochs,); networks whose numbers it returns end. See `training.fit_ensemble`.
        finished: called with the number of each job whose network has ended, and its result.
        enough: called before each program but the first; True to begin no more.
        checkpoint: a folder in which each program has a folder of its own, `program_1`, `program_2`, …, for its
            checkpoints; with `resume=True` the same jobs in the same order continue from them.
        build: makes each network, as `network` does.
        progress: whether to print progress on standard error.
        **settings: further arguments of `training.fit_ensemble`.

    Returns:
        One result for each job, in their order. After SIGINT or SIGTERM, or `enough`, a network that had not started
        has no epochs and its initial parameters.

    Raises:
        ValueError: the metric cannot be computed on some rows; or as `training.fit_ensemble` raises it.
    """
    parts = _different(jobs)
    if not parts:
        return []
    followed: tuple[str, ...] = ()
    if metric is not None:
        followed, *_ = [followed_metrics(rows, metric) for rows in parts]  # raises where it is undefined
    networks = [build(job.rows, job.recipe, seed=job.seed) for job in jobs]
    forms: dict[Hashable, list[int]] = {}
    for i, (job, made) in enumerate(zip(jobs, networks, strict=True)):
        forms.setdefault(_form(job, made), []).append(i)
    found: dict[int, Trained] = {}
    interrupted: str | None = None
    for place, numbers in enumerate(forms.values(), start=1):
        if found and enough is not None and enough():
            break
        some = [jobs[i] for i in numbers]
        fitted = _fit(
            some,
            [networks[i] for i in numbers],
            metrics=followed,
            monitor=None if metric == "loss" else metric,
            class_weight=class_weight,
            hook=None if hook is None else _renumbered(hook, numbers),
            finished=None if finished is None else partial(_report, finished, numbers, jobs, networks),
            checkpoint=None if checkpoint is None else os.path.join(checkpoint, f"program_{place}"),
            progress=progress,
            **settings,
        )
        for i, job, fit in zip(numbers, some, fitted.members, strict=True):
            found[i] = trained(networks[i], job.rows, fit)
        interrupted = fitted.interrupted
        if interrupted is not None:
            break
    for i in set(range(len(jobs))) - found.keys():
        found[i] = trained(networks[i], jobs[i].rows, _not_started(networks[i], jobs[i].rows, followed, interrupted))
    return [found[i] for i in range(len(jobs))]


def _different(jobs: Sequence[Job]) -> list[Rows]:
    """The different rows of these jobs, in order of appearance."""
    return list({id(job.rows): job.rows for job in jobs}.values())


def _not_started(made: Network, rows: Rows, followed: Sequence[str], signal: str | None) -> training.Fit:
    """The result of a network that did not start, because of a signal or, without one, because of `enough`."""
    none = np.empty(0, np.float32)
    ended = ending("hook", epochs=0) if signal is None else ending("interrupted", signal=signal, epochs=0)
    return training.Fit(
        params=made.params,
        best_params=made.params,
        best_epoch=0,
        state=training.init(made.optimiser, made.params, key=made.key),
        history=training.History(
            loss=none,
            validation_loss=none if len(rows.split.validation) else None,
            metrics=dict.fromkeys(followed, none),
            gradient_norm=none,
            learning_rate=none,
            seconds=none,
        ),
        stop=str(ended),
        notes=(),
        interrupted=signal,
        reason=ended.reason,
    )


def _form(job: Job, made: Network) -> Hashable:
    """What networks must have in common to be one program."""
    arrays = jax.tree.leaves((made.params, job.rows.batch(np.arange(1))))
    return (
        jax.tree.structure((structure.split(made.objective), structure.split(made.optimiser))),
        tuple((leaf.shape, str(leaf.dtype)) for leaf in arrays),
        job.recipe.batch_size,
        job.recipe.patience,
        bool(len(job.rows.split.validation)),
    )


def _fit(jobs: Sequence[Job], networks: Sequence[Network], **settings: Any) -> training.EnsembleFit:
    """Trains jobs of one form; the data are the rows of all distinct parts, one after the other."""
    parts = _different(jobs)
    starts = dict(zip(map(id, parts), np.cumsum([0, *(len(part.x) for part in parts[:-1])]).tolist(), strict=True))
    batches = [part.batch(np.arange(len(part.x))) for part in parts]
    data = batches[0] if len(parts) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    rows = [starts[id(job.rows)] + job.rows.split.train for job in jobs]
    validated = [starts[id(job.rows)] + job.rows.split.validation for job in jobs]
    recipe = jobs[0].recipe
    return training.fit_ensemble(
        [made.objective for made in networks],
        [made.optimiser for made in networks],
        jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *(n.params for n in networks)),
        data,
        epochs=[job.recipe.epochs for job in jobs],
        batch_size=recipe.batch_size,
        key=jax.random.wrap_key_data(jnp.asarray(np.stack([jax.random.key_data(made.key) for made in networks]))),
        rows=rows,
        validation_rows=validated if len(jobs[0].rows.split.validation) else None,
        patience=recipe.patience or None,
        **settings,
    )


def _report(finished: Any, numbers: Sequence[int], jobs: Any, networks: Any, member: int, fit: training.Fit) -> None:
    """Reports a member of one form that has ended, by the number of its job."""
    number = numbers[member]
    finished(number, trained(networks[number], jobs[number].rows, fit))


def _renumbered(hook: Hook, numbers: Sequence[int]) -> Hook:
    """The hook of all jobs, for the members of one form: member k is the job numbers[k]."""
    members = {number: member for member, number in enumerate(numbers)}

    def of_members(scores: dict[int, np.ndarray]) -> list[int]:
        told = list(hook({numbers[member]: each for member, each in scores.items()}))
        strangers = [number for number in told if members.get(number) not in scores]
        if strangers:
            running = ", ".join(str(numbers[member]) for member in scores)
            raise ValueError(f"hook returned job {strangers[0]!r}, which is not running; those that are: {running}.")
        return [members[number] for number in told]

    return of_members
