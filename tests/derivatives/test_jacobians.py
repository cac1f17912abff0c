"""Jacobians of the outputs and curvature of the loss, against jax on whole objectives and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxnn import losses, mlp
from jaxnn.derivatives import jacobians
from jaxnn.objective import Objective
from tests.targets import targets

ROWS = 7
LOSSES = {**losses.TABLE, "huber, δ = 0.3": functools.partial(losses.huber, delta=0.3)}


jacobian_of = jax.jit(jacobians.output_jacobian, static_argnums=0)
curvature_of = jax.jit(jacobians.output_curvature, static_argnums=0)


def network(sizes, dtype=None):
    params = mlp.init(jax.random.key(0), sizes, dtype=dtype)
    x = jax.random.normal(jax.random.key(1), (ROWS, sizes[0]), params[0].w.dtype)
    return params, x


def predict(params, x):
    return mlp.apply(params, x, activation=jnp.tanh)


def by_jax(f, params):
    flat, back = ravel_pytree(params)
    return jax.jit(jax.jacobian(lambda v: f(back(v))))(flat)


@pytest.mark.by_default("float64-(3, 4, 2)", "float32-(1, 1)")
@pytest.mark.parametrize("sizes", [(3, 4, 2), (2, 5, 1), (1, 1)], ids=str)
def test_the_jacobian_is_jax_s_transposed(dtype, sizes):
    params, x = network(sizes, dtype)
    objective = Objective(predict, losses.squared_error)
    found = jacobian_of(objective, params, (x, None))
    expected = by_jax(lambda p: predict(p, x).reshape(-1), params).T
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=20 * jnp.finfo(dtype).eps, atol=20 * jnp.finfo(dtype).eps)


def test_row_by_row_and_all_at_once_are_the_same(x64):
    params, x = network((3, 4, 2))
    by_row, at_once = (
        jax.jit(lambda p, way=way: way(predict, p, x, 2))(params) for way in (jacobians._reverse, jacobians._forward)
    )
    np.testing.assert_allclose(by_row, at_once, rtol=1e-14, atol=1e-15)


def test_any_model_will_do(x64):
    """Outputs of shape (batch,), inputs and parameters in dictionaries, few and many parameters."""
    few = {"a": jnp.asarray(1.5), "b": jnp.asarray([0.3, -0.2])}
    many = {"a": jnp.asarray(1.5), "b": jnp.linspace(-1.0, 1.0, 20)}
    x = {"t": jnp.linspace(0.0, 1.0, ROWS), "u": jnp.ones((ROWS, 2))}

    def curve(p, x):
        return p["a"] * jnp.exp(-x["t"]) + x["u"][:, 0] * jnp.sum(p["b"] ** 2) + p["b"][0] * x["t"]

    for params in (few, many):
        found = jacobian_of(Objective(curve, losses.squared_error), params, (x, None))
        in_b = 2 * jnp.tile(params["b"][:, None], ROWS).at[0].add(x["t"] / 2)
        expected = jnp.concatenate([jnp.exp(-x["t"])[None], in_b])
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_mixed_and_narrow_parameters_are_promoted(x64):
    params = {"a": jnp.asarray(0.5, jnp.bfloat16), "b": jnp.asarray([2.0, 3.0])}
    x = jnp.linspace(1.0, 2.0, ROWS)
    objective = Objective(lambda p, x: p["a"].astype(x.dtype) * x + p["b"][0] * x**2, losses.squared_error)
    found = jacobian_of(objective, params, (x, None))
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found[1:], jnp.stack([x**2, 0 * x]), rtol=1e-15)
    np.testing.assert_allclose(found[0], x, rtol=2**-8)  # bfloat16 keeps eight bits


def test_a_key_draws_once_for_the_whole_batch(x64):
    params, x = network((3, 8, 2))

    def dropped(params, x, *, key=None):
        return mlp.apply(params, x, activation=jnp.tanh, dropout=0.5, key=key)

    key = jax.random.key(3)
    found = jacobian_of(Objective(dropped, losses.squared_error), params, (x, None), key)
    expected = by_jax(lambda p: dropped(p, x, key=key).reshape(-1), params).T
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_the_curvature_is_that_of_the_mean_loss(x64, name, weighted):
    k = 3
    outputs = jax.random.normal(jax.random.key(4), (ROWS, k))
    y = jnp.asarray(targets(name.partition(",")[0], ROWS, k, np.random.default_rng(2)))
    weight = jnp.arange(ROWS) * 0.5 if weighted else None
    objective = Objective(lambda p, x: p, LOSSES[name])
    mean = lambda o: objective.mean_loss(o, (o, y, weight) if weighted else (o, y))
    gradient, hessian = curvature_of(objective, outputs, y, weight)
    np.testing.assert_allclose(gradient, jax.jit(jax.grad(mean))(outputs), rtol=1e-12, atol=1e-15)
    whole = jax.jit(jax.hessian(mean))(outputs)
    expected = jnp.stack([whole[i, :, i] for i in range(ROWS)])
    np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(hessian, hessian.mT)


def test_closed_forms_of_the_curvature(x64):
    outputs = jnp.asarray([[0.3, -1.0], [2.0, 0.1]])
    p = jax.nn.softmax(outputs)
    curvature = lambda loss, y: curvature_of(Objective(lambda p, x: p, loss), outputs, y)[1]
    softmax = jax.vmap(lambda p: jnp.diag(p) - jnp.outer(p, p))(p) / 2
    np.testing.assert_allclose(curvature(losses.softmax_cross_entropy, jnp.asarray([0, 1])), softmax, atol=1e-15)
    np.testing.assert_allclose(curvature(losses.squared_error, outputs + 1), jnp.stack([jnp.eye(2)] * 2), atol=1e-15)
    rates = jax.vmap(jnp.diag)(jnp.exp(outputs)) / 2
    np.testing.assert_allclose(curvature(losses.poisson, jnp.ones((2, 2))), rates, rtol=1e-14)


def test_outputs_without_a_second_axis_are_one_output(dtype):
    o, y = jnp.asarray([0.5, 2.0], dtype), jnp.asarray([0.0, 1.0], dtype)
    objective = Objective(lambda p, x: p, losses.sigmoid_cross_entropy)
    gradient, hessian = curvature_of(objective, o, y, jnp.asarray([3.0, 1.0], dtype))
    s, w = jax.nn.sigmoid(o), jnp.asarray([0.75, 0.25], dtype)
    assert gradient.dtype == hessian.dtype == dtype
    np.testing.assert_allclose(gradient, (w * (s - y))[:, None], rtol=1e-6)
    np.testing.assert_allclose(hessian, (w * s * (1 - s))[:, None, None], rtol=1e-6)


def test_weights_of_zero_count_for_nothing(x64):
    objective = Objective(lambda p, x: p, losses.squared_error)
    gradient, hessian = curvature_of(objective, jnp.ones(3), jnp.zeros(3), jnp.zeros(3))
    assert not gradient.any()
    assert not hessian.any()


def test_bad_input_is_told_in_words():
    with pytest.raises(ValueError, match=r"^levenberg_marquardt needs the split .* got a plain function\.$"):
        jacobians.needs_split(lambda params, batch: 0.0, "levenberg_marquardt")
    with pytest.raises(ValueError, match=r"gauss_newton needs the split .* got int\.$"):
        jacobians.needs_split(3, "gauss_newton")
    objective = Objective(lambda p, x: p * jnp.ones((2, 2, 2)), losses.squared_error)
    assert jacobians.needs_split(objective, "fisher") is objective
    with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, k\), got \(2, 2, 2\)"):
        jacobians.output_jacobian(objective, jnp.ones(()), (jnp.ones(2), None))
    with pytest.raises(ValueError, match="weight must be ≥ 0"):
        jacobians.output_curvature(objective, jnp.ones(2), jnp.ones(2), jnp.asarray([-1.0, 1.0]))
