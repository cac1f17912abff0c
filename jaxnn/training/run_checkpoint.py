"""What a checkpoint of `fit` holds: the `Carry`, the history, and what the host knows of the run."""

import os
from typing import Any, NamedTuple

import numpy as np

from jaxnn.training.checkpoint import MOST_NOTES, Checkpoints, Contents, damaged, digest, key_data, named, rule_digest
from jaxnn.training.epochs import Carry, Plan, Sets
from jaxnn.training.history import Records


class Resumed(NamedTuple):
    """A run as its newest checkpoint has it."""

    carry: Carry
    history: np.ndarray  # (epochs, columns), as `Records.to_array` returns it
    elapsed: float  # seconds
    retries: int
    diverged_after: int  # epochs
    notes: list[str]


def checkpoints_of(
    folder: str | os.PathLike[str], plan: Plan, carry: Carry, sets: Sets, key: Any, records: Records
) -> Checkpoints:
    """The checkpoints of a run in this folder.

    Raises:
        ValueError: the state can't be stored.
    """
    run = {
        "rows": plan.rows,
        "batch_size": plan.batch_size,
        "key": np.asarray(key_data(key)).tolist(),
        "data": digest(sets.training),
        "validation": digest(sets.validation),
        "score": [plan.monitor, plan.sign],
    }
    rule = rule_digest(plan, carry.train, sets.training)
    return Checkpoints(folder, carry, run, rule, records.names, ["history"])


def contents(carry: Carry, records: Records, elapsed: float, retries: tuple[int, int], notes: list[str]) -> Contents:
    """What to save of a run."""
    spec = {"elapsed": elapsed, "retries": list(retries), "notes": notes[-MOST_NOTES:]}
    return Contents(int(carry.train.step), named(carry) | {"history": records.to_array()}, spec)


def load(checkpoints: Checkpoints, like: Carry) -> Resumed | None:
    """The run as its newest checkpoint has it, or None.

    Raises:
        ValueError: it belongs to another run, or no run could have written it.
    """
    found = checkpoints.load(like)
    if found is None:
        return None
    history, spec = found.tensors.get("history"), found.spec
    elapsed, retries, notes = spec.get("elapsed"), spec.get("retries"), spec.get("notes")
    whole = (
        isinstance(history, np.ndarray)
        and history.shape == (int(found.state.epoch), len(checkpoints.columns) + 1)
        and isinstance(elapsed, int | float)
        and elapsed >= 0
        and isinstance(retries, list)
        and len(retries) == 2
        and all(isinstance(number, int) for number in retries)
        and isinstance(notes, list)
        and all(isinstance(note, str) for note in notes)
    )
    if not whole:
        raise damaged(found.path)
    used, after = spec["retries"]
    return Resumed(found.state, found.tensors["history"], float(spec["elapsed"]), used, after, list(spec["notes"]))
