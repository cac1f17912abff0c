"""An ensemble to be killed: trains, checkpoints into argv[1], and writes all that it ends with to argv[2]."""

import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jaxnn import losses, mlp, optimisers, training
from jaxnn.objective import Objective
from jaxnn.training import checkpoint

MEMBERS, ROWS = 7, 602
checkpoint.LEAST_SECONDS = 0.05


def main(folder: str, out: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 10))
    y = np.sin(x @ rng.normal(size=(10, 1)))
    folds = np.array_split(rng.permutation(ROWS), MEMBERS)
    keys = jax.random.split(jax.random.key(1), MEMBERS)
    found = training.fit_ensemble(
        Objective(mlp.apply, losses.squared_error),
        optimisers.stack(optimisers.adam, learning_rate=np.geomspace(1e-4, 1e-2, MEMBERS).tolist()),
        jax.vmap(lambda key: mlp.init(key, (10, 32, 1)))(keys),
        (x, y),
        epochs=400,
        batch_size=16,
        key=keys,
        rows=[np.setdiff1d(np.arange(ROWS), fold) for fold in folds],
        validation_rows=folds,
        metrics=["rmse"],
        members_at_once=2,
        hook=partial(hook, Path(folder) / "epochs"),
        checkpoint=folder,
        resume=True,
        progress=False,
    )
    flat = training.flatten([(each.params, each.best_params, each.state) for each in found.members])
    content = b"".join(name.encode() + flat[name].tobytes() for name in sorted(flat))
    for each in found.members:
        content += each.stop.encode() + each.history.loss.tobytes() + each.history.metrics["rmse"].tobytes()
    Path(out).write_bytes(content)


def hook(path: Path, scores: dict[int, np.ndarray]) -> list[int]:
    """Lets the killer see how far the run is; after 20 and 60 epochs, ends the worst of those that are left."""
    path.write_text(str(max(len(own) for own in scores.values())))
    due = [number for number, own in scores.items() if len(own) in (20, 60)]
    return sorted(due, key=lambda number: scores[number].min())[-1:]


if __name__ == "__main__":
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    main(*sys.argv[1:])
