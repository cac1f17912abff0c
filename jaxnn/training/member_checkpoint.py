"""What a checkpoint of `fit_ensemble` holds: the `Carry` of each group, the histories, and what the host knows of each
member, as JSON in an array, since a header has room for few.

The bits of a member may depend on how many are trained in step, so that number is stored, too, and not on which they
are: that changes whenever members end. How many have not begun is stored for the hook, which sees those that have.
"""

import json
import os
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import structure
from jaxnn.training import epochs, lockstep
from jaxnn.training.checkpoint import (
    MOST_NOTES,
    Checkpoints,
    Contents,
    Found,
    damaged,
    digest,
    key_data,
    rule_digest,
)
from jaxnn.training.endings import Ending
from jaxnn.training.epochs import Carry, Plan, Sets
from jaxnn.training.headers import strict_json
from jaxnn.training.history import Records
from jaxnn.training.lockstep import Share
from jaxnn.training.member_state import Book, Group
from jaxnn.training.preparation import Prepared
from jaxnn.types import Params

FURTHER = ("history", "retries", "texts")
DONE = ("hook", "diverged", "not_finite_at_start")  # endings that no larger limit undoes


class Resumed(NamedTuple):
    """Members as their newest checkpoint has them."""

    carries: list[Carry]  # of each group
    at_once: list[int]  # of each group
    waiting: list[int]  # how many members of each group, the last ones, have not begun
    books: list[Book]
    endings: list[Ending | None]  # of those that have ended for good
    elapsed: float  # seconds


def described(
    ready: Prepared, objective: Any, optimiser: Any, keys: Any, shares: Sequence[Share], batch_size: int
) -> dict[str, Any]:
    """What makes it this run."""
    rows, validation_rows, *weights = (digest(parts) for parts in zip(*shares, strict=True))
    return {
        "members": len(shares),
        "rows": jax.tree.leaves(ready.sets.training[0])[0].shape[0],
        "batch_size": batch_size,
        "key": [digest(key_data(keys)), str(jax.random.key_impl(keys))],
        "data": digest(ready.sets.training),
        "validation": digest(ready.sets.validation),
        "choice_of_rows": [rows, validation_rows],
        "weighting": weights,
        "objective": digest(structure.split(objective)),
        "optimiser": digest(structure.split(optimiser)),
        "score": [ready.column, ready.sign],
    }


def rule(plan: Plan, params: Params, key: Any, sets: Sets, share: Share) -> str:
    """The digest of one member's step."""
    train = jax.eval_shape(epochs.start, plan, params, key).train
    return rule_digest(plan, train, lockstep.training_set(sets, share))


def checkpoints_of(
    folder: str | os.PathLike[str], groups: Sequence[Group], run: Mapping[str, Any], rule: str, records: Records
) -> Checkpoints:
    """The checkpoints of members in this folder.

    Raises:
        ValueError: the state can't be stored.
    """
    return Checkpoints(folder, [group.carry for group in groups], run, rule, records.names, FURTHER)


def contents(
    groups: Sequence[Group], books: Sequence[Book], endings: Sequence[Ending | None], elapsed: float
) -> Contents:
    """What to save of members."""
    states = [group.on_host(str(i)) for i, group in enumerate(groups)]
    texts = [
        {"notes": book.notes[-MOST_NOTES:], "ending": None if end is None or end.reason not in DONE else end._asdict()}
        for book, end in zip(books, endings, strict=True)
    ]
    tensors = {
        "history": np.concatenate([book.records.to_array() for book in books]),
        "retries": np.array([[book.retries, book.diverged_after, book.noted_undefined] for book in books], np.int64),
        "texts": np.frombuffer(json.dumps({"members": texts}).encode(), np.uint8),
    }
    steps = sum(int(state[f"carry/{i}/train/step"].sum(dtype=np.int64)) for i, state in enumerate(states))
    return Contents(
        steps,
        dict(ChainMap(tensors, *states)),
        {
            "elapsed": elapsed,
            "at_once": [group.at_once for group in groups],
            "waiting": [len(group.waiting) for group in groups],
        },
    )


def load(checkpoints: Checkpoints, groups: Sequence[Group], empty: Sequence[Records]) -> Resumed | None:
    """The members as their newest checkpoint has them, or None; the empty records, one for each, are filled.

    Raises:
        ValueError: it belongs to another run, or no run could have written it.
    """
    found = checkpoints.load([group.carry for group in groups])
    if found is None:
        return None
    try:
        return _read(found, groups, empty, len(checkpoints.columns) + 1)
    except (KeyError, TypeError, ValueError):
        raise damaged(found.path) from None


def _read(found: Found, groups: Sequence[Group], empty: Sequence[Records], columns: int) -> Resumed:
    """The contents, checked; an error of any of these kinds if no run could have written them."""
    history, retries, texts = (found.tensors[name] for name in FURTHER)
    elapsed, at_once, waiting = (found.spec[name] for name in ("elapsed", "at_once", "waiting"))
    done = np.zeros(len(empty), int)
    for group, carry in zip(groups, found.state, strict=True):
        done[group.numbers] = carry.epoch
    members = strict_json(texts.tobytes())["members"]
    whole = (
        (done >= 0).all()
        and history.shape == (done.sum(), columns)
        and (retries.shape, retries.dtype) == ((len(empty), 3), np.int64)
        and elapsed >= 0
        and all(type(n) is int and 1 <= n <= len(group.numbers) for n, group in zip(at_once, groups, strict=True))
        and all(type(n) is int and 0 <= n <= len(group.numbers) for n, group in zip(waiting, groups, strict=True))
        and all(isinstance(note, str) for member in members for note in member["notes"])
    )
    if not whole:
        raise ValueError
    books, endings = [], []
    tables = np.split(history, np.cumsum(done)[:-1])
    for records, table, counts, member in zip(empty, tables, retries.tolist(), members, strict=True):
        records.restore(table)
        books.append(Book(records, list(member["notes"]), counts[0], counts[1], bool(counts[2])))
        endings.append(None if member["ending"] is None else _ending(**member["ending"]))
    return Resumed(list(found.state), at_once, waiting, books, endings, float(elapsed))


def _ending(reason: str, facts: dict[str, Any]) -> Ending:
    """An ending that can be said; an error if not."""
    end = Ending(reason, facts)
    if reason not in DONE or not str(end):
        raise ValueError
    return end
