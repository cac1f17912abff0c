"""A function along straight lines through its parameters: φ(h) = f(θ + h v), at steps h that halve."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.types import Params

# What jax raises when a function looks at its arguments' values in Python: it is then called point by point.
LOOKS_AT_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)

_FIRST = 0.7  # no whole number of any period: sin 2πh would vanish at h = 1 and ½, and look like a slope of 0
_MOST_STEPS = 160


class Values(NamedTuple):
    """φ at each step; float64 arrays of shape (directions, steps), the longest step first."""

    steps: np.ndarray  # as rounding made them; NaN where a step moves nothing
    plus: np.ndarray  # φ(h)
    minus: np.ndarray  # φ(-h)
    centre: np.ndarray  # φ(0), (directions, 1)


class Lines:
    """A scalar function near its parameters, and the precision that it is computed in."""

    def __init__(self, f: Callable[[Params], Any], params: Params) -> None:
        """Args: f, a real scalar function; params, a pytree of arrays. Raises as `check_gradient` does."""
        self.f, self.params = f, params
        try:
            value = jax.eval_shape(f, params)
            self.traceable = True
        except LOOKS_AT_VALUES:
            value = f(params)
            self.traceable = False
        self.out = scalar_dtype(value)
        dtypes = [leaf.dtype for leaf in jax.tree.leaves(params)] + [self.out]
        self.dtype = max(dtypes, key=lambda dtype: float(jnp.finfo(dtype).eps))  # the coarsest
        self.finest = min(dtypes, key=lambda dtype: float(jnp.finfo(dtype).eps))
        self.eps = float(jnp.finfo(self.dtype).eps)
        self._rows = jax.jit(self._mapped) if self.traceable else self._looped
        self._place = jax.jit(self.moved)

    def sizes(self, directions: Params) -> np.ndarray:
        """The largest parameter that each direction moves, (directions,).

        Where that is 0, the largest of its leaf, or of all.
        """
        sizes = np.zeros(len(jax.tree.leaves(directions)[0]))
        largest = 0.0
        for x, v in zip(jax.tree.leaves(self.params), jax.tree.leaves(directions), strict=True):
            magnitude = np.abs(np.asarray(x, np.float64))
            largest = max(largest, magnitude.max(initial=0.0))
            moved = np.where(np.asarray(v) != 0, np.where(magnitude > 0, magnitude, magnitude.max(initial=0.0)), 0.0)
            sizes = np.maximum(sizes, moved.reshape(len(moved), -1).max(axis=1, initial=0.0))
        return np.where(sizes > 0, sizes, largest)

    def values(self, directions: Params) -> Values:
        """φ along each direction; `directions` is like the parameters, with a leading axis."""
        signed = self.steps(directions)
        count = signed.shape[1] // 2
        values, taken = (np.asarray(a, np.float64) for a in self._rows(directions, jnp.asarray(signed, self.finest)))
        taken = np.where(taken[:, :count] > 0, taken[:, :count], np.nan)
        return Values(taken, values[:, :count], values[:, count:-1], values[:, -1:])

    def steps(self, directions: Params) -> np.ndarray:
        """h, then -h, then 0, in the order of `Values`; (directions, 2 steps + 1)."""
        sizes = self.sizes(directions)
        longest = _FIRST * np.maximum(sizes, 1.0)
        # Down to the roundings of the parameters, and to functions that change over lengths as small as theirs.
        within = np.where(sizes > 0, math.sqrt(self.eps) * sizes, np.inf)
        shortest = np.maximum(np.minimum(self.eps * longest, within), float(jnp.finfo(self.finest).tiny))
        count = min(math.ceil(np.log2(longest / shortest).max()), _MOST_STEPS)
        steps = longest[:, None] * 0.5 ** np.arange(count)
        return np.concatenate([steps, -steps, np.zeros((len(steps), 1))], axis=1)

    def _mapped(self, directions: Params, steps: Any) -> tuple[Any, Any]:
        def value(v: Params, step: Any) -> tuple[Any, Any]:
            point, taken = self.moved(v, step)
            return self.f(point), taken

        return jax.lax.map(lambda row: jax.lax.map(lambda h: value(row[0], h), row[1]), (directions, steps))

    def _looped(self, directions: Params, steps: Any) -> tuple[Any, Any]:
        values, taken = np.zeros(steps.shape), np.zeros(steps.shape)
        for i, k in np.ndindex(*steps.shape):
            point, step = self._place(jax.tree.map(lambda v, i=i: v[i], directions), steps[i, k])
            values[i, k], taken[i, k] = float(self.f(point)), float(step)
        return values, taken

    def moved(self, v: Params, step: Any) -> tuple[Params, Any]:
        """θ + step · v, and the step that rounding has made of it: the part of the move that lies along v."""
        moves = jax.tree.map(lambda x, v: _move(x, v, step), self.params, v)
        return jax.tree.map(jnp.add, self.params, moves), self._dot(moves, v) / self._dot(v, v)

    def _dot(self, a: Params, b: Params) -> Any:
        products = jax.tree.map(lambda a, b: jnp.sum(a.astype(self.finest) * b.astype(self.finest)), a, b)
        return sum(jax.tree.leaves(products))


def _move(x: Any, v: Any, step: Any) -> Any:
    """About step · v, rounded to what |x| + |step v| exceeds |x| by: θ plus it and θ less it are then both exact."""
    move = jnp.asarray(step, x.dtype) * v
    # The barrier keeps a compiler from simplifying (|x| + d) - |x| to d.
    return jnp.sign(move) * (jax.lax.optimization_barrier(jnp.abs(x) + jnp.abs(move)) - jnp.abs(x))


def scalar_dtype(value: Any) -> Any:
    """The dtype of a function's value, if that is one real floating-point number."""
    leaves = jax.tree.leaves(value)
    if len(leaves) != 1 or leaves[0] is not value:
        raise TypeError(
            f"f must return a scalar, got {type(value).__name__}: return J alone, without auxiliary values."
        )
    if jnp.shape(value) != ():
        raise ValueError(f"f must return a scalar, got shape {jnp.shape(value)}: take the mean over the examples.")
    dtype = jnp.result_type(value)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"f must return a real floating-point number, got {dtype}.")
    return dtype
