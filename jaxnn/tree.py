"""Algebra on pytrees of arrays, as the update rules need it.

Scalars such as learning rates and bias corrections are kept out of the parameters' dtype: computed from Python floats
and the int32 step they stay weakly typed, so that `eta * m` has the dtype of `m`, whatever that is. State is kept in
float32 or wider (`widen`), and what leaves a rule returns to the dtype of the gradient (`cast_like`).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

LAST_STEP = 2**31 - 1
EARLY = np.arange(1, 257)  # steps whose bias corrections are computed in advance, in double precision


def start() -> Int[Array, ""]:
    """The step counter before the first step."""
    return jnp.zeros((), jnp.int32)


def increment(step: Int[Array, ""]) -> Int[Array, ""]:
    """The next step; the counter stays at 2³¹ - 1 rather than wrap to a negative number."""
    return jnp.minimum(step, LAST_STEP - 1) + 1


def real(step: Any) -> Any:
    """The step as a float, weakly typed as Python's are, so that what it scales keeps its dtype."""
    with jax.numpy_dtype_promotion("standard"):  # the one promotion that the strict rules refuse and we intend
        return step * 1.0


def wide_dtype(dtype: Any) -> Any:
    """The dtype of state for parameters of `dtype`: float32 or wider."""
    return jnp.dtype(dtype) if jnp.finfo(dtype).bits > 32 else jnp.dtype(jnp.float32)


def widen(tree: Any) -> Any:
    """The tree with every leaf in float32 or wider."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, wide_dtype(jnp.result_type(leaf))), tree)


def zeros(tree: Any) -> Any:
    """Fresh zeros in float32 or wider, like the tree. Each call makes its own buffers: they may be donated."""
    return full(tree, 0.0)


def full(tree: Any, value: Any) -> Any:
    """The tree with every leaf filled with `value`, in float32 or wider."""
    return jax.tree.map(lambda x: jnp.full(jnp.shape(x), value, wide_dtype(jnp.result_type(x))), tree)


def cast_like(tree: Any, like: Any) -> Any:
    """The tree with every leaf in the dtype of its counterpart in `like`."""
    return jax.tree.map(lambda x, y: x.astype(jnp.result_type(y)), tree, like)


def add(params: Any, updates: Any) -> Any:
    """`params + updates`, in the dtypes of `params`."""
    return jax.tree.map(lambda p, u: (p + u).astype(jnp.result_type(p)), params, updates)


def norm(tree: Any) -> Float[Array, ""]:
    """The Euclidean norm over all leaves, in float32 or wider.

    Scaled by the largest magnitude, so that squares neither overflow nor vanish: the norm of (1e30, 1e30) is 1.41e30.
    """
    leaves = [jnp.abs(leaf) for leaf in jax.tree.leaves(widen(tree)) if leaf.size]
    if not leaves:
        return jnp.zeros(())
    dtype = jnp.result_type(*leaves)
    largest = jnp.stack([jnp.max(leaf).astype(dtype) for leaf in leaves]).max()
    scale = jnp.where(jnp.isfinite(largest) & (largest > 0), jax.lax.stop_gradient(largest), 1)
    squares = [jnp.sum((leaf.astype(dtype) / scale) ** 2) for leaf in leaves]
    return scale * sqrt(jnp.sum(jnp.stack(squares)))


@jax.custom_jvp
def sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """√x with derivative 0 at 0, so that gradients through an optimiser are finite where a gradient was 0.

    The plain square root has an infinite derivative there, and infinity times the zero that follows it is NaN.
    """
    return jnp.sqrt(x)


@sqrt.defjvp
def _sqrt_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return sqrt(x), ratio(0.5 * dx, sqrt(x))


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


def ratio(numerator: Float[Array, "..."], denominator: Float[Array, "..."]) -> Float[Array, "..."]:
    """Numerator / denominator, and 0 where the denominator is 0: a direction that was never seen is not taken."""
    zero = denominator == 0
    return jnp.where(zero, jnp.zeros_like(numerator), numerator / jnp.where(zero, 1, denominator))


def faded(average: Float[Array, "..."], rate: Any) -> Float[Array, "..."]:
    """The average times `rate`, for an average that fades so at every step.

    Written x - (1 - rate) x: 0.999 in float32 is off by 1.3e-8, which 1000 steps of x ← 0.999 x turn into 200 ulp.
    """
    return average - (1 - rate) * average


def one_minus_power(beta: Any, t: Any) -> Any:
    """1 - βᵗ, the bias that an average started at 0 has after t ≥ 1 steps.

    Computed as -expm1(t log β) with the logarithm of a Python float taken in double precision: in float32 the plain
    form loses 57 ulp at t = 1 for β = 0.999, all of them passed on to the first update.
    """
    if not isinstance(beta, int | float):
        zero = beta == 0  # there log β has no derivative, and 1 - βᵗ has: -1 at t = 1
        return jnp.where(zero, 1 - beta * (t == 1), -jnp.expm1(real(t) * jnp.log(jnp.where(zero, 1, beta))))
    later = -jnp.expm1(real(t) * (math.log(beta) if beta else -math.inf))
    return early(1 - float(beta) ** EARLY, t, later)


def early(values: np.ndarray, t: Any, later: Any) -> Any:
    """The value of step t from a table made in double precision, `later` where the table has ended.

    XLA's expm1 and exp are 2 ulp off in float32, as much as all else in an update together. It shows in the first
    steps, whose displacements carry few roundings yet; in double precision, where it cannot show, there is no table.

    Args:
        values: those of the steps `EARLY`, 1, 2, …
        t: the step, from 1.
        later: a scalar of JAX's default float.
    """
    if jnp.finfo(later.dtype).bits > 32:
        return later
    return jnp.where(t <= len(values), jnp.asarray(values)[jnp.minimum(t, len(values)) - 1], later)
