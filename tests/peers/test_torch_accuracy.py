"""Adam in float32: ours is nearer than PyTorch's to extended precision."""

import numpy as np
import torch

from tests import accuracy


def test_adam_in_float32_is_nearer_the_truth_than_torch():
    grads = accuracy.gradients()
    theta = torch.zeros(grads.shape[1])
    optimiser = torch.optim.Adam([theta], lr=accuracy.LEARNING_RATE, betas=(accuracy.B1, accuracy.B2), eps=accuracy.EPS)
    theirs = []
    for t, g in enumerate(grads, start=1):
        theta.grad = torch.tensor(g)
        optimiser.step()
        if t in accuracy.STEPS:
            theirs.append(theta.numpy().copy())
    truth = accuracy.exact(grads)
    distance = np.array(accuracy.median_ulps(accuracy.ours(grads), truth))
    assert (distance < accuracy.median_ulps(theirs, truth)).all()
