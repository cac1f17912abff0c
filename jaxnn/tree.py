"""Algebra on pytrees of arrays, as the update rules need it.

Scalars such as learning rates and bias corrections are not in the parameters' dtype: computed from Python floats and
the int32 step, they are weakly typed, so `eta * m` has the dtype of `m`. State is kept in float32 or wider (`widen`),
and updates are cast back to the dtype of the gradient (`cast_like`).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn.numerics import faded, one_minus_power, ratio, real, sqrt  # noqa: F401

LAST_STEP = 2**31 - 1


def start() -> Int[Array, ""]:
    """The step counter before the first step."""
    return jnp.zeros((), jnp.int32)


def increment(step: Int[Array, ""]) -> Int[Array, ""]:
    """The next step; the counter stays at 2³¹ - 1 instead of overflowing to a negative number."""
    return jnp.minimum(step, LAST_STEP - 1) + 1


def wide_dtype(dtype: Any) -> Any:
    """The dtype of the state for parameters of `dtype`: float32 or wider."""
    return jnp.dtype(dtype) if jnp.finfo(dtype).bits > 32 else jnp.dtype(jnp.float32)


def widen(tree: Any) -> Any:
    """The tree with every leaf in float32 or wider."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, wide_dtype(jnp.result_type(leaf))), tree)


def zeros(tree: Any) -> Any:
    """New zeros in float32 or wider, like the tree. Each call makes its own buffers, because they may be donated."""
    return full(tree, 0.0)


def full(tree: Any, value: Any) -> Any:
    """The tree with every leaf filled with `value`, in float32 or wider."""
    return jax.tree.map(lambda x: jnp.full(jnp.shape(x), value, wide_dtype(jnp.result_type(x))), tree)


def cast_like(tree: Any, like: Any) -> Any:
    """The tree with every leaf cast to the dtype of its counterpart in `like`."""
    return jax.tree.map(lambda x, y: x.astype(jnp.result_type(y)), tree, like)


def add(params: Any, updates: Any) -> Any:
    """`params + updates`, in the dtypes of `params`."""
    return jax.tree.map(lambda p, u: (p + u).astype(jnp.result_type(p)), params, updates)


def norm(tree: Any) -> Float[Array, ""]:
    """The Euclidean norm over all leaves, in float32 or wider.

    Scaled by the largest magnitude, so squares neither overflow nor underflow: the norm of (1e30, 1e30) is 1.41e30.
    """
    leaves = [jnp.abs(leaf) for leaf in jax.tree.leaves(widen(tree)) if leaf.size]
    if not leaves:
        return jnp.zeros(())
    dtype = jnp.result_type(*leaves)
    largest = jnp.stack([jnp.max(leaf).astype(dtype) for leaf in leaves]).max()
    scale = jnp.where(jnp.isfinite(largest) & (largest > 0), jax.lax.stop_gradient(largest), 1)
    squares = [jnp.sum((leaf.astype(dtype) / scale) ** 2) for leaf in leaves]
    return scale * sqrt(jnp.sum(jnp.stack(squares)))


def all_finite(tree: Any) -> Array:
    """Whether every entry of every leaf is finite; a boolean scalar."""
    checks = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(checks)) if checks else jnp.asarray(True)


def select(condition: Array, chosen: Any, otherwise: Any) -> Any:
    """`chosen` where the scalar `condition` holds, `otherwise` elsewhere, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)


def size(tree: Any) -> int:
    """The number of entries in all leaves."""
    return sum(jnp.size(leaf) for leaf in jax.tree.leaves(tree))
