"""Dense Hessians against closed forms and `jax.hessian`; what they need, and what they refuse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxnn import derivatives, losses, mlp
from jaxnn.derivatives import budget, dense
from jaxnn.derivatives.budget import MemoryBudgetError
from jaxnn.objective import Objective, l2


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def beale(x):
    return sum((c - x[0] * (1 - x[1] ** i)) ** 2 for i, c in ((1, 1.5), (2, 2.25), (3, 2.625)))


def network(sizes=(3, 4, 2), rows=7, dtype=None):
    """An objective of a softmax network, as a function of the parameters."""
    params = mlp.init(jax.random.key(0), sizes, dtype=dtype)
    x = jax.random.normal(jax.random.key(1), (rows, sizes[0]))
    batch = (x, jnp.arange(rows) % sizes[-1], jnp.linspace(0.0, 2.0, rows))
    predict = lambda params, x: mlp.apply(params, x, activation=jnp.tanh)
    objective = Objective(predict, losses.softmax_cross_entropy, l2(0.1))
    return lambda params: objective(params, batch), params


def by_jax(f, params):
    flat, back = ravel_pytree(params)
    return jax.jit(jax.hessian(lambda v: f(back(v))))(flat)


@functools.partial(jax.jit, static_argnums=(0, 2))
def hessian(f, params, block_bytes=None):
    return derivatives.hessian(f, params, block_bytes=block_bytes)


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (rosenbrock, (1.0, 1.0), [[802, -400], [-400, 200]]),
        (beale, (3.0, 0.5), [[3.15625, -11.4375], [-11.4375, 46.125]]),
        (lambda x: 5 * x[0] ** 2 - x[1] ** 2, (0.3, 0.7), [[10, 0], [0, -2]]),
        (lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2, (0.5, 0.25), [[3, -1.5], [-1.5, -3]]),
    ],
    ids=["rosenbrock", "beale", "saddle", "monkey"],
)
def test_known_hessians(dtype, f, at, expected):
    found = hessian(f, jnp.asarray(at, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=50 * jnp.finfo(dtype).eps, atol=50 * jnp.finfo(dtype).eps)


def test_least_squares_of_a_linear_model(x64):
    """2 XᵀX / B ⊗ I, whatever the targets: W is raveled row by row, inputs first."""
    x = jax.random.normal(jax.random.key(0), (11, 3))
    objective = Objective(lambda w, x: x @ w, losses.squared_error)
    found = hessian(lambda w: objective(w, (x, jnp.ones((11, 2)))), jnp.ones((3, 2)))
    np.testing.assert_allclose(found, jnp.kron(2 * x.T @ x / 11, jnp.eye(2)), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("block_bytes", [1, 7_000, None])
def test_it_is_jax_s_and_symmetric_to_the_bit_however_it_is_cut(x64, block_bytes):
    f, params = network()
    found = hessian(f, params, block_bytes)
    np.testing.assert_allclose(found, by_jax(f, params), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found, found.T)


def test_more_tangents_than_one_chunk_takes(x64):
    """Entries in the last chunk that repeat the last parameter are left out: 26 = 2 · 13, 23 = 2 · 12 - 1."""
    for n in (dense.TANGENTS + 7, dense.TANGENTS + 10):
        a = jax.random.normal(jax.random.key(n), (n, n))
        quadratic = lambda x, a=a: x @ a @ x / 2 + jnp.sum(jnp.sin(x))
        x = jnp.linspace(-1.0, 1.0, n)
        expected = (a + a.T) / 2 - jnp.diag(jnp.sin(x))
        np.testing.assert_allclose(hessian(quadratic, x), expected, rtol=1e-13, atol=1e-14)
        diagonal = jax.jit(functools.partial(derivatives.hessian_diagonal, quadratic))(x)
        np.testing.assert_allclose(diagonal, jnp.diag(expected), rtol=1e-13, atol=1e-14)


def test_blocks_and_diagonal_are_those_of_the_whole(x64):
    f, params = network((3, 4, 2, 3))
    whole = hessian(f, params)
    blocks = jax.jit(lambda p: derivatives.hessian_blocks(f, p))(params)
    ends = np.cumsum([0] + [layer.w.size + layer.b.size for layer in params])
    assert len(blocks) == len(params)
    for block, first, end in zip(blocks, ends[:-1], ends[1:], strict=True):
        np.testing.assert_allclose(block, whole[first:end, first:end], rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(block, block.T)
    diagonal = jax.jit(lambda p: derivatives.hessian_diagonal(f, p, block_bytes=10_000))(params)
    np.testing.assert_allclose(diagonal, jnp.diag(whole), rtol=1e-13, atol=1e-15)


@pytest.mark.slow
def test_blocks_of_other_trees(x64):
    f = lambda p: jnp.sum(p["b"] ** 3) * p["a"] + p["a"] ** 2
    params = {"b": jnp.asarray([1.0, 2.0]), "a": jnp.asarray(3.0), "c": None}
    a, b, c = derivatives.hessian_blocks(f, params)
    np.testing.assert_allclose(a, [[2.0]])
    np.testing.assert_allclose(b, jnp.diag(jnp.asarray([18.0, 36.0])))
    assert c.shape == (0, 0)
    (alone,) = derivatives.hessian_blocks(rosenbrock, jnp.ones(2))
    np.testing.assert_allclose(alone, [[802, -400], [-400, 200]])


def test_under_vmap_and_its_own_derivative(x64):
    points = jnp.asarray([[1.0, 1.0], [0.0, 2.0]])
    found = jax.jit(jax.vmap(functools.partial(derivatives.hessian, rosenbrock)))(points)
    np.testing.assert_allclose(found[1], [[-798, 0], [0, 200]])
    third = jax.grad(lambda x: derivatives.hessian(rosenbrock, x)[0, 0])(points[0])  # 1200 x² - 400 y + 2
    np.testing.assert_allclose(third, [2400, -400])


def test_mixed_and_narrow_dtypes_are_promoted(x64):
    params = (jnp.asarray([1.0, 2.0], jnp.float32), jnp.asarray(3.0, jnp.float64), jnp.asarray(0.5, jnp.bfloat16))
    f = lambda p: jnp.sum(p[0] ** 2).astype(jnp.float64) * p[1] ** 2 + p[2].astype(jnp.float64) ** 2 * p[1]
    found = hessian(f, params)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, [[18, 0, 12, 0], [0, 18, 24, 0], [12, 24, 10, 1], [0, 0, 1, 6]])
    assert hessian(lambda x: x**2, jnp.asarray(1.0, jnp.bfloat16)).dtype == jnp.float32


@pytest.mark.slow
def test_it_takes_a_twentieth_of_jax_s_memory(x64):
    f, params = network((64, 16, 10), rows=1797)
    flat, back = ravel_pytree(params)
    ours, theirs = (
        g.lower(flat).compile().memory_analysis().temp_size_in_bytes
        for g in (
            jax.jit(lambda v: derivatives.hessian(lambda v: f(back(v)), v)),
            jax.jit(jax.hessian(lambda v: f(back(v)))),
        )
    )
    assert ours < theirs / 20


def test_fewer_tangents_at_a_time_take_less(x64):
    f, params = network((8, 20, 2), rows=500)
    sizes = [
        jax.jit(functools.partial(derivatives.hessian, f, block_bytes=b)).lower(params).compile()
        .memory_analysis().temp_size_in_bytes
        for b in (10**6, 10**8)
    ]  # fmt: skip
    assert sizes[0] < sizes[1] / 3


def test_a_matrix_beyond_the_budget_is_refused_before_it_is_made():
    params = jax.ShapeDtypeStruct((40_000,), jnp.float32)
    told = (
        r"^A Hessian of 40,000 parameters takes 6\.4 GB, more than the budget of 1 GB, memory_bytes: use hvp "
        r"\(products with vectors\), hessian_blocks, hessian_diagonal, or the optimisers lbfgs and newton_cg, or give "
        r"a larger memory_bytes\."
    )
    with pytest.raises(MemoryBudgetError, match=told):
        jax.eval_shape(lambda x: derivatives.hessian(lambda x: jnp.sum(x**2), x, memory_bytes=10**9), params)
    with pytest.raises(ValueError, match="half of this machine's memory"):
        derivatives.hessian(lambda x: jnp.sum(x**2), jnp.zeros(10**6))
    derivatives.hessian_blocks(lambda p: p[0] ** 2 + p[1] ** 2, (jnp.ones(()), jnp.ones(())), memory_bytes=4)
    with pytest.raises(MemoryBudgetError, match="16 bytes"):
        derivatives.hessian(lambda x: jnp.sum(x**2), jnp.zeros(2), memory_bytes=15)


def test_a_system_that_does_not_tell_its_memory_sets_no_limit(monkeypatch):
    monkeypatch.setattr(budget, "machine_memory", lambda: None)
    budget.check_square("A Hessian", 10**9, jnp.float32, None, "something else")


def test_sizes_in_words():
    assert [budget.in_words(s) for s in (12, 12_800_000_000, 7.2e15)] == ["12 bytes", "12.8 GB", "7,200.0 TB"]


@pytest.mark.parametrize("of", [derivatives.hessian, derivatives.hessian_blocks, derivatives.hessian_diagonal])
def test_bad_input_is_told_in_words(of):
    with pytest.raises(ValueError, match=r"params\['n'\] must be real floating-point numbers, got int32"):
        of(lambda p: p["x"], {"n": jnp.arange(2), "x": jnp.ones(())})
    with pytest.raises(ValueError, match=r"f must return a scalar, got shape \(2,\)"):
        of(lambda x: x, jnp.ones(2))
    with pytest.raises(ValueError, match="f must return a scalar, got tuple"):
        of(lambda x: (x, x), jnp.ones(()))
    with pytest.raises(ValueError, match="at least one entry"):
        of(lambda x: 1.0, ())
    with pytest.raises(ValueError, match="block_bytes must be"):
        of(lambda x: x**2, jnp.ones(()), block_bytes=0)
