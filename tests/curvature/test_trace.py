import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import curvature
from jaxnn.curvature.operator import Operator
from jaxnn.curvature.trace import trace_of
from tests.curvature.spectra import MATRICES, SPECTRA, N, matrix, parameters, quadratic

METHODS = ("xtrace", "hutch++", "hutchinson")
DECAYING = 0.8 ** np.arange(N)


@functools.partial(jax.jit, static_argnames=("products", "method"))
def estimates(a, keys, products, method):
    operator = Operator(lambda u: a @ u, a.shape[0], a.dtype, lambda u: u)
    return jax.vmap(lambda key: trace_of(operator, key, products, method))(keys)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


@pytest.mark.by_default("semicircle-*")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["semicircle", "outliers"])
def test_the_mean_over_keys_is_the_trace(x64, method, name):
    found = np.asarray(estimates(jnp.asarray(MATRICES[name]), keys(2000), 12, method).value)
    # Four standard errors of a mean of 2000: once in 16,000.
    assert abs(found.mean() - SPECTRA[name].sum()) <= 4 * found.std() / np.sqrt(2000)


@pytest.mark.parametrize("method", ["xtrace", "hutch++"])
@pytest.mark.parametrize("name", ["low rank", "zero"])
def test_low_rank_is_exact(dtype, method, name):
    found = estimates(jnp.asarray(MATRICES[name], dtype), keys(20), 24, method)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found.value, SPECTRA[name].sum(), atol=500 * eps)
    assert np.all(np.abs(found.standard_error) <= 500 * eps)


def test_standard_errors_are_those_of_the_estimates(x64):
    a = jnp.asarray(matrix(DECAYING))
    for method, within in (("hutchinson", 0.2), ("hutch++", 0.2), ("xtrace", 0.6)):
        found = estimates(a, keys(1000), 24, method)
        spread = np.std(np.asarray(found.value))
        told = np.sqrt(np.mean(np.asarray(found.standard_error) ** 2))
        assert abs(told / spread - 1) < within, (method, told, spread)


def test_each_method_beats_the_one_before_it_where_eigenvalues_fall(x64):
    a = jnp.asarray(matrix(DECAYING))
    order = ("hutchinson", "hutch++", "xtrace")
    spread = [np.std(np.asarray(estimates(a, keys(1000), 24, method).value)) for method in order]
    assert spread[0] > 1.5 * spread[1] > 1.5 * 1.3 * spread[2]


def test_xtrace_is_the_mean_over_vectors_left_out(x64):
    """Against the definition, with a basis computed anew for each vector that is left out."""
    a, k = MATRICES["semicircle"], 6
    key = jax.random.key(4)
    drawn = np.asarray(jax.random.normal(key, (k, N)))
    omega = np.sqrt(N) * (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).T
    samples = []
    for i in range(k):
        q, _ = np.linalg.qr(a @ np.delete(omega, i, axis=1))
        rest = omega[:, i] - q @ (q.T @ omega[:, i])
        rest *= np.sqrt(N - k + 1) / np.linalg.norm(rest)
        samples.append(np.trace(q.T @ a @ q) + rest @ a @ rest)
    found = estimates(jnp.asarray(a), key[None], 2 * k, "xtrace")
    np.testing.assert_allclose(found.value[0], np.mean(samples), rtol=1e-11)
    np.testing.assert_allclose(found.standard_error[0], np.std(samples, ddof=1) / np.sqrt(k), rtol=1e-10)


@pytest.mark.parametrize("words", [{"method": "exact"}, {"products": N}, {"products": 10**6, "method": "hutchinson"}])
def test_as_many_products_as_parameters_are_exact(dtype, words):
    a = jnp.asarray(MATRICES["outliers"], dtype)
    found = curvature.trace(quadratic(a), parameters(N, dtype), key=jax.random.key(0), **words)
    np.testing.assert_allclose(found.value, SPECTRA["outliers"].sum(), atol=2000 * np.finfo(dtype).eps)
    assert (float(found.standard_error), int(found.products)) == (0, N)


@pytest.mark.parametrize(
    ("words", "message"),
    [({"products": 5}, "≥ 6"), ({"method": "hutch+"}, "Did you mean 'hutch\\+\\+'")],
)
def test_wrong_words(words, message):
    with pytest.raises(ValueError, match=message):
        curvature.trace(lambda p: (p**2).sum(), jnp.ones(3), key=jax.random.key(0), **words)


@pytest.mark.parametrize(
    ("f", "params", "message"),
    [
        (lambda p: p, jnp.ones(3), "one real number, got float32 of shape \\(3,\\)"),
        (lambda p: (p.sum(), p), jnp.ones(3), "got tuple"),
        (lambda p: p.sum().astype(int), jnp.ones(3), "got int32"),
        (lambda p: (p**2).sum(), jnp.ones(3, int), "real floating-point numbers, got int32"),
        (lambda p: 0.0, (), "at least one entry"),
    ],
)
def test_functions_and_parameters_that_have_no_hessian(f, params, message):
    with pytest.raises(ValueError, match=message):
        curvature.trace(f, params, key=jax.random.key(0))
