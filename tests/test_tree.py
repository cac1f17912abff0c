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
