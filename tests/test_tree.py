"""Algebra on pytrees: against NumPy in double precision, and the laws that update rules rely on."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn import tree

FLOATS = [jnp.bfloat16, jnp.float16, jnp.float32]


def example(dtype):
    return {"w": jnp.arange(6.0).reshape(2, 3).astype(dtype), "b": (jnp.array(-2.0, dtype), None)}


class TestStep:
    def test_starts_at_zero_as_int32(self):
        assert tree.start().dtype == jnp.int32
        assert tree.start() == 0

    @pytest.mark.parametrize(
        ("before", "after"), [(0, 1), (41, 42), (2**31 - 3, 2**31 - 2), (2**31 - 2, 2**31 - 1), (2**31 - 1, 2**31 - 1)]
    )
    def test_counts_by_one_and_stays_at_the_last(self, before, after):
        step = jax.jit(tree.increment)(jnp.array(before, jnp.int32))
        assert step.dtype == jnp.int32
        assert int(step) == after

    def test_as_a_float_it_scales_without_changing_the_dtype_even_under_strict_promotion(self):
        with jax.numpy_dtype_promotion("strict"):
            step = tree.real(jnp.array(3, jnp.int32))
            assert (step * jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
        assert step == 3


class TestDtypes:
    @pytest.mark.parametrize("kind", FLOATS)
    def test_state_is_float32_for_narrow_parameters(self, kind):
        for made in (tree.widen(example(kind)), tree.zeros(example(kind)), tree.full(example(kind), 7.0)):
            assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype(jnp.float32)}
            assert jax.tree.structure(made) == jax.tree.structure(example(kind))

    def test_float64_stays(self, x64):
        assert tree.zeros(example(jnp.float64))["w"].dtype == jnp.float64
        assert tree.wide_dtype(jnp.float64) == jnp.float64

    def test_python_numbers_are_leaves_too(self):
        assert tree.widen({"a": 1.5})["a"].dtype == jnp.float32
        assert tree.size({"a": 1.5, "b": jnp.zeros((2, 3)), "c": None}) == 7

    def test_values_are_kept_and_filled(self):
        np.testing.assert_array_equal(tree.widen(example(jnp.bfloat16))["w"], np.arange(6.0).reshape(2, 3))
        assert all(np.all(leaf == 7) for leaf in jax.tree.leaves(tree.full(example(jnp.float32), 7.0)))
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(tree.zeros(example(jnp.float32))))

    def test_two_trees_of_zeros_share_no_buffer(self):
        """They are donated together: XLA refuses the same buffer twice."""
        a, b = tree.zeros(jnp.ones(3)), tree.zeros(jnp.ones(3))
        assert a.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()

    @pytest.mark.parametrize("kind", FLOATS)
    def test_cast_like_and_add_return_to_the_parameters_dtype(self, kind):
        params = example(kind)
        wide = tree.widen(params)
        assert jax.tree.map(lambda x: x.dtype, tree.cast_like(wide, params)) == jax.tree.map(lambda x: x.dtype, params)
        moved = tree.add(params, wide)
        assert moved["w"].dtype == kind
        np.testing.assert_array_equal(np.asarray(moved["w"], np.float64), 2 * np.arange(6.0).reshape(2, 3))


class TestNorm:
    @settings(deadline=None, derandomize=True)  # the first example compiles
    @given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8))
    def test_is_the_euclidean_norm_over_all_leaves(self, values):
        leaves = {"a": jnp.array(values[:3], jnp.float32), "b": jnp.array(values[3:], jnp.float32)}
        flushed = [v if abs(v) >= np.finfo(np.float32).tiny else 0.0 for v in values]  # XLA flushes subnormal numbers
        np.testing.assert_allclose(tree.norm(leaves), math.hypot(*flushed), rtol=1e-6)

    @pytest.mark.parametrize("size", [1e-30, 1e-20, 1.0, 1e20, 1e30, 6e37])
    def test_neither_overflows_nor_vanishes(self, size):
        np.testing.assert_allclose(tree.norm((jnp.array([3 * size]), jnp.array(4 * size))), 5 * size, rtol=1e-6)

    @pytest.mark.parametrize(
        ("leaves", "expected"),
        [
            ((), 0.0),
            ((jnp.zeros((0, 3)),), 0.0),
            ((jnp.zeros(3),), 0.0),
            ((jnp.array([1.0, math.inf]),), math.inf),
            ((jnp.array([1.0, math.nan]),), math.nan),
            ((jnp.array([math.inf, math.nan]),), math.nan),
        ],
    )
    def test_at_the_edges(self, leaves, expected):
        np.testing.assert_array_equal(tree.norm(leaves), expected)

    def test_is_wide_for_narrow_leaves(self):
        """300 ones in bfloat16, whose sum is stuck at 256 there."""
        assert tree.norm(jnp.ones(300, jnp.bfloat16)).dtype == jnp.float32
        np.testing.assert_allclose(tree.norm(jnp.ones(300, jnp.bfloat16)), math.sqrt(300), rtol=1e-6)

    def test_its_gradient_is_the_direction_and_zero_at_zero(self):
        x = jnp.array([3.0, -4.0])
        np.testing.assert_allclose(jax.grad(tree.norm)(x), [0.6, -0.8], rtol=1e-6)
        np.testing.assert_array_equal(jax.grad(tree.norm)(jnp.zeros(2)), [0.0, 0.0])


class TestSqrt:
    def test_is_the_square_root(self):
        x = np.array([0.0, 2e-38, 0.25, 2.0, math.inf], np.float32)
        np.testing.assert_allclose(tree.sqrt(jnp.asarray(x)), np.sqrt(x), rtol=1e-6)
        assert np.isnan(tree.sqrt(jnp.array(math.nan)))
        assert np.isnan(tree.sqrt(jnp.array(-1.0)))

    @pytest.mark.parametrize(("x", "slope"), [(0.0, 0.0), (4.0, 0.25)])
    def test_has_a_finite_slope(self, x, slope):
        assert jax.grad(tree.sqrt)(jnp.array(x)) == slope
        assert jax.jvp(tree.sqrt, (jnp.array(x),), (jnp.array(1.0),))[1] == slope


class TestRatio:
    def test_is_the_quotient_and_zero_over_zero_is_zero(self):
        top, bottom = jnp.array([1.0, 5.0, 0.0, 0.0]), jnp.array([4.0, 0.0, 0.0, 3.0])
        np.testing.assert_array_equal(tree.ratio(top, bottom), [0.25, 0.0, 0.0, 0.0])

    def test_has_finite_slopes_where_the_denominator_is_zero(self):
        slopes = jax.grad(lambda a, b: tree.ratio(a, b), argnums=(0, 1))(1.0, 0.0)
        assert slopes == (0.0, 0.0)


class TestOneMinusPower:
    @pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99, 0.999, 0.999999])
    @pytest.mark.parametrize("t", [1, 2, 3, 10, 256, 257, 1000, 2**31 - 1])
    def test_is_exact_to_the_float32_floor(self, beta, t):
        exact = -math.expm1(t * math.log(beta)) if beta else 1.0
        result = tree.one_minus_power(beta, jnp.array(t, jnp.int32))
        roundings = 0.5001 if t <= tree.EARLY[-1] else 3  # beyond the table: those of log β, t log β and expm1
        assert abs(float(result) - exact) <= roundings * np.spacing(np.float32(exact))

    @pytest.mark.parametrize("beta", [0.0, 0.9, 0.99999])
    @pytest.mark.parametrize("t", [1, 256, 257, 100_000])
    def test_is_exact_in_double_precision(self, beta, t, x64):
        exact = -math.expm1(t * math.log(beta)) if beta else 1.0
        assert float(tree.one_minus_power(beta, jnp.array(t, jnp.int32))) == pytest.approx(exact, rel=1e-15)

    @pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
    def test_changes_no_dtype_that_state_may_have(self, dtype, x64):
        result = tree.one_minus_power(0.9, jnp.array(1, jnp.int32))
        assert (jnp.ones(2, dtype) / result).dtype == dtype

    def test_takes_traced_decay_rates(self):
        rates = jnp.array([0.0, 0.5, 0.9])
        np.testing.assert_allclose(jax.vmap(tree.one_minus_power, (0, None))(rates, 2), [1.0, 0.75, 0.19], rtol=1e-6)


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ((), True),
        ((jnp.ones(3), jnp.arange(3)), True),
        ((jnp.ones(3), jnp.array([1.0, math.nan])), False),
        ((jnp.array(-math.inf),), False),
        ((jnp.zeros(0),), True),
    ],
)
def test_all_finite(leaves, expected):
    assert bool(jax.jit(tree.all_finite)(leaves)) is expected


@pytest.mark.parametrize("condition", [True, False])
def test_select_takes_one_tree_whole(condition):
    ones, twos = {"a": jnp.ones(2), "b": jnp.ones(())}, {"a": jnp.full(2, 2.0), "b": jnp.full((), 2.0)}
    chosen = jax.jit(tree.select)(jnp.array(condition), ones, twos)
    assert {float(v) for leaf in jax.tree.leaves(chosen) for v in np.ravel(leaf)} == {1.0 if condition else 2.0}
