"""Activations, gains, losses and the network against PyTorch's own functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from jaxnn import activations, initialisers, losses, mlp
from tests.targets import BATCH, RAW, TARGETS
from tests.test_activations import ELEMENTWISE, GRID

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "absolute_value": torch.abs,
    "elu": functional.elu,
    "selu": torch.selu,
    "gelu": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
    "softplus": lambda z: functional.softplus(z, threshold=1000),  # 20 by default: the identity beyond
    "identity": lambda z: 1 * z,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}
# One number per entry or per example.
LOSSES = {
    "squared_error": lambda o, y: functional.mse_loss(o, y, reduction="none"),
    "absolute_error": lambda o, y: functional.l1_loss(o, y, reduction="none"),
    "huber": lambda o, y: functional.huber_loss(o, y, reduction="none"),
    "softmax_cross_entropy": lambda o, y: functional.cross_entropy(o, y, reduction="none"),
    "sigmoid_cross_entropy": lambda o, y: functional.binary_cross_entropy_with_logits(o, y, reduction="none"),
    "poisson": lambda o, y: functional.poisson_nll_loss(o, y, log_input=True, reduction="none"),
}


def test_every_activation_and_every_loss_has_a_twin():
    assert set(ACTIVATIONS) == set(activations.TABLE)
    assert set(LOSSES) == set(losses.TABLE)


class TestActivations:
    @pytest.mark.parametrize("name", activations.TABLE)
    def test_values(self, name, dtype):
        z = jnp.asarray(GRID, dtype)
        twin = ACTIVATIONS[name](torch.tensor(np.asarray(z))).numpy()
        ours = jax.jit(activations.get(name))(z)
        assert ours.dtype == dtype
        eps = jnp.finfo(dtype).eps
        np.testing.assert_allclose(ours, twin, rtol=8 * eps, atol=32 * eps)  # GELU's z (1 + tanh u) cancels for z < 0

    @pytest.mark.parametrize("name", ELEMENTWISE)
    def test_derivatives(self, name, dtype):
        z = jnp.asarray(GRID[GRID != 0], dtype)  # at 0 the conventions differ
        theirs = torch.tensor(np.asarray(z), requires_grad=True)
        ACTIVATIONS[name](theirs).sum().backward()
        ours = jax.jit(activations.derivative(name))(z)
        assert ours.dtype == dtype
        eps = jnp.finfo(dtype).eps
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=16 * eps, atol=256 * eps)  # theirs cancels: GELU


class TestGains:
    @pytest.mark.parametrize(
        ("ours", "theirs"), [("identity", "linear"), *((name, name) for name in ("sigmoid", "tanh", "relu", "selu"))]
    )
    def test_by_name(self, ours, theirs):
        assert initialisers.gain(ours) == pytest.approx(torch.nn.init.calculate_gain(theirs), rel=1e-15)

    @pytest.mark.parametrize("slope", [0.01, 0.0, 0.2, -1.0])
    def test_leaky_relu_takes_its_slope(self, slope):
        theirs = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert initialisers.gain("leaky_relu", negative_slope=slope) == pytest.approx(theirs, rel=1e-15)


class TestLosses:
    @pytest.mark.parametrize("case", TARGETS)
    def test_values_and_gradients(self, case, dtype):
        name, targets = case.partition(" ")[0], TARGETS[case]
        loss = losses.get(name)
        whole = np.issubdtype(targets.dtype, np.integer)
        targets = jnp.asarray(targets, jnp.int32 if whole else dtype)
        outputs = jnp.asarray(RAW, dtype)

        theirs_outputs = torch.tensor(np.asarray(outputs), requires_grad=True)
        theirs = LOSSES[name](theirs_outputs, torch.tensor(np.asarray(targets), dtype=torch.int64 if whole else None))
        theirs = theirs if theirs.ndim == 1 else theirs.sum(dim=1)
        theirs.sum().backward()

        ours = jax.jit(loss)(outputs, targets)
        assert ours.shape == (BATCH,)
        assert ours.dtype == dtype
        tolerance = {"rtol": 16 * jnp.finfo(dtype).eps, "atol": 16 * jnp.finfo(dtype).eps}
        np.testing.assert_allclose(ours, theirs.detach().numpy(), **tolerance)
        gradient = jax.grad(lambda o: loss(o, targets).sum())(outputs)
        np.testing.assert_allclose(gradient, theirs_outputs.grad.numpy(), **tolerance)

    @pytest.mark.parametrize("delta", [0.1, 1.0, 5.0])
    def test_the_width_of_huber(self, delta, x64):
        y = TARGETS["huber"]
        theirs = functional.huber_loss(torch.tensor(RAW), torch.tensor(y), reduction="none", delta=delta).sum(dim=1)
        np.testing.assert_allclose(losses.huber(jnp.asarray(RAW), y, delta=delta), theirs.numpy(), rtol=1e-14)


def test_the_network_in_float32():
    key = jax.random.key(0)
    params = mlp.init(key, (5, 7, 7, 1), b_init=jax.nn.initializers.normal(1.0), dtype=jnp.float32)
    x = jax.random.normal(key, (20, 5), jnp.float32)
    h = torch.tensor(np.asarray(x))
    for k, layer in enumerate(params):
        h = functional.linear(h, torch.tensor(np.asarray(layer.w.T)), torch.tensor(np.asarray(layer.b)))
        h = torch.relu(h) if k < len(params) - 1 else h
    np.testing.assert_allclose(mlp.apply(params, x), h.numpy(), rtol=1e-5, atol=1e-5)
