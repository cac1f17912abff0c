"""Checkpoints of a run: its complete state between two steps, so a resumed run ends with the same bits.

A folder keeps the last two, numbered by step. Each has the whole `Carry`, the history, and a description of the run:
continuing with other data, or another batch size, key or score, would be a different run, and is refused. Another
objective or optimiser of the same structure is accepted, with a warning.

The bits are the same for the same versions, kind of device, precision and number of visible cores. These are stored
too, and a warning names them if they differ.
"""

import hashlib
import os
import platform
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn import files
from jaxnn.training import checkpoint_files, workers
from jaxnn.training.epochs import Carry, Plan
from jaxnn.training.history import Records
from jaxnn.training.named_arrays import flatten, unflatten
from jaxnn.training.steps import TrainState, gather
from jaxnn.types import Batch
from jaxnn.version import __version__

KIND, STEM = "checkpoint", "run"
LEAST_SECONDS = 0.5  # the shortest time between checkpoints
MOST_NOTES = 100
SHARE = 0.05  # the largest fraction of the time that may be spent on writing them


class Checkpoints:
    """The checkpoints of one run in one folder."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        plan: Plan,
        carry: Carry,
        data: Batch,
        validation: Batch | None,
        key: Any,
    ) -> None:
        flatten({"carry": carry})  # raises now, not after the first call, if it can't be written
        self.folder = Path(folder)
        self.run = {
            "rows": plan.rows,
            "batch_size": plan.batch_size,
            "key": np.asarray(_key_data(key)).tolist(),
            "data": digest(data),
            "validation": digest(validation),
            "score": [plan.monitor, plan.sign],
        }
        self.rule = rule_digest(plan, carry.train, data)
        self.notes: tuple[str, ...] = ()  # the notes of the run that was loaded
        self.machine = {
            "jax": jax.__version__,
            "jaxlib": metadata.version("jaxlib"),
            "jaxnn": __version__,
            "x64": np.dtype(jax.numpy.result_type(float)).itemsize == 8,
            "device": jax.devices()[0].device_kind,
            "processor": platform.machine(),
            "cores": workers.cores(),
        }
        self.last_time, self.last_cost = -np.inf, 0.0
        self.failed = False

    def create_folder(self, *, resume: bool) -> None:
        """Creates the folder and checks that it can be written to.

        Raises:
            ValueError: it already has checkpoints, and `resume` is False.
            OSError: it can't be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files.check_writable(self.folder / f"{STEM}-00000000.ckpt")
        if not resume and checkpoint_files.numbered(self.folder, STEM):
            raise ValueError(
                f"{self.folder} already contains checkpoints: pass resume=True to continue from them, or another"
                " folder."
            )

    def save(
        self, carry: Carry, records: Records, elapsed: float, retries: tuple[int, int], notes: list[str]
    ) -> str | None:
        """Writes a checkpoint if it is time to; returns a message, only once, if the system refused."""
        now = time.monotonic()
        if now - self.last_time < max(LEAST_SECONDS, self.last_cost / SHARE):
            return None
        return self.save_now(carry, records, elapsed, retries, notes)

    def save_now(
        self, carry: Carry, records: Records, elapsed: float, retries: tuple[int, int], notes: list[str]
    ) -> str | None:
        """Writes a checkpoint. If the disk is full, the previous ones stay and training continues."""
        began = time.monotonic()
        tensors = flatten({"carry": carry}) | {"history": records.to_array()}
        spec = {
            "run": self.run,
            "machine": self.machine,
            "columns": list(records.names),
            "elapsed": elapsed,
            "retries": list(retries),
            "notes": notes[-MOST_NOTES:],
            "rule": self.rule,
        }
        number = int(carry.train.step)
        try:
            checkpoint_files.write_numbered(self.folder, STEM, number, KIND, spec, tensors)
        except OSError as error:
            self.last_time = time.monotonic()
            first, self.failed = not self.failed, True
            return f"The checkpoint could not be written, and training continues without it: {error}" if first else None
        self.last_time = time.monotonic()
        self.last_cost, self.failed = self.last_time - began, False
        return None

    def load(self, like: Carry, records: Records) -> tuple[Carry, float, tuple[int, int]] | None:
        """The newest undamaged checkpoint: the run, its seconds so far, its retries and their epoch; None without one.

        Raises:
            ValueError: it belongs to another run; the message says what differs.
        """
        found = checkpoint_files.newest(self.folder, STEM, KIND, allow_nonfinite=True)
        if found is None:
            return None
        path, spec, tensors = found
        then = spec.get("run", {})
        if not isinstance(then, dict) or set(then) != set(self.run):
            raise ValueError(
                f"{path} was written by another version of jaxnn: resume with that version, or use another folder."
            )
        for name, now in self.run.items():
            if then[name] != now:
                shown = (
                    f" ({then[name]} in the checkpoint, {now} in this run)" if name in ("rows", "batch_size") else ""
                )
                raise ValueError(
                    f"{path} is a checkpoint of another run: its {name.replace('_', ' ')} differs{shown}. "
                    f"Resume with the original arguments, or use another folder."
                )
        if spec.get("columns") != list(records.names):
            raise ValueError(
                f"{path} recorded {spec.get('columns')}, but this run records {list(records.names)}: pass the same"
                " metrics and validation, or use another folder."
            )
        if spec.get("machine") != self.machine:
            warnings.warn(
                f"The checkpoint was written with {spec.get('machine')}, but this is {self.machine}: the run continues,"
                f" but its last bits may differ from those of an uninterrupted run.",
                stacklevel=3,
            )
        try:
            carry = unflatten({n: t for n, t in tensors.items() if n != "history"}, {"carry": like})["carry"]
        except ValueError as error:
            raise ValueError(f"{path} is a checkpoint of another network or optimiser: {error}") from None
        if spec.get("rule") != self.rule:
            warnings.warn(
                "The objective or the optimiser is not the one that the checkpoint was written with: the run continues "
                "with the new one.",
                stacklevel=3,
            )
        history, elapsed, (used, after) = _checked(path, spec, tensors, int(carry.epoch), len(records.names) + 1)
        records.restore(history)
        self.notes = tuple(spec["notes"])
        return carry, elapsed, (used, after)


def _checked(
    path: Path, spec: Any, tensors: Any, epochs: int, columns: int
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """The contents of a checkpoint besides the carry; ValueError if no run could have written them."""
    history = tensors.get("history")
    elapsed, retries, notes = spec.get("elapsed"), spec.get("retries"), spec.get("notes")
    whole = (
        isinstance(history, np.ndarray)
        and history.shape == (epochs, columns)
        and isinstance(elapsed, int | float)
        and elapsed >= 0
        and isinstance(retries, list)
        and len(retries) == 2
        and all(isinstance(number, int) for number in retries)
        and isinstance(notes, list)
        and all(isinstance(note, str) for note in notes)
    )
    if not whole:
        raise ValueError(
            f"{path} is not a valid checkpoint: its history or description is damaged. Delete it or use another folder."
        )
    return history, float(elapsed), (retries[0], retries[1])


def rule_digest(plan: Plan, train: TrainState, data: Batch) -> str:
    """SHA-256 of one step's program: of the structure of the objective and the optimiser."""
    batch = jax.eval_shape(gather, data, jax.ShapeDtypeStruct((plan.batch_size,), np.int32))
    text = jax.jit(plan.step(plan.optimiser, data)).lower(train, batch).as_text()
    return hashlib.sha256(text.encode()).hexdigest()


def digest(data: Batch | None) -> str:
    """SHA-256 of the values, shapes and dtypes of the data."""
    sha = hashlib.sha256()
    for part in jax.tree.leaves(data):
        array = np.ascontiguousarray(part)
        sha.update(f"{array.dtype} {array.shape};".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def _key_data(key: Any) -> Any:
    return jax.random.key_data(key) if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) else key
