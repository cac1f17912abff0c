"""Trajectories to compare: a rule of ours and its twin elsewhere, given the same gradients at the same rates.

Hyperparameters are drawn: a tuple (low, high) is an interval, a list holds values that successive draws go through.
"""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

STEPS = 200
SHAPES = {"layers": [{"w": (3, 2)}, {"b": ()}], "empty": (0, 2)}
BOTH = [False, True]


def is_shape(x):
    return isinstance(x, tuple)


def rate(step):
    """A learning rate that jumps and falls, the same for Python numbers and traced ones."""
    return 0.004 * (1 + step % 7) / (1 + 0.01 * step)


def problem(seed, steps=STEPS):
    """Parameters, and for each step a gradient whose size goes over three decades, in float64."""
    rng = np.random.default_rng(seed)
    params = jax.tree.map(lambda shape: rng.normal(size=shape), SHAPES, is_leaf=is_shape)

    def gradients(shape):
        return rng.normal(size=(steps, *shape)) * 10 ** rng.uniform(-2, 1, size=(steps, *shape))

    return params, jax.tree.map(gradients, SHAPES, is_leaf=is_shape)


def draws(name, space, count):
    """`count` dictionaries of hyperparameters out of a space, reproducible, different for each name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    starts = {key: rng.integers(len(values)) for key, values in space.items()}

    def one(key, values, index):
        return values[(starts[key] + index) % len(values)] if isinstance(values, list) else float(rng.uniform(*values))

    return [{key: one(key, values, index) for key, values in space.items()} for index in range(count)]


def follow(optimiser, params, grads):
    """The parameters after each step, stacked; the gradients are given, not taken at the parameters."""

    def step(carry, g):
        params, state = carry
        updates, state = optimiser.update(g, state, params)
        params = jax.tree.map(lambda p, u: p + u, params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, params)
    return jax.jit(lambda: jax.lax.scan(step, (params, optimiser.init(params)), grads)[1])()


def assert_same(ours, theirs, tolerance=1e-12):
    """Every coordinate at every step, relative to the farthest that the coordinate ever was from 0."""

    def close(a, b):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert np.isfinite(b).all()
        size = np.abs(b).max(axis=0, keepdims=True) if b.size else b
        worst = np.max(np.abs(a - b) / size, initial=0.0)
        assert worst <= tolerance, f"differs by {worst:.1e} of its size"

    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(close, ours, theirs)
