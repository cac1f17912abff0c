"""Backpropagation by hand equals `jax.grad`, on networks of every depth, width, activation and loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn import activations, backprop, losses, mlp
from tests.targets import targets

KEY = jax.random.key(0)
ELEMENTWISE = sorted(set(activations.TABLE) - {"softmax"})


def both(params, x, y, sigma, loss):
    """The gradients by hand and by `jax.grad`, in one program: compiled once for each network."""

    def objective(outputs):
        return loss(outputs, y).mean()

    @jax.jit
    def gradients(params):
        outputs, kept = mlp.forward(params, x, activation=sigma)
        by_hand = backprop.backward(params, kept, jax.grad(objective)(outputs), activation=sigma)
        return by_hand, jax.grad(lambda params: objective(mlp.apply(params, x, activation=sigma)))(params)

    by_hand, by_jax = gradients(params)
    assert jax.tree.structure(by_hand) == jax.tree.structure(by_jax)
    return jax.tree.leaves(by_hand), jax.tree.leaves(by_jax)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=12)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6),
    names=st.lists(st.sampled_from(ELEMENTWISE), min_size=4, max_size=4),
    loss=st.sampled_from(sorted(losses.TABLE)),
    bias=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_equals_jax_grad_on_random_networks(sizes, names, loss, bias, seed):
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), 2)
        params = mlp.init(keys[0], sizes, b_init=jax.nn.initializers.normal(1.0) if bias else None)
        x = jax.random.normal(keys[1], (5, sizes[0]))
        y = jnp.asarray(targets(loss, 5, sizes[-1], np.random.default_rng(seed)))
        sigmas = tuple(activations.get(name) for name in names[: len(sizes) - 2])
        for ours, theirs in zip(*both(params, x, y, sigmas, losses.get(loss)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.by_default("float64-*")
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_activation_in_both_precisions(name, dtype):
    params = mlp.init(KEY, (4, 6, 5, 2), b_init=jax.nn.initializers.normal(1.0), dtype=dtype)
    x, y = jax.random.normal(KEY, (8, 4), dtype), jax.random.normal(KEY, (8, 2), dtype)
    for ours, theirs in zip(*both(params, x, y, activations.get(name), losses.squared_error), strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=32 * jnp.finfo(dtype).eps, atol=32 * jnp.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "absolute_value", "elu", "selu"])
def test_takes_the_side_that_jax_grad_takes_at_the_kink(name):
    """All pre-activations are exactly 0."""
    params = (mlp.Layer(jnp.zeros((2, 3)), jnp.zeros(3)), mlp.Layer(jnp.ones((3, 1)), jnp.zeros(1)))
    ours, theirs = both(params, jnp.ones((4, 2)), jnp.ones((4, 1)), activations.get(name), losses.squared_error)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_last_bias_gets_the_summed_gradient_of_the_outputs(x64):
    params = mlp.init(KEY, (3, 4, 2))
    given_gradient = jax.random.normal(KEY, (7, 2))
    _, kept = mlp.forward(params, jax.random.normal(KEY, (7, 3)))
    grads = backprop.backward(params, kept, given_gradient)
    np.testing.assert_allclose(grads[-1].b, given_gradient.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(grads[-1].w, kept.hidden[-1].T @ given_gradient, rtol=1e-14)


def test_pages_34_to_40_of_the_course(x64):
    """∂L/∂o = -1.16, ∂L/∂w₂₁ = -0.3944; page 38's ∂L/∂w₁₁ is ∂L/∂h · x = -0.58 · x, not -0.3944 · x (erratum 1)."""
    params = (mlp.Layer(jnp.array([[0.2], [0.1], [0.3]]), None), mlp.Layer(jnp.array([[0.5]]), None))
    x, y = jnp.array([[1.0, 0.5, 0.3]]), jnp.array([[0.75]])
    outputs, kept = mlp.forward(params, x)
    grad_outputs = jax.grad(lambda o: losses.squared_error(o, y)[0])(outputs)
    grads = backprop.backward(params, kept, grad_outputs)
    assert float(grad_outputs[0, 0]) == pytest.approx(-1.16, abs=1e-15)
    assert float(grads[1].w[0, 0]) == pytest.approx(-0.3944, abs=1e-15)
    np.testing.assert_allclose(grads[0].w[:, 0], [-0.58, -0.29, -0.174], rtol=1e-14)


def test_runs_under_jit():
    params, x = mlp.init(KEY, (3, 4, 2)), jnp.ones((5, 3))

    @jax.jit
    def gradient(params):
        outputs, kept = mlp.forward(params, x)
        return backprop.backward(params, kept, jnp.ones_like(outputs))

    expected = jax.grad(lambda params: mlp.apply(params, x).sum())(params)
    for ours, theirs in zip(jax.tree.leaves(gradient(params)), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


class TestRefusals:
    PARAMS = mlp.init(KEY, (3, 4, 2))

    @pytest.mark.parametrize("shape", [(5, 1), (4, 2), (5,), (1, 5, 2)])
    def test_gradients_of_another_shape(self, shape):
        _, kept = mlp.forward(self.PARAMS, jnp.ones((5, 3)))
        with pytest.raises(ValueError, match=r"grad_outputs must have shape \(batch, n_out\) = \(5, 2\), got "):
            backprop.backward(self.PARAMS, kept, jnp.ones(shape))

    def test_a_single_example_without_its_batch(self):
        outputs, kept = mlp.forward(self.PARAMS, jnp.ones(3))
        with pytest.raises(ValueError, match=r"grad_outputs must have shape \(batch, n_out\)"):
            backprop.backward(self.PARAMS, kept, outputs)

    def test_an_activation_that_mixes_units(self):
        """h̄ ⊙ σ' would be 0 for it, without a word."""
        outputs, kept = mlp.forward(self.PARAMS, jnp.ones((5, 3)), activation=jax.nn.softmax)
        with pytest.raises(ValueError, match=r"softmax mixes its inputs"):
            backprop.backward(self.PARAMS, kept, outputs, activation=jax.nn.softmax)

    @pytest.mark.parametrize("count", [0, 2])
    def test_another_number_of_activations(self, count):
        outputs, kept = mlp.forward(self.PARAMS, jnp.ones((5, 3)), activation=jnp.tanh)
        with pytest.raises(ValueError, match=rf"has 1 hidden layers, got {count} activations"):
            backprop.backward(self.PARAMS, kept, outputs, activation=(jnp.tanh,) * count)
