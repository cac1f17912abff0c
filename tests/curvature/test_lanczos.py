import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import curvature
from tests.curvature.spectra import MATRICES, SPECTRA, STACK, N


@functools.partial(jax.jit, static_argnames="steps")
def run_all(stack, starts, steps):
    return jax.vmap(lambda a, v: curvature.lanczos(lambda u: a @ u, v, steps))(stack, starts)


def tridiagonal(alphas, betas):
    return np.diag(alphas) + np.diag(betas[:-1], 1) + np.diag(betas[:-1], -1)


def ran(dtype, steps):
    stack = jnp.asarray(STACK, dtype)
    starts = jax.random.normal(jax.random.key(3), (len(stack), N), dtype)
    return dict(zip(MATRICES, zip(*map(np.asarray, run_all(stack, starts, steps)), strict=True), strict=True))


@pytest.mark.by_default("float64-*", "float32-25")
@pytest.mark.parametrize("steps", [1, 25, N])
def test_the_decomposition_holds_whatever_the_spectrum(dtype, steps):
    """H Vᵀ = Vᵀ T but for what is left over in the last column, and V is orthonormal."""
    # Broken off where β is below 10 √m eps, each step may leave that much.
    tolerance = 20 * np.sqrt(steps) * np.finfo(dtype).eps
    for name, (alphas, betas, basis) in ran(dtype, steps).items():
        scale = np.abs(SPECTRA[name]).max() or 1.0
        left = MATRICES[name] @ basis.T - basis.T @ tridiagonal(alphas, betas)
        assert np.abs(basis @ basis.T - np.eye(steps)).max() < 30 * np.finfo(dtype).eps, name
        assert np.abs(left[:, :-1]).max(initial=0) < tolerance * scale, name
        assert abs(np.linalg.norm(left[:, -1]) - betas[-1]) < tolerance * scale, name


def test_n_steps_give_the_whole_spectrum_with_multiplicities(dtype):
    for name, (alphas, betas, _) in ran(dtype, N).items():
        found = np.linalg.eigvalsh(tridiagonal(alphas, betas))
        # Twenty rounding-sized betas set to 0 move an eigenvalue by no more than their sum.
        bound = 10 * N**1.5 * np.finfo(dtype).eps * (np.abs(SPECTRA[name]).max() or 1)
        np.testing.assert_allclose(found, np.sort(SPECTRA[name]), atol=bound, err_msg=name)


def test_breakdown_shows_as_a_beta_of_zero(x64):
    told = ran(jnp.float64, 25)
    assert (told["identity"][1] == 0).all()
    assert (told["zero"][1] == 0).all()
    assert told["repeated"][1][3] == 0  # four eigenvalues: the fourth vector ends the space
    assert told["repeated"][1][:3].min() > 0.1
    assert (told["diagonal"][1] > 0).all()


def test_the_length_of_the_start_does_not_matter(x64):
    start = jnp.asarray(np.random.default_rng(0).normal(size=N))
    a = jnp.asarray(MATRICES["semicircle"])
    one, other = (curvature.lanczos(lambda u: a @ u, start * scale, 10) for scale in (1.0, 1e200))
    np.testing.assert_allclose(one.alphas, other.alphas, rtol=1e-12)


def test_what_is_not_finite_stays_so(x64):
    told = curvature.lanczos(lambda u: u * jnp.nan, jnp.ones(4), 3)
    assert np.isnan(told.alphas).all()


@pytest.mark.parametrize(("steps", "error", "message"), [(0, ValueError, "≥ 1"), (5, ValueError, "at most the number")])
def test_wrong_steps(steps, error, message):
    with pytest.raises(error, match=message):
        curvature.lanczos(lambda u: u, jnp.ones(4), steps)
