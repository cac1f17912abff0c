"""Pairs are judged by residual, Rayleigh quotient, orthogonality and the known spectrum; never by a recorded vector."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import curvature
from tests.curvature.spectra import MATRICES, SPECTRA, STACK, N, matrix

WANTED = {
    "largest": lambda w: np.sort(w)[::-1],
    "smallest": np.sort,
    "magnitude": lambda w: w[np.argsort(-np.abs(w), kind="stable")],
    "both": lambda w: np.stack([np.sort(w), np.sort(w)[::-1]], 1).ravel()[: len(w)],
}


@functools.partial(jax.jit, static_argnames=("k", "which", "steps"))
def pairs_of(stack, k, which, steps):
    def one(a):
        return curvature.eigenpairs(
            lambda u: a @ u, a.shape[0], k, key=jax.random.key(5), dtype=a.dtype, which=which, steps=steps
        )

    return jax.vmap(one)(stack)


def judge(a, values, vectors, residuals, expected, eps):
    scale = np.abs(np.linalg.eigvalsh(a)).max() or 1.0
    measured = np.linalg.norm(vectors @ a - values[:, None] * vectors, axis=1)
    assert np.abs(measured - residuals).max() <= 100 * eps * scale
    assert residuals.max() <= 2 * eps ** (2 / 3) * scale
    assert np.abs(vectors @ vectors.T - np.eye(len(values))).max() <= 100 * eps
    assert np.abs(np.einsum("ki,ij,kj->k", vectors, a, vectors) - values).max() <= 100 * eps * scale
    # The true eigenvalue is within the residual (and the rounding of a single-precision matrix) of each.
    assert np.all(np.abs(values - expected) <= residuals + 100 * eps * scale)


@pytest.mark.by_default("float64-both")
@pytest.mark.parametrize("which", WANTED)
def test_pairs_of_known_spectra_in_a_third_of_the_space(dtype, which):
    """Repeated eigenvalues come with their multiplicities."""
    found = pairs_of(jnp.asarray(STACK, dtype), 4, which, 20)
    for i, name in enumerate(MATRICES):
        values, vectors, residuals = (np.asarray(each[i], np.float64) for each in found[:3])
        expected = WANTED[which](SPECTRA[name])[:4]
        if which == "magnitude":  # equal magnitudes have no order
            values_order, expected_order = np.argsort(-np.abs(values)), np.argsort(-np.abs(expected))
            values, vectors, residuals = (each[values_order] for each in (values, vectors, residuals))
            expected = expected[expected_order]
        judge(MATRICES[name], values, vectors, residuals, expected, float(np.finfo(dtype).eps))


def test_all_of_a_small_matrix(x64):
    a = MATRICES["semicircle"]
    found = pairs_of(jnp.asarray(a)[None], N, "largest", N)
    np.testing.assert_allclose(found.values[0], np.linalg.eigvalsh(a)[::-1], atol=1e-13)
    assert found.products[0] == 2 * N


@pytest.mark.slow
def test_more_copies_than_one_sweep_finds(x64):
    """One eigenvalue eight times above a dense spectrum: each fresh vector finds one copy more."""
    values = np.concatenate([np.full(8, 3.0), np.linspace(-1, 1, 152)])
    found = pairs_of(jnp.asarray(matrix(values))[None], 9, "largest", 40)
    np.testing.assert_allclose(found.values[0], [3.0] * 8 + [1.0], atol=1e-10)


@pytest.mark.by_default("float64")
def test_both_ends(dtype):
    a = jnp.asarray(MATRICES["outliers"], dtype)
    ends = curvature.extreme_eigenpairs(lambda u: a @ u, N, key=jax.random.key(0), dtype=dtype, steps=20)
    eps = float(np.finfo(dtype).eps)
    for end, expected in ((ends.smallest, -30.0), (ends.largest, 90.0)):
        assert end.value.dtype == dtype
        assert abs(float(end.value) - expected) <= float(end.residual) + 100 * eps * 90
        np.testing.assert_allclose(np.linalg.norm(end.vector), 1, rtol=100 * eps)
    assert int(ends.products) < 100


def test_of_a_single_number(x64):
    ends = curvature.extreme_eigenpairs(lambda u: -3 * u, 1, key=jax.random.key(0))
    assert float(ends.smallest.value) == float(ends.largest.value) == -3
    assert float(ends.largest.residual) == 0


@pytest.mark.slow
def test_too_few_sweeps_are_told_by_the_residual(x64):
    a = jnp.asarray(matrix(np.linspace(-1, 1, 400)))
    found = curvature.eigenpairs(lambda u: a @ u, 400, 2, key=jax.random.key(0), steps=6, sweeps=1)
    assert int(found.products) == 6 + 2
    assert found.residuals.min() > 1e-3
    assert (np.abs(np.linspace(-1, 1, 400)[:, None] - found.values).min(axis=0) <= found.residuals).all()


def test_what_is_not_finite_ends_at_once(x64):
    found = curvature.eigenpairs(lambda u: u * jnp.nan, 100, 1, key=jax.random.key(0), steps=10)
    assert np.isnan(found.values).all()
    assert int(found.products) == 11


@pytest.mark.slow
def test_the_spectrum_ends_where_random_starts_say(x64):
    """Kuczyński's and Woźniakowski's bound against 2000 starts, on the spectrum that is hardest: cosines."""
    n, steps = 400, 8
    values = jnp.asarray(np.cos(np.pi * np.arange(n) / (n - 1)))

    def shortfall(key):
        ran = curvature.lanczos(lambda u: values * u, jax.random.normal(key, (n,)), steps)
        t = jnp.diag(ran.alphas) + jnp.diag(ran.betas[:-1], 1) + jnp.diag(ran.betas[:-1], -1)
        return (1 - jnp.linalg.eigvalsh(t)[-1]) / 2

    short = np.asarray(jax.jit(jax.vmap(shortfall))(jax.random.split(jax.random.key(1), 2000)))
    for failure in (0.5, 0.1, 0.01):
        assert np.mean(short > curvature.outside(n, steps, failure=failure)) <= failure
    assert curvature.outside(n, n) == 0
    assert curvature.outside(10**6, 3) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"k": 0}, "k must be a whole number ≥ 1"),
        ({"k": 9}, "k must be at most the number of parameters, 8, got 9"),
        ({"k": 2, "steps": 3}, "at least k \\+ 2 = 4"),
        ({"k": 2, "steps": 9}, "steps must be at most"),
        ({"k": 2, "which": "large"}, "Did you mean 'largest'"),
        ({"k": 2, "tolerance": 0.0}, "tolerance must be > 0"),
    ],
)
def test_wrong_words(words, message):
    with pytest.raises(ValueError, match=message):
        curvature.eigenpairs(lambda u: u, 8, key=jax.random.key(0), **words)
    with pytest.raises(ValueError, match="probability"):
        curvature.outside(8, 4, failure=1.0)
