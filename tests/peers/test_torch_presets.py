"""The presets named after PyTorch against `torch.optim` itself, in double precision."""

import inspect

import jax
import numpy as np
import pytest
import torch

from jaxnn.optimisers import PRESETS, preset
from tests.twins import BOTH, STEPS, assert_same, draws, follow, problem, rate

EPS = (1e-9, 1e-3)
PENALTY = {"weight_decay": [0.0, 0.3, 1e-2], "maximize": BOTH}
ADAM = PENALTY | {"betas": [(0.9, 0.999), (0.0, 0.99), (0.6, 0.9), (0.95, 0.9995)], "eps": EPS}
SPACES = {
    "SGD": PENALTY | {"momentum": [0.0, 0.5, 0.95], "dampening": [0.0, 0.3]},
    "Adagrad": PENALTY | {"lr_decay": [0.0, 0.1], "initial_accumulator_value": [0.0, 0.3], "eps": EPS},
    "RMSprop": PENALTY | {"alpha": (0.5, 0.99), "momentum": [0.9, 0.0, 0.5], "centered": BOTH, "eps": EPS},
    "Adam": ADAM | {"amsgrad": BOTH, "decoupled_weight_decay": BOTH},
    "AdamW": ADAM | {"amsgrad": BOTH},
    "NAdam": ADAM | {"momentum_decay": [0.0, 0.004, 1.0], "decoupled_weight_decay": BOTH},
    "Adamax": ADAM,
    "Adadelta": PENALTY | {"rho": (0.5, 0.99), "eps": EPS},
    "RAdam": ADAM | {"decoupled_weight_decay": BOTH},
}


@pytest.fixture
def double(x64):
    """NAdam keeps its product of momenta in the default dtype, whatever that of the parameters."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def torch_run(name, params, grads, **keywords):
    """The parameters after each step of PyTorch's own optimiser, its rate set by PyTorch's own scheduler."""
    leaves, structure = jax.tree.flatten(params)
    leaves = [torch.tensor(leaf, dtype=torch.float64) for leaf in leaves]
    gradients = [torch.tensor(g, dtype=torch.float64) for g in jax.tree.leaves(grads)]
    optimiser = getattr(torch.optim, name)(leaves, lr=1.0, **keywords)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    path = []
    for step in range(STEPS):
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = gradient[step]
        optimiser.step()
        scheduler.step()
        path.append([leaf.numpy().copy() for leaf in leaves])
    return jax.tree.unflatten(structure, [np.stack(leaf) for leaf in zip(*path, strict=True)])


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("name", SPACES)
def test_torch(name, draw, double):
    keywords = draws(name, SPACES[name], 4)[draw]
    params, grads = problem(draw)
    ours = follow(preset(f"torch.{name}", rate, **keywords), params, grads)
    assert_same(ours, torch_run(name, params, grads, **keywords))


@pytest.mark.parametrize("maximize", BOTH)
def test_torch_nesterov(maximize, double):
    keywords = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": maximize}
    params, grads = problem(0)
    ours = follow(preset("torch.SGD", rate, **keywords), params, grads)
    assert_same(ours, torch_run("SGD", params, grads, **keywords))


@pytest.mark.parametrize("name", SPACES)
def test_torch_defaults(name):
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    given = inspect.signature(PRESETS[f"torch.{name}"]).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}
    assert set(theirs) - set(given) <= {"params", "foreach", "fused", "capturable", "differentiable"}
