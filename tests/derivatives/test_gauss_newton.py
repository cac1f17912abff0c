"""Gauss-Newton's matrix and Fisher's: Hessians of linear models, expectations over all targets, products one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnn import derivatives, losses, mlp
from jaxnn.derivatives import MemoryBudgetError, flat
from jaxnn.objective import Objective, l2
from tests.targets import targets

ROWS, K = 7, 3
WAYS = {
    "matrix": jax.jit(derivatives.gauss_newton_matrix, static_argnums=0, static_argnames=("block_bytes",)),
    "fisher": jax.jit(derivatives.fisher, static_argnums=0, static_argnames=("block_bytes",)),
    "empirical": jax.jit(derivatives.empirical_fisher, static_argnums=0, static_argnames=("block_bytes",)),
}


def predict(params, x):
    return mlp.apply(params, x, activation=jnp.tanh)


def case(loss, sizes=(3, 4, K), penalty=None, dtype=None):
    params = mlp.init(jax.random.key(0), sizes, dtype=dtype)
    x = jax.random.normal(jax.random.key(1), (ROWS, sizes[0]), params[0].w.dtype)
    known = getattr(loss, "func", loss)  # of a partial
    name = next(name for name in losses.TABLE if losses.TABLE[name] is known)
    y = jnp.asarray(targets(name, ROWS, K, np.random.default_rng(0)))
    y = y if name == "softmax_cross_entropy" else y.astype(x.dtype)
    return Objective(predict, loss, penalty), params, (x, y, jnp.linspace(0.0, 2.0, ROWS, dtype=x.dtype))


LOSSES = {name: loss for name, loss in losses.TABLE.items() if name != "absolute_error"}


@pytest.mark.by_default("softmax_cross_entropy", "poisson")
@pytest.mark.parametrize("name", LOSSES)
def test_for_a_linear_model_it_is_the_hessian(x64, name):
    objective, params, batch = case(LOSSES[name], sizes=(3, K), penalty=l2(0.3))
    found = WAYS["matrix"](objective, params, batch)
    expected = jax.jit(lambda p: derivatives.hessian(lambda p: objective(p, batch), p))(params)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_for_a_network_it_is_the_hessian_less_the_outputs_curvature(dtype):
    """With the outputs linearised by hand, the Hessian is Gauss-Newton's matrix, penalty and all; and symmetric."""
    penalty = lambda p: jnp.sum(p[0].w ** 4) * jnp.sum(p[1].b - 1)
    objective, params, batch = case(losses.softmax_cross_entropy, penalty=penalty, dtype=dtype)

    @jax.jit
    def linearised(v):
        at = jax.lax.stop_gradient(flat.ravel(params))
        outputs, push = jax.linearize(lambda p: predict(p, batch[0]), params)
        straight = Objective(lambda p, x: outputs + push(flat.unravel(params)(v - at)), objective.loss)
        return straight(v, batch) + penalty(flat.unravel(params)(v))

    found = WAYS["matrix"](objective, params, batch)
    expected = jax.jit(jax.hessian(linearised))(flat.ravel(params))
    assert found.dtype == dtype
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.by_default("matrix")
@pytest.mark.parametrize("way", WAYS)
def test_blocks_of_rows_give_the_same(x64, way):
    """7 rows by ones, by threes with two to spare, and at once."""
    objective, params, batch = case(losses.squared_error)
    whole = WAYS[way](objective, params, batch)
    each = 8 * whole.shape[0] * (1 if way == "empirical" else K)
    for block_bytes in (1, 3 * each):
        np.testing.assert_allclose(
            WAYS[way](objective, params, batch, block_bytes=block_bytes), whole, rtol=1e-12, atol=1e-15
        )


def test_the_jacobian_of_many_rows_is_never_held_whole(x64):
    objective, params, _ = case(losses.squared_error)
    rows = 100_000
    batch = (jnp.ones((rows, 3)), jnp.ones((rows, K)))
    lowered = jax.jit(lambda p, b: derivatives.gauss_newton_matrix(objective, p, b, block_bytes=10**6)).lower(
        params, batch
    )
    whole = 8 * rows * K * flat.ravel(params).size
    assert lowered.compile().memory_analysis().temp_size_in_bytes < whole / 15


def test_products_with_vectors_make_the_matrix(x64):
    objective, params, batch = case(losses.poisson, penalty=l2(0.3))
    back = flat.unravel(params)
    product = lambda u: flat.ravel(derivatives.gauss_newton_vp(objective, params, batch, back(u)))
    found = WAYS["matrix"](objective, params, batch)
    np.testing.assert_allclose(jax.jit(jax.vmap(product))(jnp.eye(len(found))), found, rtol=1e-12, atol=1e-14)


def test_products_need_no_independent_rows(x64):
    """Outputs less their mean over the batch: J is centred, which a Jacobian row by row would not see."""
    x, y, v = jnp.asarray([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]]), jnp.ones(3), jnp.asarray([1.0, -2.0])
    objective = Objective(lambda p, x: x @ p - jnp.mean(x @ p), losses.squared_error)
    centred = x - x.mean(axis=0)
    found = derivatives.gauss_newton_vp(objective, jnp.ones(2), (x, y), v)
    np.testing.assert_allclose(found, 2 * centred.T @ centred @ v / 3, rtol=1e-14)
    np.testing.assert_allclose(derivatives.hvp(lambda p: objective(p, (x, y)), jnp.ones(2), v), found, rtol=1e-14)


@pytest.mark.parametrize("loss", ["squared_error", "softmax_cross_entropy", "sigmoid_cross_entropy", "poisson"])
def test_fisher_is_gauss_newton_where_the_loss_is_a_likelihood(x64, loss):
    objective, params, batch = case(losses.TABLE[loss], penalty=l2(0.3))
    found = WAYS["fisher"](objective, params, batch)
    expected = WAYS["matrix"](Objective(predict, objective.loss), params, batch)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", ["squared_error", "softmax_cross_entropy", "sigmoid_cross_entropy", "poisson"])
def test_fisher_is_the_expectation_of_empirical_fishers(x64, loss):
    """Σ over all targets of one example, each with its probability; for numbers by Gauss-Hermite quadrature, exact."""
    model = lambda w, x: x @ w.reshape(3, -1)
    objective, x, w = Objective(model, losses.TABLE[loss]), jnp.asarray([[0.5, -1.0, 2.0]]), jnp.linspace(-0.4, 0.5, 6)
    o = np.asarray(model(w, x)[0])
    nodes, weights = np.polynomial.hermite.hermgauss(4)  # of exp(-t²): N(o, ½) has y = o + t
    supports = {
        "squared_error": [(o_j + nodes, weights / np.sqrt(np.pi)) for o_j in o],
        "sigmoid_cross_entropy": [([0.0, 1.0], [1 / (1 + np.exp(o_j)), 1 / (1 + np.exp(-o_j))]) for o_j in o],
        "poisson": [(np.arange(60.0), stats.poisson.pmf(np.arange(60), np.exp(o_j))) for o_j in o],
    }
    if loss == "softmax_cross_entropy":
        y, probability = np.arange(2)[:, None], np.exp(o) / np.exp(o).sum()
    else:
        (first, p), (second, q) = supports[loss]
        y = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 1, 2)
        probability = np.outer(p, q).ravel()
    np.testing.assert_allclose(probability.sum(), 1, rtol=1e-12)
    each = jax.jit(jax.vmap(lambda y: derivatives.empirical_fisher(objective, w, (x, y))))(jnp.asarray(y))
    expected = jnp.tensordot(jnp.asarray(probability), each, axes=1)
    np.testing.assert_allclose(WAYS["fisher"](objective, w, (x, y[0])), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "loss", [losses.absolute_error, functools.partial(losses.huber, delta=0.5)], ids=["l1", "huber"]
)
def test_empirical_fisher_is_the_second_moment_of_gradients(x64, loss):
    objective, params, (x, y, weight) = case(loss)
    gradient = lambda x, y: flat.ravel(jax.grad(objective)(params, (x[None], y[None])))
    gradients = jax.jit(jax.vmap(gradient))(x, y)
    expected = gradients.T @ (weight[:, None] * gradients) / weight.sum()
    found = WAYS["empirical"](objective, params, (x, y, weight))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.slow
def test_a_key_draws_one_mask_for_every_matrix(x64):
    _, params, (x, y, weight) = case(losses.squared_error)
    key, row_bytes = jax.random.key(5), 1
    dropped = lambda params, x, *, key=None: mlp.apply(params, x, activation=jnp.tanh, dropout=0.4, key=key)
    objective = Objective(dropped, losses.squared_error)
    found = WAYS["matrix"](objective, params, (x, y, weight), key=key, block_bytes=row_bytes)
    v = jnp.cos(jnp.arange(len(found)) * 1.0)
    times = jax.jit(lambda v: derivatives.gauss_newton_vp(objective, params, (x, y, weight), v, key))
    product = times(flat.unravel(params)(v))
    np.testing.assert_allclose(found @ v, flat.ravel(product), rtol=1e-12)
    of_losses = jax.jit(jax.jacobian(lambda p: objective.loss(dropped(p, x, key=key), y)))(params)
    rows = jax.vmap(flat.ravel)(of_losses)
    expected = rows.T @ (weight[:, None] * rows) / weight.sum()
    found = WAYS["empirical"](objective, params, (x, y, weight), key=key)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_over_many_starts(x64):
    objective, _, batch = case(losses.softmax_cross_entropy, sizes=(3, K))
    starts = jax.random.normal(jax.random.key(6), (4, 3 * K))
    model = Objective(lambda w, x: x @ w.reshape(3, K), objective.loss)
    together = jax.jit(jax.vmap(lambda w: derivatives.gauss_newton_matrix(model, w, batch)))(starts)
    np.testing.assert_allclose(together[2], WAYS["matrix"](model, starts[2], batch), rtol=1e-13, atol=1e-16)
    assert float(jnp.linalg.eigvalsh(together).min()) > -1e-15


def test_bad_input_is_told_in_words():
    objective, params, batch = case(losses.huber)
    for way, name in ((derivatives.gauss_newton_matrix, "gauss_newton_matrix"), (derivatives.fisher, "fisher")):
        with pytest.raises(ValueError, match=rf"^{name} needs the split into predict and loss"):
            way(lambda params, batch: 0.0, params, batch)
    with pytest.raises(ValueError, match="gauss_newton_vp needs the split"):
        derivatives.gauss_newton_vp(lambda params, batch: 0.0, params, batch, params)
    with pytest.raises(ValueError, match=r"one of squared_error, .*; got huber: use gauss_newton_matrix"):
        derivatives.fisher(objective, params, batch)
    with pytest.raises(ValueError, match="got huber"):
        derivatives.fisher(Objective(predict, functools.partial(losses.huber, delta=2.0)), params, batch)
    with pytest.raises(MemoryBudgetError, match=r"A Gauss-Newton matrix of 31 parameters .* use gauss_newton_vp"):
        derivatives.gauss_newton_matrix(objective, params, batch, memory_bytes=100)
    with pytest.raises(ValueError, match="must be real floating-point numbers, got int32"):
        derivatives.empirical_fisher(Objective(lambda p, x: x * p, losses.huber), jnp.asarray(1), batch)
