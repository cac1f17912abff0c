"""The Hessian of a small network, against jax.hessian and numpy's eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxnn import curvature, mlp
from tests.curvature.spectra import dense, network, parameters, quadratic

KEY = jax.random.key(2)


@pytest.mark.slow
def test_a_networks_pairs_are_those_of_its_dense_hessian(x64):
    objective, params, batch = network()
    h = dense(lambda p: objective(p, batch), params)
    w = np.linalg.eigvalsh(h)
    found = curvature.top_eigenpairs(objective, params, 5, batch, key=KEY, steps=25)
    np.testing.assert_allclose(found.values, w[::-1][:5], atol=1e-10 * np.abs(w).max())
    left = np.linalg.norm(found.vectors @ h - found.values[:, None] * found.vectors, axis=1)
    np.testing.assert_allclose(left, found.residuals, atol=1e-12)
    ends = curvature.extremes(objective, params, batch, key=KEY)
    np.testing.assert_allclose([ends.smallest.value, ends.largest.value], w[[0, -1]], atol=1e-10)
    assert float(curvature.condition_number(objective, params, batch, key=KEY)) == np.inf  # a saddle


@pytest.mark.slow
def test_layers_are_the_diagonal_blocks(x64):
    objective, params, batch = network()
    h = dense(lambda p: objective(p, batch), params)
    start = 0
    for layer, found in zip(params, curvature.layer_curvature(objective, params, batch, key=KEY), strict=True):
        n = ravel_pytree(layer)[0].size
        block = h[start : start + n, start : start + n]
        values = np.linalg.eigvalsh(block)
        np.testing.assert_allclose(found.trace, np.trace(block), rtol=1e-12)
        np.testing.assert_allclose([found.smallest, found.largest], values[[0, -1]], atol=1e-13)
        assert float(found.trace_error) == 0
        start += n


@pytest.mark.slow
def test_large_layers_are_never_made(x64):
    """A block of 420 parameters, by Lanczos and XTrace."""
    objective, params, batch = network(sizes=(20, 20, 2), rows=30)
    (first, _) = curvature.layer_curvature(objective, params, batch, key=KEY)
    block = dense(lambda layer: objective((layer, params[1]), batch), params[0])
    values = np.linalg.eigvalsh(block)
    np.testing.assert_allclose([first.smallest, first.largest], values[[0, -1]], atol=2 * float(first.residual))
    assert float(first.residual) < 1e-8 * values[-1]
    assert 0 < abs(float(first.trace) - values.sum()) < 5 * float(first.trace_error)
    whole = curvature.extremes(objective, params, batch, key=KEY)
    assert float(whole.smallest.value) <= values[0] + 1e-10  # Cauchy's interlacing
    assert float(whole.largest.value) >= values[-1] - 1e-10


def test_parts_are_the_children_of_the_root():
    tree = {"b": jnp.ones(2), "a": (jnp.ones(3), jnp.ones(4)), "none": None}
    assert [jax.tree.map(jnp.size, part) for part in curvature.parts_of(tree)] == [(3, 4), 2]
    assert [part.shape for part in curvature.parts_of(jnp.ones((2, 2)))] == [(2, 2)]
    (only,) = curvature.layer_curvature(lambda p: (p**3).sum(), jnp.arange(1.0, 5.0), key=KEY)
    np.testing.assert_allclose([only.smallest, only.largest, only.trace], [6, 24, 60], rtol=1e-6)


@pytest.mark.by_default("float64")
def test_condition_of_a_minimum(dtype):
    a = jnp.diag(jnp.asarray([2.0, 50.0, 4.0, 8.0], dtype))
    value = curvature.condition_number(quadratic(a), parameters(4, dtype), key=KEY)
    assert value.dtype == dtype
    assert float(value) == pytest.approx(25, rel=1e-5)


@pytest.mark.by_default("-1.0")
@pytest.mark.parametrize("least", [0.0, -1.0, 1e-20])
def test_condition_of_what_is_no_minimum(x64, least):
    a = jnp.diag(jnp.asarray([2.0, least, 4.0]))
    assert float(curvature.condition_number(quadratic(a), parameters(3), key=KEY)) == np.inf


def test_gradient_descent_diverges_beyond_two_over_sharpness(x64):
    a = jnp.diag(jnp.asarray([1.0, 3.0, 10.0]))
    limit = 2 / curvature.sharpness(quadratic(a), parameters(3), key=KEY)

    def after(rate):
        return np.linalg.norm(np.linalg.matrix_power(np.eye(3) - float(rate) * np.asarray(a), 2000))

    assert after(0.999 * limit) < 0.1 < 10 < after(1.001 * limit) * 2


@pytest.mark.slow
def test_inside_jit_and_vmap(x64):
    """One program over four networks gives what each gives alone."""
    objective, _, batch = network()
    many = jax.vmap(lambda key: mlp.init(key, (3, 6, 4)))(jax.random.split(jax.random.key(0), 4))
    together = jax.jit(jax.vmap(lambda p: curvature.sharpness(objective, p, batch, key=KEY)))(many)
    for i in range(4):
        alone = jax.tree.map(lambda leaf, i=i: leaf[i], many)
        expected = np.linalg.eigvalsh(dense(lambda p: objective(p, batch), alone))[-1]
        assert float(together[i]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_in_single_precision_the_residual_says_so():
    objective, params, batch = network()
    found = curvature.top_eigenpairs(objective, params, 2, batch, key=KEY)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, batch[0]))
        w = np.linalg.eigvalsh(dense(lambda p: objective(p, (wide[1], batch[1])), wide[0]))[::-1]
    assert found.values.dtype == jnp.float32
    # The residual, and the roundings of single-precision products themselves.
    assert np.all(np.abs(found.values - w[:2]) <= found.residuals + 1e-5 * w[0])


def test_half_precision_is_computed_in_single():
    params = {"w": jnp.arange(1, 4, dtype=jnp.bfloat16)}
    value = curvature.sharpness(lambda p: (p["w"].astype(jnp.float32) ** 3).sum(), params, key=KEY)
    assert value.dtype == jnp.float32
    assert float(value) == pytest.approx(18, rel=2e-2)  # bfloat16 has eight bits
