"""Event files: every value of the history at its epoch, read back by the format's own description."""

import struct

import jax
import jax.numpy as jnp
import pytest

from jaxnn import Objective, losses, mlp, optimisers, training


def scalars(folder):
    """{(name, epoch): value} of the event files: records of a length, its check, the event, and its check."""
    from tensorboardX.proto import event_pb2

    found = {}
    for path in folder.iterdir():
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
            place += 16 + length
            found |= {(each.tag, event.step): each.simple_value for each in event.summary.value}
    return found


def test_every_column_is_on_the_disk_at_every_epoch(tmp_path):
    x = jnp.linspace(-1, 1, 20)[:, None]
    objective, params = Objective(mlp.apply, losses.squared_error), mlp.init(jax.random.key(0), (1, 1))
    with training.TensorBoard(tmp_path / "runs" / "first") as board:
        fit = training.fit(
            objective, optimisers.sgd(0.1), params, (x, 2 * x), epochs=3, batch_size=5, key=jax.random.key(1),
            validation=0.2, hooks=[board], progress=False,
        )  # fmt: skip
    written = scalars(tmp_path / "runs" / "first")
    for row in fit.history.rows():
        for name in ("loss", "validation_loss", "gradient_norm", "learning_rate"):
            assert written[name, row["epoch"]] == pytest.approx(row[name], rel=1e-6)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        training.TensorBoard(tmp_path / "file")
