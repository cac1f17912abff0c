"""Pytrees as named arrays and back."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxnn.training import named_arrays, serialisation
from tests.training.saved import bits


class State(NamedTuple):
    step: object
    mu: object
    extra: object = None


def leaves_are_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert type(a) is type(b)
        if hasattr(a, "dtype") and jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            assert a.dtype == b.dtype
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert bits(np.asarray(a)) == bits(np.asarray(b))


TREES = {
    "one leaf": lambda: jnp.arange(3.0),
    "nothing": lambda: (),
    "state": lambda: State(jnp.int32(3), {"w": jnp.ones((2, 3)), "B.0": [jnp.zeros(0), (jnp.bfloat16(-0.0),)]}),
    "numbers": lambda: {"i": 3, "f": -0.0, "b": True, "inf": float("inf")},
    "numpy": lambda: [np.float64(1 / 3), np.array([np.nan, 1]), np.arange(3, dtype=np.int64)],
    "keys": lambda: {"k": jax.random.key(1), "many": jax.random.split(jax.random.key(2, impl="rbg"), 3)},
    "raw key": lambda: State(jax.random.PRNGKey(0), None),
    "empty": lambda: jnp.zeros((0, 7)),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_come_back(tmp_path, name):
    tree = TREES[name]()
    serialisation.write(tmp_path / "x", "state", {}, named_arrays.flatten(tree))
    flat = serialisation.read(tmp_path / "x", "state", allow_nonfinite=True)[1]
    leaves_are_same(named_arrays.unflatten(flat, tree), tree)


def test_abstract_leaves_will_do():
    tree = State(jnp.int32(3), {"w": jnp.ones((2, 3), jnp.bfloat16)}, jax.random.key(4))
    abstract = jax.eval_shape(lambda: tree)
    leaves_are_same(named_arrays.unflatten(named_arrays.flatten(tree), abstract), tree)


def test_names_say_where():
    tree = {"opt": State(jnp.int32(0), [jnp.ones(1)], jax.random.key(0))}
    assert sorted(named_arrays.flatten(tree)) == ["opt/extra.prng.threefry2x32", "opt/mu/0", "opt/step"]


def test_double_precision_needs_double_precision(x64):
    tree = {"w": jnp.asarray(1 / 3)}
    flat = named_arrays.flatten(tree)
    assert flat["w"].dtype == np.float64
    leaves_are_same(named_arrays.unflatten(flat, tree), tree)
    with jax.enable_x64(False), pytest.raises(ValueError, match="float64"):
        named_arrays.unflatten(flat, {"w": jnp.asarray(1 / 3)})
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        named_arrays.unflatten(flat, tree)


def test_buffers_are_not_shared():
    """An optimiser may donate its state; what was read stays as it was."""
    flat = {"w": np.ones(1000, np.float32)}
    tree = named_arrays.unflatten(flat, {"w": jnp.zeros(1000)})
    flat["w"][:] = 2
    assert_array_equal(tree["w"], np.ones(1000))


LIKE = {"a": {"w": jnp.ones((2, 3))}, "k": jax.random.key(0)}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"a/w": np.ones((3, 2), np.float32)}, r"a/w should be float32 \(2, 3\), but is float32 \(3, 2\)"),
        ({"a/w": np.ones((2, 3))}, r"a/w should be float32 \(2, 3\), but is float64 \(2, 3\)"),
        ({"a/w": None}, "a/w is missing"),
        ({"k.prng.threefry2x32": None}, "k is missing"),
        ({"k.prng.threefry2x32": None, "k": np.zeros(2, np.uint32)}, "k should"),
        ({"k.prng.threefry2x32": np.zeros(3, np.uint32)}, "k should contain random keys"),
        ({"k.prng.threefry2x32": np.zeros(2, np.float32)}, "k should contain random keys"),
        ({"k.prng.threefry2x32": None, "k.prng.rbg": np.zeros(4, np.uint32)}, "k should be key<fry>"),
        ({"k.prng.threefry2x32": None, "k.prng.os.system": np.zeros(2, np.uint32)}, "k should contain random keys"),
        ({"b": np.ones(1)}, "stored leaf b has no place"),
    ],
    ids=str,
)
def test_trees_that_do_not_fit(changes, match):
    flat = named_arrays.flatten(LIKE) | changes
    with pytest.raises(ValueError, match=match):
        named_arrays.unflatten({name: array for name, array in flat.items() if array is not None}, LIKE)


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"a": "text"}, "leaf a has type"),
        ({"a": np.array([None])}, "leaf a has type object"),
        ({"a": np.ones(2, np.complex128)}, "complex128"),
        ({"a b": 1.0}, "'a b'"),
        ({"a/b": 1.0, "a": {"b": 2.0}}, "Two leaves are called a/b"),
    ],
    ids=str,
)
def test_trees_that_cannot_be_stored(tree, match):
    with pytest.raises(ValueError, match=match):
        named_arrays.flatten(tree)
