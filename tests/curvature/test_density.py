import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import curvature
from tests.curvature.spectra import MATRICES, SPECTRA, N, matrix, parameters, quadratic

NAMES = ("semicircle", "outliers", "repeated", "low rank")


def of(name, dtype=jnp.float64, seed=0, **words):
    a = jnp.asarray(MATRICES[name], dtype)
    words = {"probes": 8, "steps": 12} | words
    return curvature.spectral_density(quadratic(a), parameters(N, dtype), key=jax.random.key(seed), **words)


@pytest.mark.by_default("float64-semicircle")
@pytest.mark.parametrize("name", NAMES)
def test_the_density_is_one(dtype, name):
    found = of(name, dtype)
    area = np.trapezoid(np.asarray(found.density, np.float64), np.asarray(found.grid, np.float64))
    # Six standard deviations beyond the last node leave 2e-9; the rest is rounding.
    np.testing.assert_allclose(area, 1, atol=max(1e-8, 100 * np.finfo(dtype).eps))
    np.testing.assert_allclose(found.weights.sum(), 1, rtol=10 * np.finfo(dtype).eps)
    assert (found.density >= 0).all()
    assert found.density.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_moments_are_those_of_the_probes(x64, name):
    """Gauss' quadrature: exact to degree 2 steps - 1 for each probe, so for their mean."""
    found, a = of(name), MATRICES[name]
    v = np.asarray(jax.random.rademacher(jax.random.key(0), (8, N), jnp.float64))
    scale = np.abs(SPECTRA[name]).max()
    image = v
    for power in range(1, 24):
        image = image @ (a / scale)
        expected = np.mean(np.sum(v * image, axis=1)) / N
        moment = np.sum(found.weights * (found.nodes / scale) ** power)
        np.testing.assert_allclose(moment, expected, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_moments_are_the_traces(x64, name):
    found = of(name, probes=400)
    per_probe = np.asarray(found.weights * 400).reshape(400, -1)
    nodes = np.asarray(found.nodes).reshape(400, -1)
    for power in (1, 2, 3):
        samples = np.sum(per_probe * nodes**power, axis=1)
        error = np.std(samples) / np.sqrt(400)
        # Four standard errors; signs on both sides of the diagonal make the first two nearly certain.
        assert abs(samples.mean() - np.mean(SPECTRA[name] ** power)) <= 4 * error + 1e-12


def test_shares_count_eigenvalues(x64):
    found = of("repeated", probes=100)
    assert abs(float(found.share(high=-1e-6)) - 0.25) < 0.03
    assert abs(float(found.share(low=4.5)) - 0.25) < 0.03
    assert float(found.share()) == pytest.approx(1)


@pytest.mark.slow
def test_a_semicircle_looks_like_one(x64):
    """Wigner's law: 2/(π r²) √(r² - λ²), here with r = 1, but for its edges and the width of the bells."""
    rng = np.random.default_rng(3)
    g = rng.normal(size=(600, 600))
    a = jnp.asarray((g + g.T) / np.sqrt(8 * 600))
    found = curvature.spectral_density(
        quadratic(a), parameters(600), key=jax.random.key(0), probes=40, steps=40, width=0.05
    )
    inside = np.abs(np.asarray(found.grid)) < 0.8
    law = 2 / np.pi * np.sqrt(1 - np.asarray(found.grid)[inside] ** 2)
    # 24,000 random signs, and the bells of width 0.05 on a curve that bends.
    assert np.abs(np.asarray(found.density)[inside] - law).max() < 0.06


def test_equal_eigenvalues_are_one_bell(x64):
    found = curvature.spectral_density(
        quadratic(jnp.asarray(matrix(np.full(N, 3.0)))), parameters(N), key=jax.random.key(0), probes=3
    )
    assert abs(float(found.grid[np.argmax(found.density)]) - 3) < 1e-3
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "message"),
    [({"probes": 0}, "probes"), ({"steps": 0}, "steps"), ({"points": 1}, "points"), ({"width": -1.0}, "width must be")],
)
def test_wrong_words(words, message):
    with pytest.raises(ValueError, match=message):
        curvature.spectral_density(lambda p: (p**2).sum(), jnp.ones(3), key=jax.random.key(0), **words)
