"""Activations: values and slopes against closed forms and central differences, behaviour at the edges."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxnn import activations

ELEMENTWISE = sorted(set(activations.TABLE) - {"softmax"})
GRID = np.concatenate([np.linspace(-30, 30, 241), [1e-6, -1e-6]])

EXPIT = scipy.special.expit


def gelu_argument(z):
    """u of ½ z (1 + tanh u), arXiv:1606.08415 section 2, and du/dz."""
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3), math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)


def gelu_slope(z):
    u, slope = gelu_argument(z)
    return (1 + np.tanh(u)) / 2 + z * (1 - np.tanh(u) ** 2) / 2 * slope


# Value and slope in double precision.
CLOSED_FORMS = {
    "sigmoid": (EXPIT, lambda z: EXPIT(z) * EXPIT(-z)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.clip(z, 0, None), lambda z: np.heaviside(z, 0)),
    "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda z: np.heaviside(z, 1) * 0.99 + 0.01),
    "absolute_value": (np.abs, np.sign),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.exp(np.minimum(z, 0))),
    "selu": (
        lambda z: np.where(z > 0, 1.0507009873554805 * z, 1.7580993408473766 * np.expm1(z)),
        lambda z: np.where(z > 0, 1.0507009873554805, 1.7580993408473766 * np.exp(z)),
    ),
    "gelu": (lambda z: z * (1 + np.tanh(gelu_argument(z)[0])) / 2, gelu_slope),
    "silu": (lambda z: z * EXPIT(z), lambda z: EXPIT(z) + z * EXPIT(z) * EXPIT(-z)),
    "softplus": (lambda z: np.logaddexp(0, z), EXPIT),
    "identity": (np.array, np.ones_like),
    "softmax": (scipy.special.softmax, None),
}


def test_every_function_has_a_closed_form_and_a_derivative():
    assert set(CLOSED_FORMS) == set(activations.TABLE)
    assert set(activations.DERIVATIVES) == set(ELEMENTWISE)
    assert set(activations.TABLE) <= set(activations.__all__)


@pytest.mark.parametrize("name", activations.TABLE)
def test_values_equal_the_closed_form(name, dtype):
    z = jnp.asarray(GRID, dtype)
    ours = jax.jit(activations.get(name))(z)
    assert ours.dtype == dtype
    eps = jnp.finfo(dtype).eps
    expected = CLOSED_FORMS[name][0](np.asarray(z, np.float64))
    np.testing.assert_allclose(ours, expected, rtol=8 * eps, atol=32 * eps)  # GELU's z (1 + tanh u) cancels for z < 0


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_equal_the_closed_form(name, dtype):
    z = jnp.asarray(GRID[GRID != 0], dtype)  # at 0 the conventions differ: see below
    ours = jax.jit(activations.derivative(name))(z)
    assert ours.dtype == dtype
    eps = jnp.finfo(dtype).eps
    expected = CLOSED_FORMS[name][1](np.asarray(z, np.float64))
    np.testing.assert_allclose(ours, expected, rtol=16 * eps, atol=32 * eps)  # 1 - tanh² u in GELU's cancels


def test_gelu_is_nearly_z_times_the_normal_distribution(x64):
    """The tanh approximation is off by at most 4.8e-4."""
    np.testing.assert_allclose(activations.gelu(jnp.asarray(GRID)), GRID * scipy.special.ndtr(GRID), atol=4.8e-4)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_are_the_limit_of_differences(name, x64):
    z, h = GRID[np.abs(GRID) > 1e-3], 1e-5
    function = activations.get(name)
    differences = (function(jnp.asarray(z + h)) - function(jnp.asarray(z - h))) / (2 * h)
    # 30 · 1e-16 / 1e-5 of rounding and h² of truncation
    np.testing.assert_allclose(activations.derivative(name)(jnp.asarray(z)), differences, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_take_the_side_at_zero_that_jax_grad_takes(name):
    assert activations.derivative(name)(jnp.array(0.0)) == jax.grad(activations.get(name))(0.0)


@pytest.mark.parametrize(
    ("name", "at_zero"),
    [("relu", 0.0), ("leaky_relu", 1.0), ("absolute_value", 1.0), ("elu", 1.0), ("selu", 1.7580993)],
)
def test_the_documented_side_at_zero(name, at_zero):
    np.testing.assert_allclose(activations.derivative(name)(jnp.array(0.0)), at_zero, rtol=1e-7)


@pytest.mark.parametrize("name", activations.TABLE)
@pytest.mark.parametrize("z", [1e4, -1e4])
class TestFarOut:
    def test_is_finite(self, name, z, dtype):
        assert np.all(np.isfinite(activations.get(name)(jnp.full(3, z, dtype))))

    @pytest.mark.by_default("float32-*")
    def test_has_finite_derivatives_by_hand_and_by_jax(self, name, z, dtype):
        function = activations.get(name)
        by_jax = jax.grad(lambda z: function(z).sum())(jnp.full(3, z, dtype))
        assert np.all(np.isfinite(by_jax))
        if name != "softmax":
            # GELU's slope by hand is held at its value at -20, 1e-259, where jax's is 0
            np.testing.assert_allclose(activations.derivative(name)(jnp.full(3, z, dtype)), by_jax, rtol=0, atol=1e-200)


@pytest.mark.parametrize("name", activations.TABLE)
def test_nan_goes_through(name):
    z = jnp.array([1.0, math.nan])
    assert np.isnan(activations.get(name)(z)[1])
    if name != "softmax":
        assert np.isnan(activations.get(name)(z)).tolist() == [False, True]
        assert np.isnan(activations.derivative(name)(z)).tolist() == [False, True]


@pytest.mark.by_default("bfloat16-*")
@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_narrow_dtypes_are_kept(name, kind):
    z = jnp.array([-2.0, 0.0, 3.0], kind)
    assert activations.get(name)(z).dtype == kind
    assert activations.derivative(name)(z).dtype == kind


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_python_numbers_are_taken(name):
    np.testing.assert_array_equal(activations.derivative(name)(0.5), activations.derivative(name)(jnp.array(0.5)))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "absolute_value", "elu", "selu", "identity"])
def test_slopes_at_whole_numbers_are_not_cut_to_whole_numbers(name):
    np.testing.assert_array_equal(activations.derivative(name)(-2), activations.derivative(name)(-2.0))


class TestTheCourse:
    def test_page_9_sigmoid_of_1_5(self, x64):
        """The slide prints 0.817544761936437, one digit 7 short."""
        assert float(activations.sigmoid(1.5)) == pytest.approx(0.8175744761936437, abs=1e-16)
        assert float(activations.sigmoid(-1000.0)) == 0.0

    def test_page_9_the_derivative_of_the_sigmoid(self, x64):
        s = scipy.special.expit(GRID)
        np.testing.assert_allclose(activations.derivative("sigmoid")(jnp.asarray(GRID)), s * (1 - s), atol=2e-16)

    def test_page_13_absolute_value_is_the_rectifier_with_slope_minus_one(self):
        np.testing.assert_array_equal(
            activations.absolute_value(jnp.asarray(GRID)), jax.nn.leaky_relu(jnp.asarray(GRID), -1.0)
        )


@pytest.mark.parametrize(("name", "z"), [("sigmoid", 20.0), ("tanh", 10.0), ("tanh", -10.0)])
def test_saturated_slopes_do_not_cancel_to_zero(name, z):
    """1 - σ and 1 - tanh² are 0 in float32 where the slope is still 2e-9 and 8e-9."""
    exact = {"sigmoid": math.exp(-z) / (1 + math.exp(-z)) ** 2, "tanh": 1 / math.cosh(z) ** 2}[name]
    np.testing.assert_allclose(activations.derivative(name)(jnp.array(z)), exact, rtol=1e-6)


def test_softmax_is_over_the_last_axis(x64):
    z = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(activations.softmax(jnp.asarray(z)), scipy.special.softmax(z, axis=-1), rtol=1e-15)


class TestByName:
    def test_functions_pass_as_they_are(self):
        assert activations.get("tanh") is activations.tanh
        assert activations.get(jnp.sin) is jnp.sin

    def test_unknown_names_offer_the_nearest(self):
        for lookup in (activations.get, activations.derivative):
            with pytest.raises(ValueError, match=r"Unknown activation 'sigmoidd'. Did you mean 'sigmoid'"):
                lookup("sigmoidd")

    def test_softmax_has_no_elementwise_derivative(self):
        for softmax in ("softmax", jax.nn.softmax):
            with pytest.raises(ValueError, match=r"jax.jacobian"):
                activations.derivative(softmax)

    def test_any_other_function_is_differentiated(self):
        np.testing.assert_allclose(
            activations.derivative(jnp.sin)(jnp.array([0.0, 1.0])), np.cos([0.0, 1.0]), rtol=1e-6
        )
        assert activations.derivative(activations.relu) is activations.DERIVATIVES["relu"]
