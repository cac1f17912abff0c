"""`minimise`: why it ends, what it reports, chunks, starts side by side, both precisions, and bad input."""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import Objective, losses, mlp, optimisers, training
from jaxnn.optimisers import report
from jaxnn.training import stopping
from jaxnn.types import Optimiser
from jaxnn.verify import certify

pytestmark = pytest.mark.rounding(quickly=True)

LM, NEWTON, PURE = optimisers.levenberg_marquardt(), optimisers.newton(), optimisers.newton(method="pure")
minimise = partial(training.minimise, max_steps=60)


def rosenbrock(p, batch):
    """A plain J of any batch, None included."""
    return 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2


def decay(p, x):
    return p[0] * jnp.exp(-p[1] * x) + p[2]


DECAY = Objective(decay, losses.squared_error)
T = np.linspace(0, 3, 37)
START = np.array([1.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def table():
    return T, 2 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.random.default_rng(0).normal(size=37)


# why it ends


def scripted(**told):
    """A method that goes down by a thousandth of the gradient and reports as it is told."""

    def init(params):
        return report.start(jnp.result_type(float), promised=jnp.nan if "promised" in told else None)

    def update(grads, state, params=None, *, value, **words):
        fields = {name: jnp.asarray(told_of(value)) for name, told_of in told.items()}
        return jax.tree.map(lambda g: -1e-3 * g, grads), state._replace(**fields)

    return Optimiser(init, update)


def test_it_ends_where_the_gradient_is_small_enough(x64):
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), None, NEWTON, gradient_tolerance=1e-4)
    assert found.stop.startswith("converged: the gradient's norm is at most gradient_tolerance: ")
    assert f"≤ 0.0001 after {found.steps} steps" in found.stop
    assert found.gradient_norm <= 1e-4
    assert found.history.gradient_norm[-2] > 1e-4


def test_it_ends_at_a_goal(x64, table):
    found = minimise(DECAY, START, table, LM, goal=1e-3)
    assert found.stop.startswith("goal reached: J is at or below the goal"), found.stop
    assert found.value <= 1e-3 < found.history.value[-2]
    assert minimise(DECAY, START, table, LM, goal=10.0).steps == 0


def test_a_start_at_the_minimum_stays_there(x64):
    found = minimise(rosenbrock, np.ones(2), None, NEWTON)
    assert found.steps == 1
    assert found.stop.startswith("converged: the gradient's norm is at most gradient_tolerance: 0 ≤ 0"), found.stop
    np.testing.assert_array_equal(found.params, 1)


@pytest.mark.by_default("optimiser0")
@pytest.mark.parametrize("optimiser", [optimisers.lbfgs(), optimisers.bfgs(), optimisers.newton_cg()])
def test_a_method_that_cannot_tell_a_minimum_from_a_saddle_says_so(x64, optimiser):
    found = minimise(rosenbrock, np.ones(2), None, optimiser)
    assert found.steps == 0
    assert found.stop.startswith(
        "stationary: the gradient is 0, at a minimum, a saddle point or a maximum; verify.certify"
    )
    np.testing.assert_array_equal(found.params, 1)
    assert found.history.value.shape == (1,)


def hills(p, batch):
    """A saddle at 0, a maximum at (π, 0), minima of -2 at (0, ±π)."""
    return 2 * jnp.sin(p[0] / 2) ** 2 - 2 * jnp.sin(p[1] / 2) ** 2


@pytest.mark.by_default("float64-*-start0", "float32-trust_region-start?")
@pytest.mark.parametrize("start", [(0.0, 0.0), (np.pi, 0.0), (1e-4, 1e-7)])
@pytest.mark.parametrize("method", ["trust_region", "cubic"])
def test_a_start_on_a_saddle_or_a_maximum_is_left(dtype, method, start):
    """A gradient of 0 is no minimum: the Hessian shows the way down, also where the start gives no length for it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "float32: second-order methods")
        found = minimise(hills, np.array(start, dtype), None, optimisers.newton(method=method))
    assert found.stop.startswith("converged"), found.stop
    assert float(found.value) == pytest.approx(-2, abs=1e-6)


def test_pure_newton_at_a_saddle_is_stationary_and_not_converged(x64):
    found = minimise(hills, np.array([0.3, 0.2]), None, PURE)
    np.testing.assert_allclose(found.params, 0, atol=1e-12)
    assert found.stop.startswith("stationary: the gradient is 0"), found.stop


@pytest.mark.by_default("float64-0.0")
@pytest.mark.parametrize("size", [1e-30, 1e-10, 1e-8, 0.0])
def test_a_start_near_0_or_at_it_is_left(dtype, size):
    """Its length says nothing of how far to go: a regression whose answer is about 1, as a warm start may be."""
    x = np.random.default_rng(4).normal(size=(50, 3)).astype(dtype)
    y = (x @ np.array([1.0, -2.0, 0.5]) + 3).astype(dtype)
    f = lambda p, batch: jnp.mean((batch[0] @ p[:3] + p[3] - batch[1]) ** 2)
    for optimiser in (None, optimisers.newton(method="cubic"), optimisers.newton_cg(), optimisers.lbfgs()):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "float32: second-order methods")
            found = training.minimise(f, np.full(4, size, dtype), (x, y), optimiser)
        np.testing.assert_allclose(found.params, [1, -2, 0.5, 3], atol=1e-3 if dtype == jnp.float32 else 1e-7)


@pytest.mark.parametrize("optimiser", [LM, NEWTON])
def test_left_alone_it_ends_at_rounding(x64, table, optimiser):
    found = minimise(DECAY, START, table, optimiser)
    assert found.stop.startswith("converged: the "), found.stop
    assert found.steps < 20
    assert found.gradient_norm <= 1e-14
    assert found.gradient_norm <= 100 * found.gradient_error


@pytest.mark.by_default("told0*", "told5*")
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"predicted_reduction": lambda v: 1e-31 * v}, "converged: the predicted reduction is below"),
        ({"predicted_reduction": lambda v: -1e-31 * v}, "converged: the predicted reduction is below"),
        ({"promised": lambda v: 0 * v + 1e-16}, "converged as far as rounding allows"),
        ({"predicted_reduction": lambda v: 1e-5 * v}, "max_steps reached: 60 steps"),
        ({"predicted_reduction": lambda v: -1e-5 * v}, "max_steps reached: 60 steps"),
        ({"at_limit": lambda v: v > 0, "accepted": lambda v: v < 0}, "stuck: this method's steps no longer lower J"),
    ],
)
def test_what_a_method_reports_ends_the_run(x64, told, reason):
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), None, scripted(**told))
    assert found.stop.startswith(reason), found.stop
    assert found.steps == {"max_steps re": 60, "converged as": 1 + stopping.PATIENCE}.get(reason[:12], 1)


def test_a_step_below_the_precision_of_the_parameters_ends_it(x64):
    """As near 1/3 as numbers of 1e20 come: the step is a thousandth of a gradient of next to nothing."""
    f = lambda p, batch: jnp.sum((p / 1e20 - 1 / 3) ** 2)
    found = minimise(f, np.full(2, np.nextafter(1e20 / 3, 0)), None, scripted())
    assert found.stop.startswith("converged: the step is below the precision of the parameters"), found.stop
    assert found.steps == 1


def test_a_method_without_a_model_has_not_converged_where_newtons_step_would_gain(x64):
    """Its steps no longer move the parameters, a millionth of what would; J falls for ever all the same."""
    found = minimise(lambda p, batch: 1e3 * jnp.sum(p), np.full(2, 1e20), None, scripted())
    assert found.stop.startswith("stuck: this method's steps no longer lower J, although a Newton step would"), (
        found.stop
    )
    assert found.steps == 1


def test_a_step_below_their_precision_is_none_of_convergence_while_much_is_promised(x64):
    """Nor does such a run go on for ever: J stands still."""
    told = {"predicted_reduction": lambda v: 1e-3 * jnp.abs(v)}
    found = minimise(lambda p, batch: 1e3 * jnp.sum(p), np.full(2, 1e20), None, scripted(**told))
    assert found.stop.startswith("stuck: this method's steps no longer lower J"), found.stop
    assert found.steps == stopping.STANDSTILL


def test_a_slow_descent_does_not_stand_still(x64):
    """A step of it is invisible, 1e-15 of J; fifty are not."""
    told = {"predicted_reduction": lambda v: 1e-3 * v}
    f = lambda p, batch: 1 + 1e-6 * p[0]
    found = training.minimise(f, np.ones(1), None, scripted(**told), max_steps=300)
    assert found.stop.startswith("max_steps reached: 300"), found.stop


@pytest.mark.by_default("float32")
def test_whole_numbers_as_inputs_do_not_overflow(dtype):
    """60⁶ is 4.7e10, which int32 does not hold; x⁶ is predict's, and so is its dtype's range."""
    x = np.arange(1, 61)
    y = 2 * x.astype(float) ** 6
    objective = Objective(lambda p, x: p * x**6, losses.squared_error)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "float32: second-order methods")
        found = minimise(objective, jnp.zeros((), dtype), (x, y))
    assert float(found.params) == pytest.approx(2, rel=1e-6)
    assert certify(objective, found.params, (x, y)).verdict == "minimum"


def test_whole_numbers_stay_where_predict_takes_them_as_indices(x64):
    objective = Objective(lambda p, x: p[x], losses.squared_error)
    found = minimise(objective, jnp.zeros(3), (np.array([0, 1, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0])))
    np.testing.assert_allclose(found.params, [1, 3, 3], atol=1e-12)


@pytest.mark.by_default("optimiser0")
@pytest.mark.parametrize("optimiser", [LM, NEWTON, optimisers.newton_cg(), optimisers.lbfgs()])
def test_a_product_that_fits_exactly_converges(x64, optimiser):
    """Roundings of one sign in each factor show what J is known to; opposite ones would cancel."""
    t = np.linspace(0, 1, 30)
    objective = Objective(lambda p, x: p[0] * p[1] * x, losses.squared_error)
    found = minimise(objective, jnp.ones(2), (t, 6 * t), optimiser)
    assert found.stop.startswith("converged"), found.stop
    assert found.value < 1e-29


@pytest.mark.parametrize("optimiser", [NEWTON, optimisers.newton_cg()])
def test_a_j_that_is_too_coarse_for_its_own_minimum_converges(x64, optimiser):
    """log cosh is 0 to the last bit from 1e-8 on, where its gradient still tells."""
    found = minimise(lambda p, batch: jnp.log(jnp.cosh(p[0] - 1)), np.full(1, 50.0), None, optimiser)
    assert found.stop.startswith("converged"), found.stop
    assert float(found.params[0]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("optimiser", [optimisers.lbfgs(), optimisers.bfgs()])
def test_what_falls_without_an_end_has_not_converged(x64, optimiser):
    found = minimise(lambda p, batch: p[0], np.zeros(1), None, optimiser)
    assert found.stop.startswith("diverged"), found.stop


@pytest.mark.parametrize("optimiser", [optimisers.lbfgs(), optimisers.bfgs()])
def test_quasi_newton_needs_no_second_derivative(x64, optimiser):
    """A simulator that gives its value and gradient, and is called back."""
    weights = np.array([1.0, 3.0])

    def called(function, shape, p):
        return jax.pure_callback(function, jax.ShapeDtypeStruct(shape, p.dtype), p)

    @jax.custom_vjp
    def simulated(p):
        return called(lambda p: np.sum(weights * (np.asarray(p) - 1) ** 2), (), p)

    slope = lambda p: 2 * weights * (np.asarray(p) - 1)
    simulated.defvjp(lambda p: (simulated(p), p), lambda p, g: (g * called(slope, (2,), p),))
    found = minimise(lambda p, batch: simulated(p), jnp.zeros(2), None, optimiser)
    assert found.stop.startswith("converged"), found.stop
    np.testing.assert_allclose(found.params, 1, rtol=1e-12)


def test_quasi_newton_at_a_saddle_is_stationary_and_not_converged(x64):
    """From the line on which the saddle is a minimum."""
    found = minimise(lambda p, batch: p[0] ** 2 - p[1] ** 2, np.array([1.0, 0.0]), None, optimisers.lbfgs())
    assert found.stop.startswith("stationary"), found.stop


def test_stuck_is_said(x64):
    """No step is downhill where J is highest at its only finite point."""
    found = minimise(cliff, np.zeros(2), None, NEWTON)
    assert found.stop.startswith("stuck: no acceptable step was found"), found.stop
    assert found.steps == 1
    np.testing.assert_array_equal(found.params, 0)


def cliff(p, batch):
    return jnp.where(jnp.all(p == 0), jnp.sum(p), jnp.nan)


def test_divergence_is_data_and_the_parameters_are_the_last_finite_ones(x64):
    found = minimise(lambda p, batch: -jnp.sum(jnp.log(p)), np.ones(2), None, optimisers.sgd(2.0, maximise=True))
    assert found.stop.startswith("diverged: J or its gradient is no longer finite; the parameters are the last")
    assert np.isfinite(found.params).all()
    assert np.isfinite(found.value)
    assert not np.isfinite(found.history.value[-1])


def test_pure_newton_goes_on_over_a_hill(x64):
    """Its model predicts that J rises: that is no convergence."""
    found = minimise(lambda p, batch: jnp.sum(jnp.cos(p)), np.array([0.5, -0.3]), None, PURE)
    assert found.steps > 2
    assert found.history.predicted_reduction[1] < 0
    np.testing.assert_allclose(found.params, 0, atol=1e-15)  # the maximum


# what it reports


def test_the_history_tells_every_step(x64, table):
    found = minimise(DECAY, START, table, LM)
    history = found.history
    assert {column.shape for column in history} == {(int(found.steps) + 1,)}
    assert history.value[0] == pytest.approx(float(DECAY(jnp.asarray(START), table)), rel=1e-15)
    assert history.value[-1] == found.value
    assert history.gradient_norm[-1] == found.gradient_norm
    g = jax.grad(DECAY)(jnp.asarray(START), table)
    assert history.gradient_norm[0] == pytest.approx(float(jnp.linalg.norm(g)), rel=1e-14)
    assert np.isnan([history.damping[0], history.gain_ratio[0], history.predicted_reduction[0]]).all()
    assert (np.diff(history.value) <= 1e-15).all()
    big = history.predicted_reduction[1:] > 1e-10
    ratio = -np.diff(history.value) / history.predicted_reduction[1:]
    np.testing.assert_allclose(history.gain_ratio[1:][big], ratio[big], rtol=1e-5)
    assert (history.evaluations[1:] >= 2).all()
    assert found.state.step == found.steps
    assert found.state.damping == history.damping[-1]


def test_the_default_is_a_trust_region(x64):
    found, named = (
        minimise(rosenbrock, np.array([-1.2, 1.0]), None),
        minimise(rosenbrock, np.array([-1.2, 1.0]), None, NEWTON),
    )
    np.testing.assert_array_equal(found.params, named.params)
    np.testing.assert_allclose(found.params, 1, rtol=1e-15)


@pytest.mark.parametrize("optimiser", [optimisers.adam(0.1), optax.adam(0.1)])
def test_rules_run_in_it(x64, optimiser):
    found = minimise(DECAY, START, (T, np.ones(37)), optimiser)
    assert found.stop.startswith("max_steps reached: 60 steps")
    assert np.isnan(found.history.damping).all()
    assert found.value < 0.1 * found.history.value[0]
    p, state = jnp.asarray(START), optimiser.init(jnp.asarray(START))
    for _ in range(3):
        updates, state = optimiser.update(jax.grad(DECAY)(p, (T, np.ones(37))), state, p)
        p = p + updates
    assert found.history.value[3] == pytest.approx(float(DECAY(p, (T, np.ones(37)))), rel=1e-12)


def test_nothing_that_was_given_is_changed_or_used_up(x64, table):
    params = jnp.asarray(START)
    first, second = (minimise(DECAY, params, table, LM) for _ in range(2))
    np.testing.assert_array_equal(params, START)
    np.testing.assert_array_equal(first.params, second.params)


# chunks


@pytest.mark.by_default("True-optimiser1")
@pytest.mark.parametrize("optimiser", [LM, NEWTON])
@pytest.mark.parametrize("weighted", [False, True])
def test_chunks_change_nothing(x64, table, optimiser, weighted):
    """37 rows, ten at a time: the last chunk is not full."""
    weight = np.random.default_rng(1).uniform(0, 2, size=37) * (np.arange(37) % 5 > 0)
    data = (*table, weight) if weighted else table
    whole, chunked = (minimise(DECAY, START, data, optimiser, rows_at_once=rows) for rows in (None, 10))
    np.testing.assert_allclose(chunked.params, whole.params, rtol=1e-12)
    assert float(chunked.value) == pytest.approx(float(whole.value), rel=1e-12)
    np.testing.assert_allclose(chunked.history.value[:4], whole.history.value[:4], rtol=1e-12)


def test_chunks_of_any_size_sum_alike(x64, table):
    from jaxnn.training.chunked_objective import Chunked

    p = jnp.asarray(START)
    value, g = jax.value_and_grad(DECAY)(p, table)
    for rows in (1, 36, 37, 100):
        mine, slope = jax.jit(jax.value_and_grad(Chunked.of(DECAY, rows)))(p, table)
        assert float(mine) == pytest.approx(float(value), rel=1e-14)
        np.testing.assert_allclose(slope, g, rtol=1e-13)


# side by side


@pytest.mark.slow
def test_a_hundred_starts_at_once_are_one_by_one(x64, table):
    starts = jnp.asarray(START) + np.random.default_rng(2).uniform(-0.5, 0.5, size=(100, 3))
    together = jax.jit(jax.vmap(lambda p: minimise(DECAY, p, table, LM)))(starts)
    words = together.stop.words()
    assert words.shape == (100,)
    assert all(word.startswith("converged") for word in words)
    assert together.history.value.shape == (100, 61)
    for i in range(100):
        alone = minimise(DECAY, starts[i], table, LM)
        np.testing.assert_allclose(together.params[i], alone.params, rtol=1e-9)
        # the last steps are within rounding, and their number hangs on it
        assert abs(int(together.steps[i]) - int(alone.steps)) <= 3
        early = min(int(alone.steps), int(together.steps[i])) - 3
        np.testing.assert_allclose(together.history.value[i, :early], alone.history.value[:early], rtol=1e-8)
        assert np.isnan(together.history.value[i, int(together.steps[i]) + 1 :]).all()


def test_under_jit_the_reason_is_data(x64, table):
    found = jax.jit(lambda: minimise(DECAY, START, table, LM))()
    assert found.stop.words().startswith("converged: the step")
    np.testing.assert_allclose(found.params, minimise(DECAY, START, table, LM).params, rtol=1e-12)
    starts = jax.jit(jax.vmap(lambda p: minimise(rosenbrock, p, None, NEWTON)))(jnp.asarray([[-1.2, 1.0], [np.nan, 1]]))
    assert starts.stop.words()[1].startswith("diverged")
    assert starts.steps[1] == 0


# precision


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", [LM, NEWTON])
def test_float32_warns_and_its_error_bars_are_true(table, optimiser):
    data = tuple(np.float32(part) for part in table)
    with pytest.warns(UserWarning, match=r"float32: .*jax\.enable_x64\(True\)"):
        narrow = minimise(DECAY, np.float32(START), data, optimiser)
    assert narrow.stop.startswith("converged"), narrow.stop
    with jax.enable_x64(True), warnings.catch_warnings():
        data = tuple(np.float64(part) for part in data)
        wide = minimise(DECAY, np.float64(START), data, optimiser)
        there = jnp.asarray(np.asarray(narrow.params, np.float64))
        at_narrow, slope = float(DECAY(there, data)), float(jnp.linalg.norm(jax.grad(DECAY)(there, data)))
        lowest = np.linalg.eigvalsh(jax.hessian(DECAY)(wide.params, data))[0]
        wide = np.asarray(wide.params)
    assert 0 < narrow.gradient_error < 1e-5
    assert narrow.value_error <= 1e-4 * narrow.value  # 1e-7 of outputs a hundred times as large as residuals
    # What moving each parameter by one rounding does, against what the rounding of 37 rows did. Over 20 draws of the
    # noise, under SSE4.2, AVX2, AVX-512 and with the least effort of compiling, the median is 0.3 to 0.5 of the one for
    # the slope and 0.5 to 1.0 for J, the largest 2.9 and 15.2.
    assert slope <= 10 * float(narrow.gradient_error)
    assert abs(float(narrow.value) - at_narrow) <= 50 * max(float(narrow.value_error), 1e-7 * float(narrow.value))
    distance = np.linalg.norm(np.asarray(narrow.params, np.float64) - wide)
    assert distance <= 10 * float(narrow.gradient_error) / lowest


def test_first_order_rules_do_not_warn(table):
    minimise(DECAY, np.float32(START), tuple(np.float32(part) for part in table), optimisers.sgd(0.01))


# whatever the objective


@pytest.mark.slow
def test_a_key_is_one_draw_for_the_whole_run(x64):
    x = np.linspace(-1, 1, 16)[:, None]
    data = (x, np.sin(2 * x))
    params = mlp.init(jax.random.key(0), (1, 4, 1), dtype=jnp.float64)
    predict = lambda p, x, key=None: mlp.apply(p, x, activation=jnp.tanh, dropout=0.3, key=key)
    objective = Objective(predict, losses.squared_error)
    key = jax.random.key(5)
    found = minimise(objective, params, data, optimisers.bfgs(), key=key)
    assert float(found.value) == pytest.approx(float(objective(found.params, data, key)), rel=1e-12)
    assert (np.diff(found.history.value) <= 1e-15).all()
    assert found.value < 0.2 * found.history.value[0]


# bad input


@pytest.mark.parametrize(
    ("objective", "params", "words", "message"),
    [
        (rosenbrock, np.array([1, 2]), {}, "params must be floating-point numbers, got int"),
        (rosenbrock, np.array([np.nan, 2]), {}, "params contains nan or inf: start from finite parameters"),
        (lambda p, b: jnp.log(p[0]), -np.ones(2), {}, "The start is not finite: J = nan"),
        (lambda p, b: p, np.ones(2), {}, r"The objective must be a scalar, got shape \(2,\)"),
        (lambda p, b: jnp.sum(p > 0), np.ones(2), {}, "The objective must return a floating-point number, got int"),
        (rosenbrock, np.ones(2), {"max_steps": 0}, "max_steps must be a whole number ≥ 1, got 0"),
        (rosenbrock, np.ones(2), {"gradient_tolerance": -1.0}, "gradient_tolerance must be ≥ 0"),
        (
            rosenbrock,
            np.ones(2),
            {"rows_at_once": 4},
            r"rows_at_once needs a separate predict and loss: pass an Objective\(predict, loss\)",
        ),
        (DECAY, np.ones(3), {"rows_at_once": 0}, "rows_at_once must be a whole number ≥ 1"),
        (DECAY, np.ones(3), {"batch": (T, T[:3])}, "must have the same number of rows, got"),
        (DECAY, np.ones(3), {"batch": (T, T, -T)}, "weight of the data must be ≥ 0"),
        (DECAY, np.ones(3), {"batch": (T,)}, "A batch must be "),
        (DECAY, np.ones(3), {"batch": (np.where(T == 0, np.nan, T), T)}, "contain nan in row 0"),
    ],
)
def test_bad_input(x64, objective, params, words, message):
    words = {"batch": (T, T)} | words
    with pytest.raises(ValueError, match=message):
        minimise(objective, params, words.pop("batch"), NEWTON, **words)


def test_what_is_no_optimiser(x64):
    with pytest.raises(TypeError, match="optimiser"):
        minimise(rosenbrock, np.ones(2), None, "newton")


def test_rows_are_looked_at_only_where_they_are_taken_one_by_one(x64):
    """A predict that mixes rows is refused to Gauss-Newton's kind, in a chain as well, and is no matter to Newton."""
    mixing = Objective(lambda p, x: p[0] + p[1] * (x - x.mean()), losses.squared_error)
    x = np.linspace(0, 3, 12)
    batch = (x, 1 + 2 * x)
    method = optimisers.levenberg_marquardt()
    for one in (method, optimisers.chain(method)):
        with pytest.raises(ValueError, match="predict must compute each row independently"):
            minimise(mixing, np.ones(2), batch, one)
    found = minimise(mixing, np.ones(2), batch, optimisers.newton())
    np.testing.assert_allclose(found.params, [1 + 2 * x.mean(), 2], rtol=1e-12)


def test_wrong_goals_and_chunks(x64):
    line = Objective(lambda p, x: p[0] + p[1] * x, losses.squared_error)
    batch = (np.linspace(0, 3, 12), np.ones(12))
    for goal in (None, float("nan")):
        with pytest.raises(ValueError, match="goal must be a number"):
            minimise(line, np.zeros(2), batch, goal=goal)
    drawing = Objective(lambda p, x, key: p[0] + p[1] * x, losses.squared_error)
    assert float(minimise(drawing, np.zeros(2), batch, key=jax.random.key(0)).value) < 1e-28
    with pytest.raises(ValueError, match="rows_at_once does not work with a predict that uses `key`"):
        minimise(drawing, np.zeros(2), batch, rows_at_once=4, key=jax.random.key(0))


def test_the_former_name_of_the_trajectory_warns():
    with pytest.warns(DeprecationWarning, match="training.Path is now training.Trajectory"):
        assert training.Path is training.Trajectory
