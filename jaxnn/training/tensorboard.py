"""TensorBoard's event files: the history of a run of `fit`, while it is written."""

import math
import os
from typing import Any

from jaxnn import checks
from jaxnn.training.host_loop import Epoch


class TensorBoard:
    """A hook that writes every column of the history, at every epoch, as a scalar that TensorBoard shows.

        with training.TensorBoard("runs/first") as board:
            training.fit(..., hooks=[board])

    `tensorboard --logdir runs` then draws all runs below `runs`. With a hook, `fit` returns to the host after each
    epoch, which costs a small network a part of its speed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Begins an event file in the folder, which is made if necessary.

        Raises:
            ImportError: tensorboardX is not installed.
            OSError: the folder can't be written.
        """
        library = checks.require("tensorboardX", extra="tensorboard", purpose="for TensorBoard's event files")
        self._writer = library.SummaryWriter(logdir=os.fspath(folder), flush_secs=1)

    def __call__(self, epoch: Epoch) -> None:
        """Writes the epoch's finite values; within a second they are on the disk."""
        for name, value in epoch.values.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, epoch.epoch)

    def close(self) -> None:
        """Ends the event file."""
        self._writer.close()

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
