"""Initialisers: the variances that the papers state, seen in large draws, and the gains that keep a variance."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import activations, initialisers

KEY = jax.random.key(0)
FAN_IN, FAN_OUT = 300, 500
VARIANCE = {
    "glorot": 2 / (FAN_IN + FAN_OUT),
    "he": 2 / FAN_IN,
    "lecun": 1 / FAN_IN,
}


@pytest.mark.parametrize("family", VARIANCE)
@pytest.mark.parametrize("shape", ["uniform", "normal"])
def test_the_variance_that_the_paper_states(family, shape):
    w = np.asarray(initialisers.get(f"{family}_{shape}")(KEY, (FAN_IN, FAN_OUT), jnp.float32), np.float64)
    error = math.sqrt(2 / w.size)  # relative standard error of a variance, of a normal's; of a uniform's it is less
    np.testing.assert_allclose(w.var(), VARIANCE[family], rtol=5 * error)
    np.testing.assert_allclose(w.mean(), 0, atol=5 * math.sqrt(VARIANCE[family] / w.size))


@pytest.mark.parametrize("family", VARIANCE)
def test_uniform_draws_fill_their_interval(family):
    w = initialisers.get(f"{family}_uniform")(KEY, (FAN_IN, FAN_OUT), jnp.float32)
    limit = math.sqrt(3 * VARIANCE[family])
    assert float(jnp.abs(w).max()) <= limit * (1 + 1e-6)
    assert float(w.max()) > 0.999 * limit
    assert float(w.min()) < -0.999 * limit


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (10, 10)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, x64):
    w = initialisers.get("orthogonal")(KEY, shape, jnp.float64)
    gram = w @ w.T if shape[0] <= shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-14)


def test_truncated_normal_is_cut_at_two():
    w = initialisers.truncated_normal(0.1)(KEY, (100_000,), jnp.float32)
    assert 0.19 < float(jnp.abs(w).max()) <= 0.2 * (1 + 1e-6)


def test_zeros_and_constant():
    assert not np.any(initialisers.zeros(KEY, (2, 3), jnp.float32))
    np.testing.assert_array_equal(initialisers.constant(0.1)(KEY, (2,), jnp.float32), np.full(2, 0.1, np.float32))


@pytest.mark.parametrize("name", initialisers.TABLE)
def test_every_name_is_ready_to_use(name, dtype):
    initialiser = initialisers.get(name)
    w = initialiser(KEY, (4, 3), dtype)
    assert w.shape == (4, 3)
    assert w.dtype == dtype
    np.testing.assert_array_equal(w, initialiser(KEY, (4, 3), dtype))


def test_unknown_names_offer_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown initialiser 'xavier_uniform'. Did you mean"):
        initialisers.get("xavier_uniform")
    assert initialisers.get(initialisers.zeros) is initialisers.zeros


class TestGains:
    @pytest.mark.parametrize(("name", "convention"), [("sigmoid", 1.0), ("tanh", 5 / 3), ("selu", 3 / 4)])
    def test_of_three_is_a_convention(self, name, convention):
        """PyTorch's, which no law of the variance gives."""
        assert initialisers.gain(name) == convention

    @pytest.mark.parametrize("slope", [0.01, 0.0, 0.2, -1.0])
    def test_leaky_relu_takes_its_slope(self, slope):
        """Half of a standard normal's second moment is kept, half is multiplied by the slope squared."""
        gain = initialisers.gain("leaky_relu", negative_slope=slope)
        assert gain**2 * (1 + slope**2) / 2 == pytest.approx(1, rel=1e-15)

    @pytest.mark.parametrize("name", sorted(set(initialisers.GAINS) - {"sigmoid", "tanh", "selu"}))
    def test_keeps_the_second_moment_of_a_standard_normal(self, name, x64):
        """gain² E[σ(z)²] = 1, the expectation by the trapezoidal rule; the table is rounded to four digits."""
        z = np.linspace(-12, 12, 200_001)
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        moment = np.trapezoid(np.asarray(activations.get(name)(jnp.asarray(z))) ** 2 * density, z)
        assert initialisers.gain(name) == pytest.approx(1 / math.sqrt(moment), abs=5.1e-5)

    def test_every_elementwise_activation_has_one(self):
        assert set(initialisers.GAINS) == set(activations.TABLE) - {"softmax"}

    @pytest.mark.parametrize("name", initialisers.GAINS)
    def test_takes_the_function_for_its_name(self, name):
        assert initialisers.gain(activations.get(name)) == initialisers.gain(name) == initialisers.GAINS[name]

    @pytest.mark.parametrize("unknown", ["tanhh", "softmax", math.sin])
    def test_unknown_ones_are_refused(self, unknown):
        with pytest.raises(ValueError, match=r"Unknown activation with a gain"):
            initialisers.gain(unknown)


class TestScaled:
    def test_page_68_glorot_uniform_with_a_gain(self):
        """U(-a, a) with a = gain · √(6 / (fan_in + fan_out))."""
        w = initialisers.scaled(initialisers.glorot_uniform(), initialisers.gain("tanh"))(KEY, (FAN_IN, FAN_OUT))
        limit = 5 / 3 * math.sqrt(6 / (FAN_IN + FAN_OUT))
        assert 0.999 * limit < float(jnp.abs(w).max()) <= limit * (1 + 1e-6)

    @pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float32])
    def test_keeps_shape_and_dtype(self, kind):
        w = initialisers.scaled(initialisers.constant(2.0), 1.5)(KEY, [2, 3], kind)
        assert (w.shape, w.dtype) == ((2, 3), kind)
        np.testing.assert_array_equal(np.asarray(w, np.float32), 3)

    def test_refuses_a_factor_that_is_not_finite(self):
        with pytest.raises(ValueError, match=r"factor must be finite"):
            initialisers.scaled(initialisers.zeros, math.inf)
