"""The history of a run, one row per epoch, as arrays and as lines of JSON."""

import json
import math
import os
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, files

COLUMNS = ("loss", "gradient_norm", "learning_rate", "validation_loss", "training_loss")


class History(NamedTuple):
    """One value per finished epoch, the first epoch first; numpy arrays of shape (epochs,)."""

    loss: np.ndarray  # mean of J over the epoch's batches, each before its update
    validation_loss: (
        np.ndarray | None
    )  # at the epoch's end, without penalty for an `Objective`; None without a validation set
    metrics: dict[str, np.ndarray]  # at the end of the epoch, on the validation set if there is one
    gradient_norm: np.ndarray  # mean of ‖∇J‖₂ over the epoch's batches
    learning_rate: np.ndarray  # at the epoch's last step; nan if the optimiser's state has none
    seconds: np.ndarray  # since the start of the run, including time before it was resumed
    training_loss: np.ndarray | None = None  # J of the training set at the epoch's end; None if it is not the score

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per epoch; `epoch` counts from 1, and non-finite values become None."""
        columns = {
            "loss": self.loss,
            "training_loss": self.training_loss,
            "validation_loss": self.validation_loss,
            **self.metrics,
            "gradient_norm": self.gradient_norm,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }
        present = {name: values for name, values in columns.items() if values is not None}
        return [
            {"epoch": epoch + 1, **{name: _json(values[epoch]) for name, values in present.items()}}
            for epoch in range(len(self.loss))
        ]

    def frame(self) -> Any:
        """A pandas DataFrame with the columns of `rows`, `epoch` as its index; non-finite values are NaN.

        Raises:
            ImportError: pandas is not installed.
        """
        pandas = checks.require("pandas", extra="tables", purpose="for a DataFrame")
        return pandas.DataFrame.from_records(self.rows(), index="epoch").astype(float)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON object per line and epoch; raises OSError if the file can't be written."""
        text = "".join(json.dumps(row) + "\n" for row in self.rows())
        files.write(path, text)


class Records:
    """The growing history of a run, on the host; `history()` converts it."""

    def __init__(
        self, metrics: tuple[str, ...], host_metrics: tuple[str, ...], *, validated: bool, training_loss: bool
    ) -> None:
        self.names = (*COLUMNS, *metrics, *host_metrics)
        self.host_columns = len(host_metrics)
        measured = {"validation_loss": validated, "training_loss": training_loss}
        self.absent = {name for name, present in measured.items() if not present}
        self.values: list[list[float]] = []  # one row per epoch, a column per name
        self.seconds: list[float] = []

    def __len__(self) -> int:
        return len(self.values)

    def add(self, table: np.ndarray, seconds: float) -> None:
        """Adds the epochs of one call and divides its time evenly between them."""
        before = self.seconds[-1] if self.seconds else 0.0
        for i, row in enumerate(table.tolist()):
            self.values.append(row + [math.nan] * self.host_columns)
            self.seconds.append(before + (seconds - before) * (i + 1) / len(table))

    def drop(self) -> None:
        """Removes the last epoch."""
        self.values.pop()
        self.seconds.pop()

    def fill(self, name: str, value: float) -> None:
        """Enters a metric of the last epoch that was computed on the host."""
        self.values[-1][self.names.index(name)] = value

    def latest(self) -> dict[str, float]:
        """The values of the last epoch by name; unmeasured ones are left out."""
        row = dict(zip(self.names, self.values[-1], strict=True))
        return {name: value for name, value in row.items() if name not in self.absent}

    def history(self) -> History:
        """The arrays."""
        columns = dict(zip(self.names, self.to_array().T[:-1], strict=True))
        return History(
            loss=columns["loss"],
            validation_loss=None if "validation_loss" in self.absent else columns["validation_loss"],
            metrics={name: columns[name] for name in self.names[len(COLUMNS) :]},
            gradient_norm=columns["gradient_norm"],
            learning_rate=columns["learning_rate"],
            seconds=np.array(self.seconds, float),
            training_loss=None if "training_loss" in self.absent else columns["training_loss"],
        )

    def to_array(self) -> np.ndarray:
        """(epochs, columns + 1), float64: the values, and the seconds last."""
        table = np.empty((len(self.values), len(self.names) + 1))
        if self.values:
            table[:, :-1], table[:, -1] = self.values, self.seconds
        return table

    def restore(self, table: np.ndarray) -> None:
        """Restores what `to_array` returned."""
        self.values, self.seconds = table[:, :-1].tolist(), table[:, -1].tolist()


def _json(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
