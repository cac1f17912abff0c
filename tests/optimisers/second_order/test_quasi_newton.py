"""L-BFGS and BFGS: against the dense formula, conjugate gradients, optax's direction, scipy's counts, and laws."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from jaxnn import Objective, losses, mlp, optimisers, training, tree
from jaxnn.derivatives.budget import MemoryBudgetError
from jaxnn.optimisers.second_order.bfgs import bfgs, product_form
from jaxnn.optimisers.second_order.lbfgs import lbfgs, two_loops
from tests.optimisers.second_order.methods import CLASSICS, PROBLEMS, descend, descended, path, rosenbrock

pytestmark = pytest.mark.rounding(quickly=True)

METHODS = {"lbfgs": lbfgs(), "bfgs": bfgs()}
each_method = pytest.mark.parametrize("method", METHODS)


def spd(rng, n, condition=100.0):
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return (q * np.geomspace(1, condition, n)) @ q.T


def dense(pairs, n):
    """The inverse Hessian's approximation from pairs, oldest first, by the formula as printed."""
    s, y = pairs[-1]
    h = s @ y / (y @ y) * np.eye(n)
    for s, y in pairs:
        v = np.eye(n) - np.outer(y, s) / (s @ y)
        h = v.T @ h @ v + np.outer(s, s) / (s @ y)
    return h


@pytest.mark.parametrize(("memory", "stored"), [(1, 1), (1, 4), (4, 2), (4, 4), (4, 11)])
def test_the_two_loops_are_the_dense_formula(x64, memory, stored):
    rng = np.random.default_rng(memory + stored)
    a, n = spd(rng, 7), 7
    pairs = [(s, a @ s) for s in rng.normal(size=(stored, n))]
    s, y = np.zeros((memory, n)), np.zeros((memory, n))
    for k, (s_k, y_k) in enumerate(pairs):
        s[k % memory], y[k % memory] = s_k, y_k
    g = rng.normal(size=n)
    ours = two_loops(jnp.asarray(g), jnp.asarray(s), jnp.asarray(y), jnp.asarray(stored, jnp.int32))
    np.testing.assert_allclose(ours, dense(pairs[-memory:], n) @ g, rtol=1e-11)


def test_the_product_form_is_the_dense_formula(x64):
    rng = np.random.default_rng(0)
    a, n = spd(rng, 6), 6
    pairs = [(s, a @ s) for s in rng.normal(size=(5, n))]
    s, y = pairs[0]
    ours = jnp.eye(n) * (s @ y / (y @ y))
    for s, y in pairs:
        ours = product_form(ours, jnp.asarray(s), jnp.asarray(y))
        np.testing.assert_allclose(ours @ y, s, rtol=1e-10)  # the secant equation
        assert (ours == ours.T).all()
    first = pairs[0][0] @ pairs[0][1] / (pairs[0][1] @ pairs[0][1])
    last = pairs[-1][0] @ pairs[-1][1] / (pairs[-1][1] @ pairs[-1][1])
    start = np.linalg.multi_dot([np.eye(n) - np.outer(s, y) / (s @ y) for s, y in pairs[::-1]])
    # `dense` scales by the newest pair and BFGS by the first: take the difference of the two starts along
    np.testing.assert_allclose(ours, dense(pairs, n) + (first - last) * start @ start.T, rtol=1e-9, atol=1e-12)


def conjugate_gradients(a, b, steps):
    x, points = np.zeros_like(b), []
    r = b - a @ x
    d = r
    for _ in range(steps):
        alpha = r @ r / (d @ a @ d)
        x, r_new = x + alpha * d, r - alpha * (a @ d)
        d, r = r_new + r_new @ r_new / (r @ r) * d, r_new
        points.append(x)
    return np.array(points)


@pytest.mark.by_default("memory 5", "bfgs")
@pytest.mark.parametrize("method", ["bfgs", "memory 1", "memory 5"])
def test_with_exact_line_searches_a_quadratic_is_solved_in_n_steps_along_conjugate_gradients(x64, method):
    """Nocedal & Wright, theorem 6.4 and section 7.2: conjugate gradients' iterates, and H ends as A⁻¹."""
    rng = np.random.default_rng(3)
    n, memory = 6, {"memory 1": 1, "memory 5": 5}.get(method, 0)
    a, b = spd(rng, n, 30.0), rng.normal(size=n)
    x, g, h = np.zeros(n), -b, np.eye(n)
    s, y = np.zeros((memory, n)), np.zeros((memory, n))
    for k, conjugate in enumerate(conjugate_gradients(a, b, n)):
        hg = two_loops(jnp.asarray(g), jnp.asarray(s), jnp.asarray(y), jnp.asarray(k)) if memory else h @ g
        d = -np.asarray(hg)
        step = -(g @ d) / (d @ a @ d) * d
        x, g = x + step, g + a @ step
        np.testing.assert_allclose(x, conjugate, rtol=1e-8, atol=1e-9)
        if memory:
            s[k % memory], y[k % memory] = step, a @ step
        else:
            h = np.asarray(product_form(jnp.asarray(h), jnp.asarray(step), jnp.asarray(a @ step)))
    np.testing.assert_allclose(x, np.linalg.solve(a, b), rtol=1e-8)
    if not memory:
        np.testing.assert_allclose(h, np.linalg.inv(a), rtol=1e-7, atol=1e-9)


def test_the_direction_is_optaxs(x64):
    """Along our own path, over more steps than are remembered."""
    f, x0 = PROBLEMS["wood"][0], jnp.asarray(PROBLEMS["wood"][1])
    memory, steps = 4, 12
    xs, states = jax.jit(lambda: path(lbfgs(memory=memory), f, x0, steps=steps))()
    xs = jnp.concatenate([x0[None], xs])
    optaxs = optax.scale_by_lbfgs(memory_size=memory)
    state, preconditioned, gradients = optaxs.init(x0), jax.jit(optaxs.update), jax.vmap(jax.grad(f))(xs)
    for k in range(steps):
        direction, state = preconditioned(gradients[k], state, xs[k])
        if k:  # the first is the gradient, which optax scales by its norm
            ours = (xs[k + 1] - xs[k]) / states.learning_rate[k]
            np.testing.assert_allclose(ours, -direction, rtol=1e-9, atol=1e-10 * float(jnp.abs(ours).max()))


SCIPYS = {"lbfgs": ("L-BFGS-B", {"gtol": 1e-8, "ftol": 0}), "bfgs": ("BFGS", {"gtol": 1e-8})}


@pytest.mark.slow
@pytest.mark.rounding
@each_method
def test_classics_in_about_as_many_evaluations_as_scipy(x64, method):
    """To 1e-8 in every entry of the gradient. The loop's own evaluation at each update is left out: scipy reuses it."""
    ours, theirs = {}, {}
    for name in CLASSICS:
        f, start = PROBLEMS[name]
        _, state, slope, updates, evaluations = descended(METHODS[method], name)
        assert slope <= 1e-8, name
        assert state.report.accepted
        ours[name] = int(evaluations - updates)
        minimum, options = SCIPYS[method]
        value_and_grad = jax.jit(jax.value_and_grad(f))
        found = scipy.optimize.minimize(value_and_grad, np.array(start), jac=True, method=minimum, options=options)
        assert np.abs(found.jac).max() <= 1e-8
        theirs[name] = found.nfev
    assert all(ours[name] <= 1.35 * theirs[name] for name in ours), (ours, theirs)
    assert sum(ours.values()) <= 1.1 * sum(theirs.values()), (ours, theirs)


@pytest.mark.by_default("lbfgs")
@each_method
def test_the_gradient_reaches_rounding(x64, method):
    """An offset of 1000 drowns J's differences at 1e-12, a gradient of 1e-6 or so; the slopes go on to 1e-12."""
    _, state, slope, updates, _ = descended(METHODS[method], "offset", tolerance=1e-12)
    assert slope <= 1e-12, slope
    assert updates < 60
    assert not state.report.at_limit


@pytest.mark.slow
@each_method
def test_float32_and_trees(method):
    """Leaves of every shape, one of them empty, one of them narrow."""
    params = {"a": jnp.asarray(2.0), "b": [jnp.ones((2, 2)), jnp.zeros((0, 3))], "c": jnp.ones(2, jnp.bfloat16)}

    def f(p):
        narrow = p["c"].astype(jnp.float32)
        return (
            (p["a"] - 1) ** 2 + jnp.sum(jnp.cosh(p["b"][0] - 0.3)) + jnp.sum((narrow - 0.5) ** 2) + jnp.sum(p["b"][1])
        )

    x, state, slope, _, _ = jax.jit(lambda p: descend(METHODS[method], f, p, tolerance=1e-3, steps=60))(params)
    assert slope <= 1e-3
    assert jax.tree.map(lambda p: p.dtype, x) == jax.tree.map(lambda p: p.dtype, params)
    assert state.params.dtype == state.learning_rate.dtype == jnp.float32
    np.testing.assert_allclose(x["b"][0], 0.3, atol=1e-3)
    np.testing.assert_allclose(x["c"].astype(jnp.float32), 0.5)


@each_method
def test_turning_the_space_turns_the_path(x64, method):
    """The start is I and all else inner products: f(Qx) from Qᵀx₀ goes along Qᵀ(the path of f)."""
    f, start = PROBLEMS["wood"]
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)))

    @jax.jit
    def turned(q):
        return path(METHODS[method], lambda x: f(q @ x), q.T @ jnp.asarray(start), steps=12)[0] @ q.T

    np.testing.assert_allclose(turned(jnp.asarray(turn)), turned(jnp.eye(4)), rtol=1e-6)


@pytest.mark.slow
@each_method
def test_jit_and_vmap_over_starts_give_the_same(x64, method):
    starts = jnp.zeros((20, 4)).at[:, :2].set(np.random.default_rng(2).normal(size=(20, 2)))
    optimiser = METHODS[method]
    together = jax.jit(jax.vmap(lambda x: descend(optimiser, rosenbrock, x, tolerance=1e-8)))(starts)
    assert (together[2] <= 1e-8).all()
    assert len(set(together[3].tolist())) > 5  # they end at different times
    for i in range(20):
        x, _, _, updates, evaluations = descended(optimiser, "rosenbrock", starts[i])
        # the roundings of a different program grow along some forty steps through a bent valley
        assert abs(int(updates) - int(together[3][i])) <= 2
        assert abs(int(evaluations) - int(together[4][i])) <= 8
        np.testing.assert_allclose(x, together[0][i], atol=1e-7)
    x = starts[0]
    value, g = jax.value_and_grad(rosenbrock)(x)

    def first(g, x):
        return optimiser.update(g, optimiser.init(x), x, value=value, grad=g, value_fn=rosenbrock)[0]

    np.testing.assert_allclose(first(g, x), jax.jit(first)(g, x), rtol=1e-12)


@pytest.mark.by_default("float64-*")
@each_method
def test_a_zero_gradient_moves_nothing(dtype, method):
    xs, states = path(METHODS[method], lambda x: jnp.sum(x**2), jnp.zeros(3, dtype), steps=2)
    assert not xs.any()
    assert not states.report.accepted.any()
    assert not states.report.at_limit.any()
    assert states.step.tolist() == [1, 2]


@each_method
@pytest.mark.parametrize("beyond", ["nan", "inf"])
def test_trials_that_are_not_finite_are_survived(x64, method, beyond):
    x, _, slope, _, _ = descended(METHODS[method], f"cliff to {beyond}")
    assert slope <= 1e-8
    assert x[0] < 1.01
    assert (x[:2] > 0.9).all()


@pytest.mark.slow
@each_method
def test_a_start_that_is_not_finite_stays_and_says_so(dtype, method):
    xs, states = path(METHODS[method], lambda x: jnp.sum(jnp.log(x)), -jnp.ones(2, dtype), steps=2)
    assert (xs == -1).all()
    assert states.report.at_limit.all()
    assert not states.report.accepted.any()


@each_method
def test_a_search_that_finds_nothing_forgets_and_starts_afresh(x64, method):
    """At the third update J has another sign than the gradient says: no descent along d, and next time there is."""
    optimiser, x = METHODS[method], jnp.asarray([-1.2, 1.0])

    @jax.jit
    def step(x, state, sign):
        f = lambda z: sign * rosenbrock(z)
        g = jax.grad(rosenbrock)(x)
        updates, state = optimiser.update(g, state, x, value=f(x), grad=g, value_fn=f)
        return updates, state, g

    state, told = optimiser.init(x), []
    for k in range(5):
        updates, state, g = step(x, state, jnp.asarray(-1.0 if k == 2 else 1.0))
        told.append((bool(state.report.accepted), bool(state.report.at_limit), int(state.pairs)))
        if k == 2:
            assert not updates.any()
        if k == 3:  # along the gradient
            np.testing.assert_allclose(updates / jnp.linalg.norm(updates), -g / jnp.linalg.norm(g))
        x = x + updates
    assert told == [(True, False, 0), (True, False, 1), (False, False, 0), (True, False, 0), (True, False, 1)]


@pytest.mark.slow
@each_method
def test_pairs_without_positive_curvature_are_not_kept(x64, method):
    """Along a concave stretch every step is one of steepest descent, and the stored curvature stays positive."""
    xs, states = path(METHODS[method], lambda x: jnp.sum(jnp.cos(x)), jnp.asarray([0.1, 0.2]), steps=8)
    assert states.pairs[0] == 0
    if method == "bfgs":
        assert (jnp.linalg.eigvalsh(states.inverse) > 0).all()
    np.testing.assert_allclose(xs[-1], jnp.pi, atol=1e-4)


@pytest.mark.slow
@each_method
def test_in_the_training_loops(method):
    """`run` sends the words; a chain hands them on, and its changed gradient gives the direction."""
    x = jax.random.normal(jax.random.key(0), (32, 3))
    objective = Objective(mlp.apply, losses.squared_error)
    params = mlp.init(jax.random.key(1), (3, 8, 1))
    batch, rows = (x, jnp.sin(x.sum(1, keepdims=True))), jnp.tile(jnp.arange(32), (60, 1))
    optimiser = optimisers.chain(optimisers.clip_by_global_norm(1.0), METHODS[method])
    state, infos = jax.jit(lambda params: training.run(objective, optimiser, params, batch, rows))(params)
    assert (jnp.diff(infos.loss) < 0).all()
    assert infos.loss[-1] < 0.1 * infos.loss[0]
    assert (infos.learning_rate > 0).all()
    assert int(state.step) == 60


def test_arguments():
    with pytest.raises(ValueError, match="memory must be a whole number ≥ 1, got 0"):
        lbfgs(memory=0)
    with pytest.raises(ValueError, match="max_evaluations must be a whole number ≥ 1, got 0"):
        bfgs(max_evaluations=0)
    with pytest.raises(MemoryBudgetError, match=r"BFGS's inverse Hessian of 1,000 parameters takes 4 MB.*use lbfgs"):
        bfgs(memory_bytes=3_999_999).init(jnp.zeros(1000))
    assert bfgs(memory_bytes=4_000_000).init(jnp.zeros(1000)).inverse.shape == (1000, 1000)
    for method, optimiser in METHODS.items():
        x = jnp.ones(2)
        with pytest.raises(ValueError, match=f"{method} evaluates the objective"):
            optimiser.update(x, optimiser.init(x), x)
        with pytest.raises(ValueError, match="params"):
            optimiser.update(x, optimiser.init(x), value=0.0, value_fn=rosenbrock)


@pytest.mark.slow
@each_method
def test_an_empty_tree_is_none_of_ours(method):
    """Nothing to move: no error, no step."""
    optimiser = METHODS[method]
    empty = {"w": jnp.zeros((0, 3))}
    updates, state = optimiser.update(empty, optimiser.init(empty), empty, value=1.0, value_fn=lambda p: 1.0)
    assert tree.size(updates) == 0
    assert not state.report.accepted
