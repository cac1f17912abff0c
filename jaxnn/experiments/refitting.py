"""Training once more on all rows but the test rows, for as many epochs as were best on the validation rows.

The first training needs validation rows to know when to stop; the second, which no longer has to ask, learns from them
too. docs/defaults.md says what that gains.
"""

from typing import Any

import numpy as np

from jaxnn.experiments.network import Trained, train
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows


def check(rows: Rows, ensemble: int) -> None:
    """Raises ValueError if there are no validation rows, or for an ensemble, whose members stop at their own epochs."""
    if ensemble:
        raise ValueError("--refit trains one network again: leave it out, or leave out --ensemble.")
    if not len(rows.split.validation):
        raise ValueError("--refit needs validation rows, which say how many epochs are best: leave out --validation 0.")


def refitted(rows: Rows, recipe: Recipe, epochs: int, *, seed: int, **settings: Any) -> Trained:
    """The network trained from its start on training and validation rows together.

    A schedule of the learning rate is spread over these epochs; all rows in every step are then all of both parts.

    Args:
        rows: the rows of the first training.
        recipe: of the first training.
        epochs: how many were best then.
        seed: as of the first training.
        **settings: further arguments of `network.train`.
    """
    split = rows.split
    together = split._replace(
        train=np.concatenate([split.train, split.validation]), validation=np.empty(0, split.validation.dtype)
    )
    longer = recipe._replace(epochs=epochs, patience=0)
    if recipe.batch_size >= len(split.train):  # all rows in every step, as second-order methods need it
        longer = longer._replace(batch_size=len(together.train))
    return train(rows._replace(split=together), longer, seed=seed, **settings)


def came_to_its_end(again: Trained, epochs: int) -> bool:
    """Whether a training did all epochs, and none with a loss that is not finite."""
    loss = again.fit.history.loss
    return again.fit.interrupted is None and len(loss) == epochs and bool(np.isfinite(loss).all())
