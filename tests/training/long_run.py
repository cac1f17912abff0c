"""A run to be killed: trains, checkpoints into argv[1], and writes all that it ends with to argv[2]."""

import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jaxnn import losses, mlp, optimisers, training
from jaxnn.objective import Objective
from jaxnn.training import checkpoint

checkpoint.LEAST_SECONDS = 0.05


def main(folder: str, out: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 10))
    y = np.sin(x @ rng.normal(size=(10, 1)))
    predict = lambda params, x, key=None: mlp.apply(params, x, dropout=0.1, key=key)
    result = training.fit(
        Objective(predict, losses.squared_error),
        optimisers.adam(1e-3),
        mlp.init(jax.random.key(0), (10, 64, 1)),
        (x, y),
        epochs=250,
        batch_size=16,
        key=jax.random.key(1),
        validation=0.2,
        metrics=["rmse"],
        checkpoint=folder,
        resume=True,
        progress=False,
        hooks=[partial(report, Path(folder) / "epochs")],
    )
    flat = training.flatten((result.params, result.best_params, result.state))
    content = b"".join(name.encode() + flat[name].tobytes() for name in sorted(flat)) + result.history.loss.tobytes()
    Path(out).write_bytes(content)


def report(path: Path, epoch: training.Epoch) -> None:
    """Lets the killer see how far the run is."""
    path.write_text(str(epoch.epoch))


if __name__ == "__main__":
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    main(*sys.argv[1:])
