"""Scalars that lose nothing in float32, against double precision."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import numerics


class TestSqrt:
    def test_is_the_square_root(self):
        x = np.array([0.0, 2e-38, 0.25, 2.0, math.inf], np.float32)
        np.testing.assert_allclose(numerics.sqrt(jnp.asarray(x)), np.sqrt(x), rtol=1e-6)
        assert np.isnan(numerics.sqrt(jnp.array(math.nan)))
        assert np.isnan(numerics.sqrt(jnp.array(-1.0)))

    @pytest.mark.parametrize(("x", "slope"), [(0.0, 0.0), (4.0, 0.25)])
    def test_has_a_finite_slope(self, x, slope):
        assert jax.grad(numerics.sqrt)(jnp.array(x)) == slope
        assert jax.jvp(numerics.sqrt, (jnp.array(x),), (jnp.array(1.0),))[1] == slope


class TestRatio:
    def test_is_the_quotient_and_zero_over_zero_is_zero(self):
        top, bottom = jnp.array([1.0, 5.0, 0.0, 0.0]), jnp.array([4.0, 0.0, 0.0, 3.0])
        np.testing.assert_array_equal(numerics.ratio(top, bottom), [0.25, 0.0, 0.0, 0.0])

    def test_has_finite_slopes_where_the_denominator_is_zero(self):
        slopes = jax.grad(lambda a, b: numerics.ratio(a, b), argnums=(0, 1))(1.0, 0.0)
        assert slopes == (0.0, 0.0)


class TestOneMinusPower:
    @pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.999999])
    def test_is_at_the_float32_floor(self, beta):
        """A number that is rounded once is 0.25 ulp off on average and 0.5 at most."""
        t = np.append(np.arange(1, 5001), 2**31 - 1)
        exact = -np.expm1(t * math.log(beta)) if beta else np.ones(t.size)
        result = jax.jit(numerics.one_minus_power)(numerics.Decay.of(beta), jnp.asarray(t, jnp.int32))
        roundings = np.abs(np.asarray(result, np.float64) - exact) / np.spacing(exact.astype(np.float32))
        assert roundings.max() <= 2
        assert roundings[:1000].mean() <= 0.35

    def test_keeps_what_float32_would_lose(self):
        """1 - 0.999 is wrong by 1.3e-5 of itself where 0.999 is a float32."""
        decay = numerics.Decay.of(0.999)
        result = jax.jit(lambda decay: (1 - decay, numerics.one_minus_power(decay, 1)))(decay)
        np.testing.assert_allclose(result, 0.001, rtol=1.2e-7)

    @pytest.mark.parametrize("beta", [0.0, 0.3, 0.999])
    def test_a_decay_is_its_rate(self, beta):
        decay = numerics.Decay.of(beta)
        assert float(decay) == beta
        assert repr(decay) == repr(beta)
        assert 1 - decay == 1 - beta
        assert decay * 2.0 == pytest.approx(2 * beta)
        assert numerics.Decay.of(decay) is decay

    @pytest.mark.parametrize("beta", [0.5, 0.999])
    def test_has_the_derivative_of_its_leaves(self, beta):
        """d(1 - βᵗ) / d log β = -t βᵗ, however often the argument is halved."""
        for t in (1, 3, 700):
            slope = jax.grad(lambda decay, t=t: numerics.one_minus_power(decay, t))(numerics.Decay.of(beta)).log
            assert float(slope) == pytest.approx(-t * beta**t, rel=1e-5, abs=1e-30)

    @pytest.mark.parametrize("beta", [0.0, 0.9, 0.99999])
    @pytest.mark.parametrize("t", [1, 256, 257, 100_000])
    def test_is_exact_in_double_precision(self, beta, t, x64):
        exact = -math.expm1(t * math.log(beta)) if beta else 1.0
        assert float(numerics.one_minus_power(beta, jnp.array(t, jnp.int32))) == pytest.approx(exact, rel=1e-15)

    @pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
    def test_changes_no_dtype_that_state_may_have(self, dtype, x64):
        result = numerics.one_minus_power(0.9, jnp.array(1, jnp.int32))
        assert (jnp.ones(2, dtype) / result).dtype == dtype

    def test_takes_traced_decay_rates(self):
        rates = jnp.array([0.0, 0.5, 0.9])
        np.testing.assert_allclose(
            jax.vmap(numerics.one_minus_power, (0, None))(rates, 2), [1.0, 0.75, 0.19], rtol=1e-6
        )


def test_a_step_as_a_float_scales_without_changing_the_dtype_even_under_strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        step = numerics.real(jnp.array(3, jnp.int32))
        assert (step * jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert step == 3
