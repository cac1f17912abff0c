"""Adam in float32: ours is nearer than PyTorch's to extended precision."""

import numpy as np

from benchmarks import accuracy


def test_adam_in_float32_is_nearer_the_truth_than_torch():
    grads = accuracy.gradients()
    truth = accuracy.exact(grads)
    ours, theirs = (accuracy.median_ulps(f(grads), truth) for f in (accuracy.ours, accuracy.torch_adam))
    assert (np.array(ours) < theirs).all()
