"""Checkpoints of a run: its complete state between two steps, so a resumed run ends with the same bits.

A folder keeps the last two, numbered by step. Each has the whole state, the history, and a description of the run:
continuing with other data, or another batch size, key or score, would be a different run, and is refused. Another
objective or optimiser of the same structure is accepted, with a warning. Here is what `fit` and `fit_ensemble` have in
common; what their checkpoints hold is in `run_checkpoint` and `member_checkpoint`.

The bits are the same for the same versions, kind of device, precision and number of visible cores. These are stored
too, and a warning names them if they differ.
"""

import hashlib
import os
import platform
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import files
from jaxnn.training import checkpoint_files, workers
from jaxnn.training.epochs import Plan
from jaxnn.training.headers import MAX_FILE_BYTES, MAX_HEADER_BYTES, Spec, Tensors
from jaxnn.training.named_arrays import flatten, unflatten
from jaxnn.training.steps import TrainState, gather
from jaxnn.types import Batch
from jaxnn.version import __version__

KIND, STEM = "checkpoint", "run"
LEAST_SECONDS = 0.5  # the shortest time between checkpoints
MOST_NOTES = 100  # of a run, or of a member
SHARE = 0.05  # the largest fraction of the time that may be spent on writing them


class Contents(NamedTuple):
    """What a checkpoint holds besides its description of the run."""

    number: int  # of the file: the steps done
    tensors: Tensors  # of the state, by `named`, and further arrays
    spec: Spec  # the rest


class Found(NamedTuple):
    """The newest checkpoint of this run."""

    path: Path
    state: Any
    tensors: Tensors
    spec: Spec


class Checkpoints:
    """The checkpoints of one run in one folder."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        state: Any,
        run: Mapping[str, Any],
        rule: str,
        columns: Sequence[str],
        further: Sequence[str],
    ) -> None:
        """Describes a run.

        Args:
            folder: where its checkpoints are.
            state: before the first step.
            run: what makes it this run, as JSON: a checkpoint in which any of it is different is refused.
            rule: `rule_digest`; if it is different, there is a warning.
            columns: of the history.
            further: the names of arrays besides those of the state.

        Raises:
            ValueError: the state can't be stored: now, not after the first call.
        """
        size = sum(array.nbytes for array in named(state).values())
        if size > MAX_FILE_BYTES - MAX_HEADER_BYTES:
            raise ValueError(
                f"The state of this run has {size / 1e9:.1f} GB, and a checkpoint at most {MAX_FILE_BYTES / 1e9:.1f}"
                " GB: train fewer or smaller networks in a call, or without checkpoints."
            )
        self.folder = Path(folder)
        self.run, self.rule, self.columns, self.further = dict(run), rule, list(columns), set(further)
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

    def save(self, contents: Callable[[], Contents], *, last: bool = False) -> str | None:
        """Writes a checkpoint if it is time to, or if it is the last.

        If the disk is full, the previous ones stay and training continues.

        Returns:
            A message, only once, if the system refused.
        """
        began = time.monotonic()
        if not last and began - self.last_time < max(LEAST_SECONDS, self.last_cost / SHARE):
            return None
        number, tensors, spec = contents()
        described = {"run": self.run, "machine": self.machine, "columns": self.columns, **spec, "rule": self.rule}
        try:
            checkpoint_files.write_numbered(self.folder, STEM, number, KIND, described, tensors)
        except OSError as error:
            self.last_time = time.monotonic()
            first, self.failed = not self.failed, True
            return f"The checkpoint could not be written, and training continues without it: {error}" if first else None
        self.last_time = time.monotonic()
        self.last_cost, self.failed = self.last_time - began, False
        return None

    def load(self, like: Any) -> Found | None:
        """The newest undamaged checkpoint, whose state is like this one; None without one.

        Raises:
            ValueError: it belongs to another run; the message says what differs.
        """
        found = checkpoint_files.newest(self.folder, STEM, KIND, allow_nonfinite=True)
        if found is None:
            return None
        path, spec, tensors = found
        self.check_run(path, spec.get("run", {}))
        if spec.get("columns") != self.columns:
            raise ValueError(
                f"{path} recorded {spec.get('columns')}, but this run records {self.columns}: pass the same"
                " metrics and validation, or use another folder."
            )
        if spec.get("machine") != self.machine:
            warnings.warn(
                f"The checkpoint was written with {spec.get('machine')}, but this is {self.machine}: the run continues,"
                f" but its last bits may differ from those of an uninterrupted run.",
                stacklevel=4,
            )
        try:
            arrays = {name: array for name, array in tensors.items() if name not in self.further}
            state = unflatten(arrays, {"carry": like})["carry"]
        except ValueError as error:
            raise ValueError(f"{path} is a checkpoint of another network or optimiser: {error}") from None
        if spec.get("rule") != self.rule:
            warnings.warn(
                "The objective or the optimiser is not the one that the checkpoint was written with: the run continues "
                "with the new one.",
                stacklevel=4,
            )
        return Found(path, state, {name: tensors[name] for name in self.further & set(tensors)}, spec)

    def check_run(self, path: Path, then: Any) -> None:
        """Raises ValueError if the checkpoint describes another run."""
        known = isinstance(then, dict)
        if known and ("members" in then) != ("members" in self.run):
            whose, this = ("fit_ensemble", "fit") if "members" in then else ("fit", "fit_ensemble")
            raise ValueError(f"{path} is a checkpoint of {whose}, not of {this}: use another folder.")
        if not known or set(then) != set(self.run):
            raise ValueError(
                f"{path} was written by another version of jaxnn: resume with that version, or use another folder."
            )
        for name, now in self.run.items():
            if then[name] != now:
                shown = f" ({then[name]} in the checkpoint, {now} in this run)" if isinstance(now, int) else ""
                what = "number of members" if name == "members" else name.replace("_", " ")
                raise ValueError(
                    f"{path} is a checkpoint of another run: its {what} differs{shown}. "
                    f"Resume with the original arguments, or use another folder."
                )


def named(state: Any) -> Tensors:
    """The arrays of a state, as a checkpoint holds them; ValueError if one can't be stored."""
    return flatten({"carry": state})


def damaged(path: Path) -> ValueError:
    """The error for a checkpoint that no run could have written."""
    return ValueError(
        f"{path} is not a valid checkpoint: its history or description is damaged. Delete it or use another folder."
    )


def check_resume(checkpoint: Any, *, resume: bool) -> None:
    """Raises ValueError if there is nothing to resume from."""
    if resume and checkpoint is None:
        raise ValueError("resume=True needs the folder to resume from: pass checkpoint=folder.")


def rule_digest(plan: Plan, train: TrainState, data: Batch) -> str:
    """SHA-256 of one step's program: of the structure of the objective and the optimiser."""
    batch = jax.eval_shape(gather, data, jax.ShapeDtypeStruct((plan.batch_size,), np.int32))
    text = jax.jit(plan.step(plan.optimiser, data)).lower(train, batch).as_text()
    return hashlib.sha256(text.encode()).hexdigest()


def digest(data: Any) -> str:
    """SHA-256 of the values, shapes and dtypes of arrays."""
    sha = hashlib.sha256()
    for part in jax.tree.leaves(data):
        array = np.ascontiguousarray(part)
        sha.update(f"{array.dtype} {array.shape};".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def key_data(key: Any) -> Any:
    """The numbers of a key, typed or not."""
    return jax.random.key_data(key) if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) else key
