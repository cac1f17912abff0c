"""The host's part of `fit_ensemble`: members in chunks, a chunk for every core, and what happens between two calls.

As many members as the cores have room for are trained at a time; the others wait until some have ended.
"""

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.derivatives.budget import machine_memory
from jaxnn.training import lockstep, member_checkpoint, workers
from jaxnn.training.checkpoint import Checkpoints
from jaxnn.training.endings import Ending, ending
from jaxnn.training.epochs import DIVERGED, LOSS, RECORDS, Carry, Limits, Plan
from jaxnn.training.fitting import Fit, result
from jaxnn.training.host_loop import Run, ended, paced, with_patience
from jaxnn.training.interrupt import listening
from jaxnn.training.lockstep import Axes, Share
from jaxnn.training.member_arguments import chosen_by_hook, picked
from jaxnn.training.member_state import Book, Chunk, Group
from jaxnn.training.preparation import Prepared
from jaxnn.training.progress import Progress, Silent
from jaxnn.types import Params

CACHE_BYTES = 2**20  # of a core, which the state of a chunk should fit
MOST_IN_A_CHUNK = 16  # beyond which a chunk is no faster
COPIES = 3  # of a member's state that may exist at a time


Hook = Callable[[dict[int, np.ndarray]], Iterable[int]]  # scores so far by member -> the members to end now
Finished = Callable[[int, Fit], Any]  # a member that has ended, and its result


@dataclass
class Members:
    """The host's part of a run of many members."""

    ready: Prepared
    objective: Any
    optimiser: Any
    axes: Axes
    params: Params
    keys: Any
    shares: list[Share]
    notes: list[list[str]]  # of each, from before its first step
    batch_size: int
    limits: Limits  # `epochs` is (members,)
    at_once: int | None
    progress: Progress
    hook: Hook | None = None
    finished: Finished | None = None
    checkpoint: str | os.PathLike[str] | None = None  # a folder
    resume: bool = False
    fits: dict[int, Fit] = field(default_factory=dict)  # of members that have ended in this run
    books: list[Book] = field(init=False)
    endings: list[Ending | None] = field(init=False)
    checkpoints: Checkpoints | None = None
    earlier: float = 0.0  # seconds that the run took before it was resumed
    began: float = field(default_factory=time.monotonic)
    interrupted: str | None = None

    def __post_init__(self) -> None:
        self.books = [Book(self.ready.records(), notes) for notes in self.notes]
        self.endings = [None] * len(self.shares)

    def plan(self, numbers: Any) -> Plan:
        """What is compiled for these members, or for one."""
        share = self.shares[int(np.ravel(numbers)[0])]
        rows = jax.tree.leaves(self.ready.sets.training[0])[0].shape[0] if share.rows is None else len(share.rows)
        objective = picked(self.objective, self.axes.objective, numbers)
        optimiser = picked(self.optimiser, self.axes.optimiser, numbers)
        return self.ready.plan(objective, optimiser, rows, self.batch_size)

    def limits_of(self, number: int) -> Limits:
        """The limits of one member's run."""
        return self.limits._replace(epochs=int(self.limits.epochs[number]))

    def share(self, numbers: np.ndarray) -> Share:
        """Their shares of the data, with a leading axis."""
        each = [self.shares[i] for i in numbers]
        return Share(*(None if parts[0] is None else np.stack(parts) for parts in zip(*each, strict=True)))

    def outline(self) -> Carry:
        """The shapes and dtypes of the first member's state, with a leading axis of 1; computes nothing."""
        params = jax.tree.map(lambda leaf: leaf[:1], self.params)
        return jax.eval_shape(partial(lockstep.start, self.axes), self.plan(np.arange(1)), params, self.keys[:1])

    def check_memory(self) -> None:
        """Refuses more members than memory holds.

        Raises:
            ValueError: they need more than half of this machine's memory; the message says how many fit.
        """
        each = COPIES * _bytes(self.outline())
        each += sum(part.nbytes for part in self.shares[0] if part is not None)
        memory, count = machine_memory(), len(self.shares)
        if memory is not None and each * count > memory / 2:
            raise ValueError(
                f"{count} members need about {each * count / 1e9:,.1f} GB, more than half of this machine's"
                f" {memory / 1e9:,.1f} GB: train at most {int(memory / 2 / each)} in a call."
            )

    def groups(self) -> list[Group]:
        """The members by shape, before their first step."""
        shapes: dict[Any, list[int]] = {}
        for i, share in enumerate(self.shares):
            lengths = tuple(None if part is None else len(part) for part in share[:2])
            shapes.setdefault(lengths, []).append(i)
        found = []
        for members in shapes.values():
            numbers = np.array(members)
            params = jax.tree.map(lambda leaf, numbers=numbers: leaf[numbers], self.params)
            carry = lockstep.start(self.axes, self.plan(numbers), params, self.keys[numbers])
            at_once = min(self.at_once or _fitting(carry.train, len(numbers)), len(numbers))
            found.append(Group(numbers, carry, at_once, np.arange(len(numbers))))
        return found

    def divide(self, group: Group, places: np.ndarray) -> None:
        """Makes new chunks of the members in these places of a group."""
        group.collect()
        for start in range(0, len(places), group.at_once):
            some = places[start : start + group.at_once]
            filled = np.resize(some, group.at_once)
            members = np.arange(group.at_once) < len(some)
            numbers = group.numbers[filled]
            group.chunks.append(
                Chunk(
                    numbers=group.numbers[some],
                    places=np.where(members, filled, len(group.numbers)),
                    plan=self.plan(numbers),
                    keys=self.keys[numbers],
                    share=self.share(numbers),
                    carry=lockstep.taken(group.carry, filled),
                    limit=np.where(members, self.limits.epochs[numbers], 0).astype(np.int32),
                )
            )

    def go(self) -> tuple[Fit, ...]:
        """Trains all members until each has ended."""
        groups = self.groups()
        if self.checkpoint is not None:
            self.open(self.checkpoint, groups)
        for group in groups:
            self.divide(group, np.setdiff1d(self.going_on(group), group.waiting))
            self.retire(group)
        self.began = time.monotonic()
        count, first = 1, True
        with listening() as interrupt, workers.workers() as on_all_cores:
            while self.running() and interrupt.received is None:
                call_began = time.monotonic()
                chunks = [chunk for group in groups for chunk in group.chunks]
                for chunk, (table, counts) in zip(chunks, on_all_cores(partial(self.call, count), chunks), strict=True):
                    self.after_call(chunk, table, counts)
                if self.hook is None:  # which is needed after every epoch
                    count = paced(count, time.monotonic() - call_began, count if first else None, most=RECORDS)
                first = False
                self.ask(chunks)
                for chunk in chunks:
                    self.conclude(chunk)
                for group in groups:
                    self.retire(group)
                self.show()
                self.save(groups)
            if self.running():
                self.interrupted = interrupt.received
            self.save(groups, last=True)
            return self.result(groups)

    def running(self) -> int:
        """How many members have not ended."""
        return sum(each is None for each in self.endings)

    def going_on(self, group: Group) -> np.ndarray:
        """The places in a group of members that have not ended."""
        return np.array([place for place, number in enumerate(group.numbers) if self.endings[number] is None], int)

    def open(self, folder: str | os.PathLike[str], groups: list[Group]) -> None:
        """Opens the folder of checkpoints, and continues from the newest if it is to.

        Raises:
            ValueError: the folder has checkpoints of another run.
            OSError: it can't be written to.
        """
        described = member_checkpoint.described(
            self.ready, self.objective, self.optimiser, self.keys, self.shares, self.batch_size
        )
        params = jax.tree.map(lambda leaf: leaf[0], self.params)
        rule = member_checkpoint.rule(self.plan(0), params, self.keys[0], self.ready.sets, self.shares[0])
        self.checkpoints = member_checkpoint.checkpoints_of(folder, groups, described, rule, self.ready.records())
        self.checkpoints.create_folder(resume=self.resume)
        found = None
        if self.resume:
            found = member_checkpoint.load(self.checkpoints, groups, [self.ready.records() for _ in self.shares])
        if found is None:
            return
        self.books, self.endings, self.earlier = found.books, found.endings, found.elapsed
        for group, carry, at_once, waiting in zip(groups, found.carries, found.at_once, found.waiting, strict=True):
            if self.at_once is not None and group.at_once != at_once:
                raise ValueError(
                    f"The checkpoints in {folder} are of members trained {at_once} at a time, whose last bits may"
                    f" depend on that: pass members_at_once={at_once}, or nothing, instead of {self.at_once}."
                )
            group.carry, group.at_once = with_patience(carry, self.limits.patience), at_once
            group.waiting = np.arange(len(group.numbers) - waiting, len(group.numbers))
            states = (np.asarray(each).tolist() for each in (group.carry.status, carry.epoch, carry.best_epoch))
            for number, status, epoch, best in zip(group.numbers.tolist(), *states, strict=True):
                self.endings[number] = self.endings[number] or ended(status, epoch, best, self.limits_of(number))

    def save(self, groups: list[Group], *, last: bool = False) -> None:
        """Writes a checkpoint if it is time to, or if it is the last; a failure becomes a note of every member."""
        if self.checkpoints is not None:
            contents = lambda: member_checkpoint.contents(groups, self.books, self.endings, self.elapsed())
            failure = self.checkpoints.save(contents, last=last)
            if failure is not None:
                self.progress.say(failure)
                for book in self.books:
                    book.notes.append(failure)
                self.fits |= {number: fit._replace(notes=(*fit.notes, failure)) for number, fit in self.fits.items()}

    def elapsed(self) -> float:
        """Seconds since the start of the run, including those before it was resumed."""
        return self.earlier + time.monotonic() - self.began

    def call(self, count: int, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        """Trains a chunk for some epochs; returns the members' records and their numbers."""
        limits = self.limits._replace(steps=count, epochs=chunk.limit)
        chunk.carry, table, counts = lockstep.advance(
            self.axes, chunk.plan, chunk.carry, chunk.keys, self.ready.sets, chunk.share, limits
        )
        return np.asarray(table), np.asarray(counts)

    def after_call(self, chunk: Chunk, table: np.ndarray, counts: np.ndarray) -> None:
        """Keeps the records of a chunk's members; those that diverged return, those that are done end."""
        carry = chunk.carry
        state = [np.asarray(each) for each in (carry.status, carry.epoch, carry.best_epoch)]
        for place, number in enumerate(chunk.numbers.tolist()):
            book, count = self.books[number], int(counts[place])
            if self.endings[number] is not None:
                continue
            if count:
                book.records.add(table[place, :count], self.elapsed())
            status, epoch, best_epoch = (int(each[place]) for each in state)
            stop = None
            if status == DIVERGED or not best_epoch:  # what `fit` does then, or says
                run = self.run(number, lockstep.taken(chunk.carry, place))
                stop = run.after_call(count)
                self.books[number] = Book(book.records, run.notes, run.retries, run.diverged_after, run.noted_undefined)
                if status == DIVERGED:
                    one = jax.tree.map(lambda leaf: leaf[None], run.carry)
                    chunk.carry = lockstep.placed(chunk.carry, np.array([place]), one)
                    status, epoch = int(run.carry.status), int(run.carry.epoch)
            self.endings[number] = stop or ended(status, epoch, best_epoch, self.limits_of(number))
            if self.endings[number] is not None:
                chunk.limit[place] = 0

    def ask(self, chunks: list[Chunk]) -> None:
        """Ends the members that the hook wants ended."""
        if self.hook is None or not self.running():
            return
        column = self.ready.column
        begun = [number for chunk in chunks for number in chunk.numbers.tolist() if self.endings[number] is None]
        scores = {
            number: np.array([row[column] for row in self.books[number].records.values]) for number in sorted(begun)
        }
        chosen = chosen_by_hook(self.hook(dict(scores)), list(scores))
        for chunk in chunks:
            for place, number in enumerate(chunk.numbers.tolist()):
                if number in chosen:
                    self.endings[number] = ending("hook", epochs=len(scores[number]))
                    chunk.limit[place] = 0

    def conclude(self, chunk: Chunk) -> None:
        """Keeps the results of a chunk's members that have just ended."""
        for place, number in enumerate(chunk.numbers.tolist()):
            stop = self.endings[number]
            if stop is not None and number not in self.fits:
                carry = lockstep.taken(chunk.carry, place)
                # A score is measured again, on a member's own rows, only if it was the mean over an epoch's batches or
                # if there is none, because no epoch was finished or had a finite one.
                measured_again = self.ready.column == LOSS or not int(carry.best_epoch)
                run = self.run(number, carry, own_data=measured_again)
                self.fits[number] = result(run, stop)
                if self.finished is not None:
                    self.finished(number, self.fits[number])

    def retire(self, group: Group) -> None:
        """Lets members that wait take the places of those that have ended, or moves together those that go on.

        Moving costs a little, so members wait until half a chunk is free.
        """
        active = [place for chunk in group.chunks for place in chunk.places[: len(chunk.numbers)].tolist()]
        on = np.array([place for place in active if self.endings[group.numbers[place]] is None], int)
        room = group.at_once * workers.count() - len(on)
        if len(group.waiting) and room >= math.ceil(group.at_once / 2):
            begin, group.waiting = group.waiting[:room], group.waiting[room:]
            self.divide(group, np.concatenate([on, begin]))
        elif math.ceil(len(on) / group.at_once) < len(group.chunks):
            self.divide(group, on)

    def show(self) -> None:
        """Shows how many members go on, and the best score so far."""
        done = max(len(book.records) for book in self.books)
        scores = [self.ready.sign * row[self.ready.column] for book in self.books for row in book.records.values[-1:]]
        finite = [score for score in scores if math.isfinite(score)]
        best = {f"best_{self.ready.monitored}": self.ready.sign * min(finite)} if finite else {}
        self.progress.show(done, {"running": float(self.running()), **best})

    def run(self, number: int, carry: Carry, *, own_data: bool = True) -> Run:
        """The run of one member, as `fit` has it; with its own part of the data, unless nothing will ask for them."""
        book, sets = self.books[number], self.ready.sets
        if own_data:
            sets = lockstep.own_sets(sets, jax.tree.map(jnp.asarray, self.shares[number]))
        return Run(
            plan=self.plan(number),
            key=self.keys[number],
            sets=sets,
            limits=self.limits_of(number),
            carry=carry,
            records=book.records,
            progress=Silent(),
            monitored=self.ready.monitored,
            notes=list(book.notes),  # what `result` adds is not for a checkpoint: a resumed run would add it again
            retries=book.retries,
            diverged_after=book.diverged_after,
            interrupted=self.interrupted if self.endings[number] is None else None,
            noted_undefined=book.noted_undefined,
        )

    def result(self, groups: list[Group]) -> tuple[Fit, ...]:
        """The result of each member; those that have not ended were interrupted."""
        for group in groups:
            group.collect()
            for place, number in enumerate(group.numbers.tolist()):
                if number not in self.fits:
                    run, stop = self.run(number, lockstep.taken(group.carry, place)), self.endings[number]
                    if stop is None:
                        stop = ending("interrupted", signal=self.interrupted, epochs=int(run.carry.epoch))
                    self.fits[number] = result(run, stop)
        return tuple(self.fits[number] for number in range(len(self.fits)))


def _fitting(train: Any, count: int) -> int:
    """How many members a chunk has: so many that their state fits the cache, and that every core has a chunk."""
    if jax.default_backend() != "cpu":
        return count
    state = _bytes(train) / count
    return max(1, min(MOST_IN_A_CHUNK, int(CACHE_BYTES // max(state, 1)), math.ceil(count / workers.count())))


def _bytes(state: Any) -> int:
    """The bytes of the arrays in a state; keys, a few each, do not count."""
    leaves = [leaf for leaf in jax.tree.leaves(state) if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
