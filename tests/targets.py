"""Targets that each loss can have: what the tests of losses, gradients and curvature share."""

import numpy as np

from jaxnn import losses


def targets(loss, rows, outputs, rng, *, soft=False):
    """Targets in the range of a loss: (rows, outputs) in double precision, or (rows,) codes of classes.

    Args:
        loss: a name in `losses.TABLE`.
        rows: how many.
        outputs: of the network.
        rng: NumPy's generator, from which they are drawn.
        soft: a distribution over the outputs in place of a code.
    """
    assert loss in losses.TABLE
    if loss == "softmax_cross_entropy":
        return rng.dirichlet(np.ones(outputs), size=rows) if soft else rng.integers(outputs, size=rows)
    if loss == "sigmoid_cross_entropy":
        return rng.integers(2, size=(rows, outputs)).astype(float)
    if loss == "poisson":
        return rng.poisson(3, size=(rows, outputs)).astype(float)
    return rng.normal(size=(rows, outputs))


# One example of each, and of what else a loss takes, with outputs to go with them.
BATCH, OUTPUTS = 7, 3
_RNG = np.random.default_rng(0)
RAW = _RNG.normal(size=(BATCH, OUTPUTS)) * 3
LABELS = targets("softmax_cross_entropy", BATCH, OUTPUTS, _RNG)
SOFT = targets("softmax_cross_entropy", BATCH, OUTPUTS, _RNG, soft=True)
TARGETS = {
    "squared_error": targets("squared_error", BATCH, OUTPUTS, _RNG),
    "absolute_error": targets("absolute_error", BATCH, OUTPUTS, _RNG),
    "huber": targets("huber", BATCH, OUTPUTS, _RNG),
    "softmax_cross_entropy": LABELS,
    "softmax_cross_entropy of one-hot": np.eye(OUTPUTS)[LABELS],
    "softmax_cross_entropy of soft": SOFT,
    "sigmoid_cross_entropy": targets("sigmoid_cross_entropy", BATCH, OUTPUTS, _RNG),
    "sigmoid_cross_entropy of soft": SOFT,
    "poisson": targets("poisson", BATCH, OUTPUTS, _RNG),
}
