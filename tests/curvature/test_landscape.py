import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import curvature, mlp
from tests.curvature.spectra import dense, network, parameters, quadratic


def moved(params, *moves):
    for t, direction in moves:
        params = jax.tree.map(lambda p, d, t=t: p + t * d, params, direction)
    return params


@pytest.mark.slow
def test_a_line_is_the_function_at_its_points(x64):
    objective, params, batch = network()
    f = functools.partial(objective, batch=batch)
    u, _ = curvature.random_directions(jax.random.key(0), params)
    ts = jnp.linspace(-1, 2, 11)
    values = curvature.line(f, params, u, ts)
    np.testing.assert_allclose(values, [f(moved(params, (t, u))) for t in ts], rtol=1e-13)


@pytest.mark.slow
def test_interpolation_meets_both_ends(dtype):
    objective, a, batch = network()
    b = mlp.init(jax.random.key(7), mlp.sizes(a))
    f = functools.partial(objective, batch=batch)
    values = curvature.interpolation(f, a, b, jnp.asarray([0.0, 0.25, 1.0]))
    middle = jax.tree.map(lambda p, q: 0.75 * p + 0.25 * q, a, b)
    np.testing.assert_allclose(values, [f(a), f(middle), f(b)], rtol=20 * np.finfo(dtype).eps)


@pytest.mark.slow
def test_a_plane_is_the_function_at_its_points(x64):
    objective, params, batch = network()
    f = jax.jit(functools.partial(objective, batch=batch))
    u, v = curvature.random_directions(jax.random.key(0), params)
    found = curvature.plane(f, params, u, v, extent=0.7, n=5)
    np.testing.assert_allclose(found.xs, [-0.7, -0.35, 0, 0.35, 0.7], rtol=1e-15)
    assert found.values.shape == (5, 5)
    np.testing.assert_allclose(found.values[2, 2], f(params), rtol=1e-14)
    for i, j in ((0, 4), (3, 1), (4, 0)):
        expected = f(moved(params, (found.xs[j], u), (found.ys[i], v)))
        np.testing.assert_allclose(found.values[i, j], expected, rtol=1e-13)


def test_a_plane_keeps_what_is_not_finite(x64):
    found = curvature.plane(lambda p: jnp.log(p[0]) + p[1], jnp.array([1.0, 0.0]), *jnp.eye(2), extent=2.0, n=5)
    assert np.isnan(found.values[:, 0]).all()
    assert np.isfinite(found.values[:, 3]).all()


@pytest.mark.by_default("float64")
def test_filters_have_the_length_of_the_weights(dtype):
    params = mlp.init(jax.random.key(0), (5, 4, 3), b_init=jax.nn.initializers.ones)
    u, v = curvature.random_directions(jax.random.key(1), params)
    for direction in (u, v):
        for layer, own in zip(direction, params, strict=True):
            norms = [np.linalg.norm(each, axis=0) for each in (layer.w, own.w)]
            np.testing.assert_allclose(*norms, rtol=10 * np.finfo(dtype).eps)
            assert not layer.b.any()
            assert layer.w.dtype == dtype
    angle = np.vdot(u[0].w, v[0].w) / np.vdot(u[0].w, u[0].w)
    assert abs(angle) < 0.9  # two directions, not one


@pytest.mark.slow
def test_other_directions():
    u, v = curvature.random_directions(jax.random.key(1), jnp.array([3.0, 4.0]))
    np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 5, rtol=1e-6)  # nothing but biases: they move
    params = mlp.init(jax.random.key(0), (5, 4, 3))
    u, _ = curvature.random_directions(jax.random.key(1), params, filter_normalised=False)
    np.testing.assert_allclose(np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(u))), 1, rtol=1e-6)
    assert all(leaf.any() for leaf in jax.tree.leaves(u))
    zero = jax.tree.map(jnp.zeros_like, params)
    assert not any(leaf.any() for leaf in jax.tree.leaves(curvature.random_directions(jax.random.key(1), zero)))


@pytest.mark.parametrize("scale", [0.125, 3.7])
def test_the_picture_is_that_of_the_function_and_not_of_its_parameters(x64, scale):
    """A network of rectifiers is the same after w₁ → a w₁, b₁ → a b₁, w₂ → w₂ / a; so is its plane."""
    objective, params, batch = network(activation=jax.nn.relu)
    first, second = params
    first = first._replace(b=jnp.linspace(-0.2, 0.3, 6))
    planes = []
    for a in (1.0, scale):
        rescaled = (mlp.Layer(a * first.w, a * first.b), mlp.Layer(second.w / a, second.b))
        u, v = curvature.random_directions(jax.random.key(3), rescaled)
        planes.append(curvature.plane(functools.partial(objective, batch=batch), rescaled, u, v, n=7).values)
    np.testing.assert_allclose(planes[1], planes[0], rtol=1e-12)
    assert np.ptp(planes[0]) > 0.1


def test_eigen_directions_see_the_largest_curvatures(x64):
    objective, params, batch = network()
    f = functools.partial(objective, batch=batch)
    w = np.linalg.eigvalsh(dense(f, params))
    top = w[np.argsort(-np.abs(w))][:2]
    for direction, curve in zip(
        curvature.eigen_directions(objective, params, batch, key=jax.random.key(0)), top, strict=True
    ):
        h = 1e-3
        low, middle, high = curvature.line(f, params, direction, jnp.asarray([-h, 0.0, h]))
        np.testing.assert_allclose((low - 2 * middle + high) / h**2, curve, rtol=1e-4)


def test_quadratic_bowls_are_parabolas(x64):
    a = jnp.diag(jnp.asarray([4.0, 9.0]))
    params = jax.tree.map(jnp.zeros_like, parameters(2))
    u, v = ({"first": jnp.full((1, 1), x), "second": jnp.full(1, 1 - x)} for x in (1.0, 0.0))
    found = curvature.plane(quadratic(a), params, u, v, n=3)
    np.testing.assert_allclose(found.values, [[6.5, 4.5, 6.5], [2, 0, 2], [6.5, 4.5, 6.5]], atol=1e-15)


@pytest.mark.parametrize(("words", "message"), [({"extent": 0.0}, "extent must be > 0"), ({"n": 1}, "n must be")])
def test_wrong_words(words, message):
    with pytest.raises(ValueError, match=message):
        curvature.plane(lambda p: p.sum(), jnp.ones(2), jnp.ones(2), jnp.ones(2), **words)
