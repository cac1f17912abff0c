"""Steihaug's conjugate gradients and Newton-CG: closed forms, laws of the trust region, scipy's counts."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxnn import Objective, derivatives, losses, mlp, training
from jaxnn.optimisers.second_order.newton_cg import newton_cg
from jaxnn.optimisers.second_order.scaling import largest
from jaxnn.optimisers.second_order.subproblems.steihaug import (
    BOUNDARY,
    ITERATIONS,
    NEGATIVE_CURVATURE,
    RESIDUAL,
    steihaug,
)
from tests.optimisers.second_order.methods import CLASSICS, PROBLEMS, descend, descended, path, rosenbrock
from tests.optimisers.second_order.test_quasi_newton import spd

pytestmark = pytest.mark.rounding(quickly=True)

PLAIN, SCALED = newton_cg(), newton_cg(preconditioner="diagonal")
METHODS = {"plain": PLAIN, "diagonal": SCALED}
each_method = pytest.mark.parametrize("method", METHODS)


@jax.jit
def solved(b, g, radius, m, tolerance, limit):
    return steihaug(lambda v: b @ v, g, radius, preconditioner=m, tolerance=tolerance, max_iterations=limit)


def model(b, g, s):
    return g @ s + 0.5 * s @ b @ s


N = 6
LARGE = 1e9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("preconditioned", [False, True])
def test_a_convex_model_is_solved_in_n_products(x64, seed, preconditioned):
    rng = np.random.default_rng(seed)
    b, g = spd(rng, N, 50.0), rng.normal(size=N)
    m = rng.uniform(0.1, 10, N) if preconditioned else np.ones(N)
    found = solved(b, g, LARGE, m, 1e-10, 2 * N)
    exact = -np.linalg.solve(b, g)
    assert found.exit_code == RESIDUAL
    assert found.iterations == N
    np.testing.assert_allclose(found.step, exact, rtol=1e-8)
    np.testing.assert_allclose(found.predicted_reduction, -0.5 * g @ exact, rtol=1e-10)


def test_a_perfect_preconditioner_needs_one_product(x64):
    diagonal = np.geomspace(1e-4, 1e4, N)
    g = np.arange(1.0, N + 1)
    found = solved(np.diag(diagonal), g, LARGE, diagonal, 1e-10, N)
    assert (found.iterations, found.exit_code) == (1, RESIDUAL)
    np.testing.assert_allclose(found.step, -g / diagonal, rtol=1e-14)


@pytest.mark.parametrize("indefinite", [False, True])
def test_the_laws_of_the_path(x64, indefinite):
    """Within the region; at least the Cauchy point's reduction, and never less in a larger region (Steihaug)."""
    rng = np.random.default_rng(7)
    a = rng.normal(size=(N, N))
    b = (a + a.T) if indefinite else spd(rng, N)
    g, m = rng.normal(size=N), rng.uniform(0.1, 10, N)
    before = 0.0
    for radius in np.geomspace(1e-3, 1e2, 12):
        found = solved(b, g, radius, m, 1e-12, 2 * N)
        length = np.sqrt(found.step @ (m * found.step))
        assert length <= radius * (1 + 1e-12)
        if found.exit_code in (BOUNDARY, NEGATIVE_CURVATURE):
            np.testing.assert_allclose(length, radius, rtol=1e-10)
        np.testing.assert_allclose(found.predicted_reduction, -model(b, g, np.asarray(found.step)), rtol=1e-8)
        d = -g / m  # the Cauchy point: the minimum along the preconditioned gradient
        furthest, curvature = radius / np.sqrt(d @ (m * d)), d @ b @ d
        along = min(furthest, -(g @ d) / curvature) if curvature > 0 else furthest
        assert found.predicted_reduction >= -model(b, g, along * d) * (1 - 1e-10)
        assert found.predicted_reduction >= before * (1 - 1e-10)
        before = found.predicted_reduction
    assert found.exit_code == (NEGATIVE_CURVATURE if indefinite else RESIDUAL)


def test_the_other_exits(x64):
    eye, g = np.eye(N), np.ones(N)
    assert solved(-eye, g, 2.0, g, 1e-9, N).exit_code == NEGATIVE_CURVATURE
    np.testing.assert_allclose(solved(-eye, g, 2.0, g, 1e-9, N).step, -2 * g / np.sqrt(N))
    assert solved(eye, g, 0.1, g, 1e-9, N).exit_code == BOUNDARY
    cut = solved(spd(np.random.default_rng(0), N), g, LARGE, g, 1e-9, 2)
    assert (cut.exit_code, cut.iterations) == (ITERATIONS, 2)
    still = solved(eye, 0 * g, 1.0, g, 0.0, N)
    assert (still.exit_code, still.iterations) == (RESIDUAL, 0)
    assert not still.step.any()


def test_the_metric_is_the_largest_diagonal_so_far(dtype):
    seen = largest(jnp.asarray([1.0, 2.0, 0.0], dtype), jnp.asarray([-3.0, 1.0, 0.0], dtype))
    np.testing.assert_array_equal(seen, [3, 2, 0])
    np.testing.assert_array_equal(largest(seen, jnp.asarray([jnp.nan, -jnp.inf, 1.0], dtype)), [3, 2, 1])


@pytest.mark.slow
def test_classics_in_about_as_many_iterations_as_scipy(x64):
    ours, theirs = {}, {}
    for name in CLASSICS:
        f, start = PROBLEMS[name]
        _, state, slope, updates, _ = descended(PLAIN, name)
        assert slope <= 1e-8, name
        assert state.report.accepted
        used = np.array(start[:2] if name in ("rosenbrock", "beale") else start)
        derivatives_of = {"jac": jax.jit(jax.grad(f)), "hess": jax.jit(jax.hessian(f))}
        found = scipy.optimize.minimize(
            jax.jit(f), used, method="trust-ncg", options={"gtol": 1e-8, "maxiter": 500}, **derivatives_of
        )
        ours[name], theirs[name] = int(updates), found.nit
    assert all(ours[name] <= 1.1 * theirs[name] + 1 for name in ours), (ours, theirs)


@pytest.mark.slow
@pytest.mark.rounding
def test_the_diagonal_saves_products_where_scales_differ(x64):
    """Ten quadratics with curvatures from 1e-3 to 1e3, nearly diagonal: as preconditioned, nearly the identity.

    Over twenty seeds and three instruction sets the diagonal took at most 0.123 of the products, mostly 0.04, and the
    plain method at most 87 steps. With curvatures from 1e-5 to 1e5, hence a condition of 1e10, conjugate
    gradients lose conjugacy, and whether 300 steps arrive depends on the rounding.
    """
    drawn = [np.random.default_rng(seed) for seed in range(10)]
    scales = jnp.asarray([10.0 ** rng.uniform(-1.5, 1.5, 30) for rng in drawn])
    mixings = jnp.asarray([np.eye(30) + 0.01 * (a + a.T) for a in (rng.normal(size=(30, 30)) for rng in drawn)])
    starts = jnp.asarray([rng.normal(size=30) for rng in drawn])

    def f(x, scale, mixing):
        return 0.5 * (scale * x) @ mixing @ (scale * x)

    products = {}
    for name, optimiser in METHODS.items():

        def one(drawn, optimiser=optimiser):
            x, *quadratic = drawn
            return descend(optimiser, lambda x: f(x, *quadratic), x, steps=300, tolerance=1e-6)[2:]

        slope, updates, evaluations = jax.jit(partial(jax.lax.map, one))((starts, scales, mixings))
        assert (slope <= 1e-6).all(), name
        products[name] = np.asarray(evaluations - 30 * updates if name == "diagonal" else evaluations)
    assert (products["diagonal"] < 0.25 * products["plain"]).all(), products


@pytest.mark.by_default("plain")
@each_method
def test_the_gradient_reaches_rounding(x64, method):
    """On the offset function, whose values end at a gradient near 1e-6."""
    _, state, slope, updates, _ = descended(METHODS[method], "offset", tolerance=1e-12)
    assert slope <= 1e-12
    assert updates <= 60
    assert state.report.accepted


def test_a_saddle_is_left_by_its_negative_curvature(x64):
    """x⁴/4 - x²/2 + y² from close to (0, 1): the first step ends at the boundary; the minimum is (±1, 0), J = -¼."""

    def f(x):
        return x[0] ** 4 / 4 - x[0] ** 2 / 2 + x[1] ** 2

    start = jnp.asarray([1e-3, 0.0])
    xs, states = jax.jit(lambda: path(newton_cg(radius=500.0), f, start, steps=10))()
    np.testing.assert_allclose(jnp.linalg.norm(xs[0] - start), 0.5, rtol=1e-12)
    assert f(xs[0]) < f(start)
    assert states.report.damping[0] == pytest.approx(1.0)  # twice Δ: the model was right, and the step at the boundary
    np.testing.assert_allclose(xs[-1], [1.0, 0.0], atol=1e-7)


@pytest.mark.parametrize("beyond", ["nan", "inf"])
def test_trials_that_are_not_finite_are_survived(x64, beyond):
    x, _, slope, _, _ = descended(PLAIN, f"cliff to {beyond}")
    assert slope <= 1e-8
    assert x[0] < 1.01


def test_a_rejected_trial_is_tried_again_within_the_update(x64):
    """e^(20x) - x from -1 with Δ = 100: Newton's step there overshoots to where J is e^400 or not finite."""
    start = jnp.asarray([-1.0])
    xs, states = jax.jit(
        lambda: path(newton_cg(radius=100.0), lambda x: jnp.sum(jnp.exp(20 * x) - x), start, steps=40)
    )()
    assert states.report.accepted.all()
    assert states.report.evaluations[0] > 4
    assert states.report.damping[0] < 10
    np.testing.assert_allclose(xs[-1], -np.log(20) / 20, rtol=1e-10)


@pytest.mark.by_default("float64-*")
@each_method
def test_a_zero_gradient_moves_nothing(dtype, method):
    xs, states = jax.jit(lambda: path(METHODS[method], lambda x: jnp.sum(x**2), jnp.zeros(3, dtype), steps=2))()
    assert not xs.any()
    assert not states.report.at_limit.any()
    assert (states.radius == 1).all()
    assert states.radius.dtype == dtype


def test_a_start_that_is_not_finite_stays_and_says_so(dtype):
    xs, states = jax.jit(lambda: path(PLAIN, lambda x: jnp.sum(jnp.log(x)), -jnp.ones(2, dtype), steps=2))()
    assert (xs == -1).all()
    assert states.report.at_limit.all()


@pytest.mark.slow
def test_jit_and_vmap_over_starts_give_the_same(x64):
    starts = jnp.zeros((20, 4)).at[:, :2].set(np.random.default_rng(2).normal(size=(20, 2)))
    together = jax.jit(jax.vmap(lambda x: descend(PLAIN, rosenbrock, x)))(starts)
    assert (together[2] <= 1e-8).all()
    assert len(set(together[3].tolist())) > 5
    for i in range(20):
        x, _, _, updates, evaluations = descended(PLAIN, "rosenbrock", starts[i])
        assert abs(int(updates) - int(together[3][i])) <= 1
        assert abs(int(evaluations) - int(together[4][i])) <= 8
        np.testing.assert_allclose(x, together[0][i], atol=1e-7)
    x = starts[0]
    value, g = jax.value_and_grad(rosenbrock)(x)

    def first(g, x):
        return PLAIN.update(g, PLAIN.init(x), x, value=value, grad=g, value_fn=rosenbrock)[0]

    np.testing.assert_allclose(first(g, x), jax.jit(first)(g, x), rtol=1e-12)


X = jax.random.normal(jax.random.key(0), (32, 3))
BATCH = (X, jnp.sin(X.sum(1, keepdims=True)))
NETWORK = Objective(mlp.apply, losses.squared_error)


def tanh_network(params, x):
    return mlp.apply(params, x, activation=jnp.tanh)


def cheap_diagonal(objective, params, batch):
    return derivatives.mlp_hessian_diagonal(objective, params, batch, activation=jnp.tanh)


@pytest.mark.slow
@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"curvature": "gauss_newton"},
        {"preconditioner": cheap_diagonal, "max_iterations": 20},
        {"curvature": "gauss_newton", "preconditioner": cheap_diagonal},
    ],
    ids=["hessian", "gauss_newton", "hessian, diagonal", "gauss_newton, diagonal"],
)
def test_in_the_training_loops(keywords):
    objective, params = Objective(tanh_network, losses.squared_error), mlp.init(jax.random.key(1), (3, 8, 1))
    optimiser = newton_cg(**keywords)
    rows = jnp.tile(jnp.arange(32), (30, 1))
    state, infos = jax.jit(lambda params: training.run(objective, optimiser, params, BATCH, rows))(params)
    assert (jnp.diff(infos.loss) <= 0).all()
    assert infos.loss[-1] < 0.05 * infos.loss[0]
    assert state.opt_state.report.damping == state.opt_state.radius > 0


def test_gauss_newtons_step_of_a_linear_model_is_least_squares(x64):
    """A few updates, as the forcing asks for ever more of it, end at numpy's lstsq."""
    rng = np.random.default_rng(4)
    x, y = jnp.asarray(rng.normal(size=(40, 5))), jnp.asarray(rng.normal(size=40))
    objective = Objective(lambda p, x: x @ p, losses.squared_error)
    exact = np.linalg.lstsq(x, y)[0]
    value_fn = lambda p: objective(p, (x, y))
    optimiser = newton_cg(curvature="gauss_newton", radius=100.0)

    @jax.jit
    def step(p, state):
        value, g = jax.value_and_grad(value_fn)(p)
        words = {"value": value, "grad": g, "value_fn": value_fn, "objective": objective, "batch": (x, y)}
        updates, state = optimiser.update(g, state, p, **words)
        return p + updates, state

    p, state = jnp.zeros(5), optimiser.init(jnp.zeros(5))
    for _ in range(6):
        p, state = step(p, state)
    np.testing.assert_allclose(p, exact, rtol=1e-10)


def test_arguments():
    with pytest.raises(ValueError, match=r"Unknown curvature 'hesian'\. Did you mean 'hessian'"):
        newton_cg(curvature="hesian")
    with pytest.raises(ValueError, match=r"Unknown preconditioner 'diag'\. Did you mean 'diagonal'"):
        newton_cg(preconditioner="diag")
    with pytest.raises(ValueError, match="radius must be > 0"):
        newton_cg(radius=0.0)
    with pytest.raises(ValueError, match="max_iterations must be a whole number ≥ 1, got 0"):
        newton_cg(max_iterations=0)
    x = jnp.ones(2)
    with pytest.raises(ValueError, match="newton_cg evaluates the objective"):
        PLAIN.update(x, PLAIN.init(x), x)
    with pytest.raises(ValueError, match="newton_cg"):
        PLAIN.update(2 * x, PLAIN.init(x), x, value=0.0, grad=x, value_fn=rosenbrock)
    split = newton_cg(curvature="gauss_newton")
    with pytest.raises(ValueError, match="needs the split into predict and loss"):
        split.update(x, split.init(x), x, value=0.0, value_fn=rosenbrock)
    wrong = newton_cg(preconditioner=lambda objective, params, batch: jnp.ones(3))
    with pytest.raises(ValueError, match=r"a diagonal of shape \(2,\), got \(3,\)"):
        wrong.update(x, wrong.init(x), x, value=0.0, value_fn=rosenbrock)
