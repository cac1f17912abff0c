"""A gradient that is right is found right, a wrong one is found wrong and where, and the rest is said in words."""

import dataclasses
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import Objective, losses, mlp
from jaxnn.derivatives import check_gradient
from jaxnn.derivatives.differences import AGREES, DISAGREES, KINK, NOT_FINITE, UNDECIDED

KEY = jax.random.key(0)


def network(activation=jnp.tanh, sizes=(3, 4, 3)):
    """J of a small network, and its parameters."""
    keys = jax.random.split(KEY, 3)
    params = mlp.init(keys[0], sizes, b_init=jax.nn.initializers.normal(1.0))
    batch = jax.random.normal(keys[1], (6, sizes[0])), jax.random.normal(keys[2], (6, sizes[-1]))
    objective = Objective(lambda params, x: mlp.apply(params, x, activation=activation), losses.squared_error)
    return lambda params: objective(params, batch), params


def slope(errors, steps, low, high):
    """The slope of the error curve on logarithmic axes, between two steps."""
    chosen = (steps > low) & (steps < high)
    assert chosen.sum() >= 3
    return np.polyfit(np.log(steps[chosen]), np.log(errors[chosen]), 1)[0]


class TestTheCurve:
    @pytest.mark.parametrize("f", [jnp.exp, jnp.sin, lambda x: jnp.exp(jnp.sin(x))])
    def test_truncation_falls_as_h_h2_and_h4(self, f, x64):
        curve = check_gradient(f, 0.7).curve
        assert slope(curve.forward, curve.steps, 1e-6, 1e-2) == pytest.approx(1, abs=0.05)
        assert slope(curve.central, curve.steps, 1e-4, 1e-1) == pytest.approx(2, abs=0.05)
        assert slope(curve.extrapolated, curve.steps, 1e-2, 2e-1) == pytest.approx(4, abs=0.1)

    @pytest.mark.parametrize("formula", ["forward", "central"])
    def test_rounding_rises_as_the_step_falls(self, formula, x64):
        """ε/h: at h = 1e-12 the error is of the order of 1e-4, and nowhere above ten times ε/h."""
        curve = check_gradient(jnp.exp, 0.7).curve
        errors, tiny = getattr(curve, formula), (curve.steps < 1e-10) & (curve.steps > 1e-15)
        assert slope(errors, curve.steps, 1e-15, 1e-10) == pytest.approx(-1, abs=0.3)
        assert np.all(errors[tiny] < 10 * 2.2e-16 / curve.steps[tiny])

    def test_levels_out_at_the_error_of_a_wrong_gradient(self, x64):
        curve = check_gradient(jnp.exp, 0.0, grad=1.25).curve
        np.testing.assert_allclose(curve.central[(curve.steps < 1e-4) & (curve.steps > 1e-8)], 0.25, rtol=1e-6)

    def test_steps_halve(self, dtype):
        """But for the roundings of θ + h, down to 2¹⁰ times the last."""
        steps = check_gradient(jnp.exp, 0.7).curve.steps
        kept = steps > 2**10 * jnp.finfo(dtype).eps
        np.testing.assert_allclose(steps[kept][1:] / steps[kept][:-1], 0.5, rtol=2e-3)


class TestWhatIsRight:
    @pytest.mark.parametrize(
        ("f", "derivative", "x"),
        [(jnp.exp, math.exp, 1.3), (jnp.sin, math.cos, 2.0), (jnp.log, lambda x: 1 / x, 0.3), (jnp.tanh, None, 0.4)],
    )
    def test_closed_forms(self, f, derivative, x, x64):
        exact = derivative(x) if derivative else 1 / math.cosh(x) ** 2
        report = check_gradient(f, x)
        assert report.ok, report
        assert report.numerical == pytest.approx(exact, rel=1e-11)
        assert report.error < report.resolution < 1e-10
        assert report.complex_error < 1e-15

    @pytest.mark.by_default("float64-tanh*")
    @pytest.mark.parametrize(
        ("activation", "in_float32"),
        [(jnp.tanh, 5e-3), (jax.nn.gelu, 5e-3), (jax.nn.elu, 0.02)],  # ELU's second derivative jumps at 0
    )
    def test_networks(self, activation, in_float32, dtype):
        report = check_gradient(*network(activation))
        assert report.ok, report
        assert report.every_coordinate
        assert report.directions == 3 * 4 + 4 + 4 * 3 + 3
        assert report.resolution < (1e-9 if dtype == jnp.float64 else in_float32)

    @pytest.mark.parametrize("scale", [1e-10, 1.0, 1e10])
    def test_any_scale_of_parameters(self, scale, dtype):
        report = check_gradient(lambda x: jnp.sum(jnp.sin(x / scale)), scale * jnp.arange(1.0, 4.0))
        assert report.ok, report
        assert report.resolution < (1e-10 if dtype == jnp.float64 else 1e-3)

    @pytest.mark.parametrize("scale", [1e-10, 1e10])
    def test_any_scale_of_the_function(self, scale, dtype):
        assert check_gradient(lambda x: scale * jnp.sum(jnp.exp(jnp.sin(x))), jnp.arange(3.0)).ok

    def test_small_parameters_of_a_function_that_does_not_care(self, dtype):
        """Steps of the parameters' size would drown in the rounding of cos."""
        assert check_gradient(lambda x: jnp.sum(jnp.cos(x + 1)), jnp.full(2, 1e-10)).ok

    def test_trees_with_scalars_empty_leaves_and_numbers(self, dtype):
        params = {"a": [jnp.array(0.5, dtype), jnp.zeros((0, 3), dtype)], "b": 2.0, "none": None}
        report = check_gradient(lambda p: jnp.sin(p["a"][0]) * p["b"] ** 2 + p["a"][1].sum(), params)
        assert report.ok, report
        assert report.directions == 2

    def test_parameters_that_are_all_zero(self, dtype):
        assert check_gradient(lambda x: jnp.sum((x - 1) ** 2), jnp.zeros(3)).ok

    @pytest.mark.parametrize("f", [lambda x: 3.0 + 0 * x.sum(), lambda x: -jnp.cos(x).sum(), lambda x: (x**2).sum()])
    def test_a_slope_of_zero(self, f, dtype):
        report = check_gradient(f, jnp.zeros(2))
        assert report.ok, report

    def test_a_period_that_the_steps_could_fall_on(self, x64):
        report = check_gradient(lambda x: jnp.sin(2 * jnp.pi * x), 0.0)
        assert report.ok
        assert report.numerical == pytest.approx(2 * math.pi, rel=1e-9)

    def test_jitted_functions_and_functions_that_branch_in_python(self, dtype):
        for f in (jax.jit(lambda x: x**3), lambda x: x**3 if x > 0 else -x):
            report = check_gradient(f, 2.0)
            assert report.ok, report
            assert report.stated == 12

    def test_a_function_of_numpy_with_its_gradient_by_hand(self):
        f = lambda x: float(np.sum(np.asarray(x, np.float64) ** 3))  # float64 inside, whatever goes in
        assert check_gradient(f, jnp.array([1.0, 2.0]), grad=lambda x: 3 * x**2).ok
        assert check_gradient(f, jnp.array([1.0, 2.0]), grad=jnp.array([3.0, 11.0])).verdict == DISAGREES

    def test_steps_that_leave_the_domain(self, dtype):
        assert check_gradient(lambda x: jnp.sum(jnp.log(x)), jnp.array([1e-3, 0.1])).ok

    @pytest.mark.slow
    def test_many_entries_along_directions(self, x64):
        f, params = network(sizes=(10, 20, 5))
        report = check_gradient(f, params)
        assert report.ok, report
        assert (report.directions, report.every_coordinate) == (8, False)
        assert check_gradient(f, params, directions=3, key=jax.random.key(5)).directions == 3

    def test_a_kink_farther_off_than_the_steps(self, x64):
        assert check_gradient(jax.nn.relu, 1e-6).ok

    def test_more_precise_than_float32_is_not_claimed_of_it(self):
        report = check_gradient(jnp.exp, jnp.float32(1.0))
        assert (report.dtype, report.ok) == ("float32", True)
        assert report.resolution > 1e-7


class TestWhatIsWrong:
    """Each fault is found, in either precision, and where it is."""

    @pytest.mark.by_default("float64-*-None")
    @pytest.mark.parametrize("directions", [None, 4])
    @pytest.mark.parametrize(
        ("fault", "where"),
        [
            (lambda g: jax.tree.map(jnp.negative, g), None),
            (lambda g: jax.tree.map(lambda x: 2 * x, g), None),
            (lambda g: (g[0], g[1]._replace(w=g[1].w.T)), "params[1].w["),
            (lambda g: (g[0]._replace(w=g[0].w.at[2, 1].add(0.3)), g[1]), "params[0].w[2, 1]"),
            (lambda g: (g[0], g[1]._replace(b=g[1].b.at[2].set(-g[1].b[2]))), "params[1].b[2]"),
        ],
        ids=["sign", "factor 2", "transposed", "one entry", "one sign"],
    )
    def test_is_found(self, fault, where, directions, dtype):
        f, params = network(sizes=(3, 3, 3))
        gradient = jax.jit(jax.grad(f))
        assert check_gradient(f, params, grad=gradient, directions=directions).ok
        report = check_gradient(f, params, grad=fault(gradient(params)), directions=directions)
        assert report.verdict == DISAGREES, report
        assert not report.ok
        assert report.error > report.resolution
        assert where is None or report.where.startswith(where)
        assert report.numerical == pytest.approx(float(read(gradient(params), report.where)), rel=0.05)

    def test_an_entry_among_thousands(self, x64):
        f = lambda x: jnp.sum(jnp.sin(x["a"])) + jnp.sum(x["b"] ** 2)
        params = {"a": jnp.linspace(0.0, 9.0, 3000).reshape(30, 100), "b": jnp.ones(7)}
        right = jax.grad(f)(params)
        report = check_gradient(f, params, grad={**right, "a": right["a"].at[17, 42].add(1e-3)})
        assert report.where == "params['a'][17, 42]"
        assert report.error == pytest.approx(1e-3, rel=0.01)

    def test_what_only_the_complex_step_sees(self, x64):
        """A relative error of 1e-12 is below what differences are sure of here."""
        report = check_gradient(jnp.exp, 1.0, grad=math.e * (1 + 1e-12))
        assert report.verdict == DISAGREES
        assert report.complex_error == pytest.approx(1e-12, rel=0.01)
        assert "complex step" in report.why

    def test_a_stopped_gradient(self, dtype):
        assert check_gradient(lambda x: x * jax.lax.stop_gradient(x), 1.5).verdict == DISAGREES


def read(gradient, where):
    """The entry that a report names."""
    return eval(where, {"params": gradient}) if where.startswith("params") else math.nan


class TestWhatIsNeither:
    @pytest.mark.parametrize("f", [jax.nn.relu, jnp.abs, lambda x: jnp.maximum(x, 2 * x) + 5])
    def test_a_kink_at_the_point(self, f, dtype):
        report = check_gradient(f, 0.0)
        assert report.verdict == KINK, report
        assert "two sides" in report.why

    def test_a_jump(self, dtype):
        assert check_gradient(lambda x: jnp.where(x >= 0, 1.0, 0.0) + x, 0.0).verdict == KINK

    def test_a_unit_whose_inputs_are_all_off(self, x64):
        """Its pre-activation is its bias, 0, and that is where ReLU has its kink."""
        f = lambda p: jnp.sum(jax.nn.relu(jax.nn.relu(p["w"] * -1.0) + p["b"]) + p["w"] ** 2)
        report = check_gradient(f, {"b": jnp.zeros(2), "w": jnp.ones(2)})
        assert report.verdict == KINK
        assert report.where.startswith("params['b']")

    def test_rounding_that_drowns_the_slope(self):
        """1e6 drowns sin x in float32; in float64 it does not."""
        f = lambda x: jax.lax.optimization_barrier(1e6 + jnp.sin(x)) - 1e6
        report = check_gradient(f, 1.0)
        assert report.verdict == UNDECIDED
        assert "jax.enable_x64" in report.why
        with jax.enable_x64(True):
            assert check_gradient(f, 1.0).ok

    def test_steps_that_the_precision_does_not_have(self):
        """In float32 the neighbours of 1e10 are 1024 apart: no slope of a cosine there."""
        assert check_gradient(jnp.cos, 1e10).verdict == UNDECIDED

    @pytest.mark.parametrize(
        ("f", "params", "told"),
        [
            (jnp.sqrt, 0.0, "grad is inf"),
            (jnp.log, -1.0, "f(params) is nan"),
            (jnp.sum, jnp.array([1.0, jnp.nan]), "params[1] is nan"),
        ],
    )
    def test_what_is_not_finite_is_told(self, f, params, told):
        report = check_gradient(f, params)
        assert report.verdict == NOT_FINITE
        assert told in str(report)

    def test_a_function_on_one_side_only(self, dtype):
        report = check_gradient(lambda x: x + jnp.where(x >= 0, x, jnp.nan), 0.0)
        assert report.verdict == NOT_FINITE
        assert "both sides" in report.why


class TestTheComplexStep:
    @pytest.mark.parametrize(
        ("f", "x"), [(jnp.exp, 1.0), (jnp.sin, 2.5), (lambda x: x**3 / (1 + jnp.exp(x)), 0.9), (jax.nn.silu, 3.0)]
    )
    def test_to_the_last_digits(self, f, x, x64):
        assert check_gradient(f, x).complex_error < 1e-15

    def test_in_a_network(self, dtype):
        _, params = network()
        objective = lambda p: jnp.mean(mlp.apply(p, jnp.eye(3), activation=jnp.tanh) ** 2)
        assert check_gradient(objective, params).complex_error < 16 * jnp.finfo(dtype).eps

    @pytest.mark.parametrize(
        ("f", "reason"),
        [
            (jax.nn.relu, "maximum"),
            (jnp.abs, "absolute value"),
            (lambda x: jnp.where(x > 0, x, -x), "comparison"),
            (lambda x: jnp.vdot(x, x), "complex conjugate"),
            (lambda x: x.astype(jnp.float32) ** 2, "real"),
            (lambda x: x**2 if x > 0 else x, "in Python"),
            (lambda x: jnp.sum(jnp.sort(jnp.stack([x, 2 * x]))), "sorting"),
            (lambda x: jax.jit(lambda y: jnp.clip(y, -9, 9))(x), "m"),
        ],
    )
    def test_says_why_it_does_not_apply(self, f, reason):
        report = check_gradient(f, 1.5)
        assert report.ok, report
        assert report.complex_error is None
        assert reason in report.complex_refusal
        assert report.complex_refusal in str(report)

    def test_is_not_believed_against_the_differences(self, x64):
        """A derivative rule of one's own is right for real numbers, and hides that the inside is not analytic."""

        @jax.custom_jvp
        def f(x):
            return jnp.exp(x) if jnp.isrealobj(x) else 1j * jnp.exp(x)

        f.defjvp(lambda x, dx: (f(*x), jnp.exp(*x) * dx[0]))
        report = check_gradient(f, 1.0)
        assert report.ok
        assert "so it is ignored" in report.complex_refusal


class TestTheReport:
    def test_reads_well(self, x64):
        text = str(check_gradient(lambda p: jnp.sum(p["w"] ** 3), {"w": jnp.arange(1.0, 4.0)}))
        assert text.splitlines()[0].startswith("gradient      agrees: ")
        for part in ("every coordinate, in float64", "params['w'][", "at step ", "complex step  worst error "):
            assert part in text
        assert max(map(len, text.splitlines())) < 120

    def test_is_frozen(self):
        report = check_gradient(jnp.exp, 1.0)
        assert report.verdict == AGREES
        with pytest.raises(dataclasses.FrozenInstanceError):
            report.verdict = DISAGREES

    def test_random_directions_repeat_for_a_key(self):
        f, params = network()
        first, again = (check_gradient(f, params, directions=2, key=jax.random.key(3)) for _ in range(2))
        assert (first.stated, first.numerical) == (again.stated, again.numerical)


class TestRefusals:
    def test_no_function(self):
        unannotated = inspect.unwrap(check_gradient)  # what a caller meets whose annotations are not checked
        with pytest.raises(TypeError, match=r"f must be a function of the parameters, got 3.0"):
            unannotated(3.0, 1.0)

    @pytest.mark.parametrize(
        ("f", "params", "words", "error", "message"),
        [
            (jnp.sin, jnp.ones(3), {}, ValueError, r"f must return a scalar, got shape \(3,\)"),
            (lambda x: (x, x), 1.0, {}, TypeError, r"f must return a scalar, got tuple"),
            (lambda x: jnp.array(3), 1.0, {}, TypeError, r"f must return a real floating-point number, got int32"),
            (
                jnp.sum,
                {"n": jnp.arange(3)},
                {},
                TypeError,
                r"params\['n'\] must be real floating-point numbers, got int32",
            ),
            (jnp.sum, 2, {}, TypeError, r"params must be real floating-point numbers, got int32"),
            (jnp.sum, 1j, {}, TypeError, r"got complex64"),
            (jnp.sum, ["a"], {}, TypeError, r"params\[0\] must be real floating-point numbers, got str"),
            (lambda p: 1.0, {}, {}, ValueError, r"params must have at least one entry"),
            (jnp.sum, jnp.ones((0, 2)), {}, ValueError, r"params must have at least one entry"),
            (jnp.sum, jnp.ones(2), {"grad": [1.0, 1.0]}, ValueError, r"grad must be a tree like params"),
            (jnp.sum, jnp.ones(2), {"grad": jnp.ones(3)}, ValueError, r"shape of params, \(2,\), got \(3,\)"),
            (jnp.sum, jnp.ones(2), {"grad": jnp.ones(2, int)}, TypeError, r"grad must be real floating-point"),
            (lambda x: float(np.sin(x)), 1.0, {}, ValueError, r"jax.grad cannot differentiate f.*Pass grad="),
            (jnp.sum, jnp.ones(2), {"directions": 0}, ValueError, r"directions must be a whole number ≥ 1, got 0"),
        ],
    )
    def test_in_one_line(self, f, params, words, error, message):
        with pytest.raises(error, match=message) as caught:
            check_gradient(f, params, **words)
        assert "\n" not in str(caught.value)


def test_a_slope_that_drowns_in_rounding_is_not_called_right():
    """In float32, beside a part a million times as steep: the other sign would pass too."""
    x = jnp.linspace(-1.3, 2.1, 7)

    def f(p):
        return jnp.sum(p["a"] ** 2) + 1e-6 * jnp.sum(p["b"] ** 2)

    turned = check_gradient(f, {"a": x, "b": x}, grad=lambda p: {"a": 2 * p["a"], "b": -2e-6 * p["b"]})
    assert not turned.ok
    assert not check_gradient(lambda p: 1e10 + jnp.sum(p**2), x, grad=lambda p: -2 * p).ok


def test_a_steep_function_has_no_kink_where_the_complex_step_sees_a_derivative():
    report = check_gradient(lambda p: jnp.sum(jnp.sin(1000 * p)), jnp.linspace(-1.3, 2.1, 7))
    assert "no derivative" not in report.why
