"""Checkpoints of a run: everything between two steps, so that a resumed run ends with the same bits.

A folder holds the last two, numbered by epoch and batch. Each is the whole `Carry`, the history, and a description of
the run: continuing with other data, another batch size or another key would be another run, and is refused.

The bits are the same for the same versions of jaxlib, the same kind of CPU and the same number of visible cores, which
is why those are kept too, and named if they differ.
"""

import hashlib
import os
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.training import storage
from jaxnn.training.epochs import Carry, Plan
from jaxnn.training.history import Records
from jaxnn.types import Batch

KIND, STEM = "checkpoint", "run"
LEAST_SECONDS = 0.5  # between checkpoints
SHARE = 0.05  # of the time that writing them may take


class Checkpoints:
    """The checkpoints of one run in one folder."""

    def __init__(self, folder: str | os.PathLike[str], plan: Plan, data: Batch, validation: Batch | None, key: Any):
        self.folder = Path(folder)
        self.run = {
            "rows": plan.rows,
            "batch_size": plan.batch_size,
            "key": np.asarray(_key_data(key)).tolist(),
            "data": digest(data),
            "validation": digest(validation),
        }
        self.machine = {
            "jax": jax.__version__,
            "backend": jax.default_backend(),
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        }
        self.last_time, self.last_cost = -np.inf, 0.0
        self.failed = False

    def prepare(self, *, resume: bool) -> None:
        """Makes the folder and sees that it can be written to.

        Raises:
            ValueError: it holds another run's checkpoints, and `resume` was not asked for.
            OSError: it can't be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        storage.check_writable(self.folder / f"{STEM}-00000000.ckpt")
        if not resume and storage.numbered(self.folder, STEM):
            raise ValueError(
                f"{self.folder} already holds checkpoints: pass resume=True to go on from them, or another folder."
            )

    def save(self, carry: Carry, records: Records, elapsed: float, retries: tuple[int, int]) -> str | None:
        """Writes one if it is time to; returns what went wrong, once, if the system refused."""
        now = time.monotonic()
        if now - self.last_time < max(LEAST_SECONDS, self.last_cost / SHARE):
            return None
        return self.save_now(carry, records, elapsed, retries)

    def save_now(self, carry: Carry, records: Records, elapsed: float, retries: tuple[int, int]) -> str | None:
        """Writes one. A full disk leaves the previous ones as they were and stops nothing."""
        began = time.monotonic()
        tensors = storage.flatten({"carry": carry}) | {"history": records.to_array()}
        spec = {
            "run": self.run,
            "machine": self.machine,
            "columns": list(records.names),
            "elapsed": elapsed,
            "retries": list(retries),
        }
        number = int(carry.train.step)
        try:
            storage.write_numbered(self.folder, STEM, number, KIND, spec, tensors)
        except OSError as error:
            self.last_time = time.monotonic()
            first, self.failed = not self.failed, True
            return f"The checkpoint could not be written, training goes on: {error}" if first else None
        self.last_time = time.monotonic()
        self.last_cost, self.failed = self.last_time - began, False
        return None

    def load(self, like: Carry, records: Records) -> tuple[Carry, float, tuple[int, int]] | None:
        """The newest that is whole: the run, its seconds so far, its retries and where they were; None without one.

        Raises:
            ValueError: it is of another run; the message says in what it differs.
        """
        found = storage.newest(self.folder, STEM, KIND, allow_nonfinite=True)
        if found is None:
            return None
        path, spec, tensors = found
        then = spec.get("run", {})
        for name, now in self.run.items():
            if then.get(name) != now:
                shown = "" if name in ("data", "validation") else f": {then.get(name)} there, {now} here"
                raise ValueError(
                    f"{path} is a checkpoint of another run: its {name.replace('_', ' ')} differs{shown}. "
                    f"Resume with what it was started with, or use another folder."
                )
        if spec.get("columns") != list(records.names):
            raise ValueError(f"{path} recorded {spec.get('columns')}, this run records {list(records.names)}.")
        if spec.get("machine") != self.machine:
            warnings.warn(
                f"The checkpoint was written with {spec.get('machine')}, this is {self.machine}: the run goes on, "
                f"but its last bits may differ from an uninterrupted one.",
                stacklevel=3,
            )
        records.restore(tensors.pop("history"))
        try:
            carry = storage.unflatten(tensors, {"carry": like})["carry"]
        except ValueError as error:
            raise ValueError(f"{path} is a checkpoint of another network or optimiser: {error}") from None
        used, after = spec.get("retries", (0, -1))
        return carry, float(spec.get("elapsed", 0.0)), (int(used), int(after))


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
