"""A function's Hessian as a product with vectors, which is all that a spectrum needs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import chunks
from jaxnn.derivatives import flat
from jaxnn.objective import evaluate
from jaxnn.types import Batch, Params

AT_ONCE = 8  # products computed side by side where several are asked for: a few gradients' memory each


class Operator(NamedTuple):
    """A symmetric matrix, given by its product with vectors."""

    product: Callable[[Array], Array]  # v -> H v, both (n,)
    n: int
    dtype: Any  # of the vectors
    unravel: Callable[[Array], Params]  # a vector as a tree like the parameters

    def products(self, vectors: Array) -> Array:
        """H times each row, (k, n) -> (k, n)."""
        return in_chunks(self.product, vectors)


def in_chunks(function: Callable[[Any], Any], rows: Array) -> Array:
    """The function of each row, `AT_ONCE` side by side."""
    return chunks.mapped(jax.vmap(function), rows, min(AT_ONCE, len(rows)))


def hessian_of(f: Callable[..., Any], params: Params, batch: Batch | None = None) -> Operator:
    """The Hessian of f at the parameters; the gradient is linearised once, and each product costs one gradient more.

    Args:
        f: a scalar function of a pytree, twice differentiable; or with a batch an objective, J(params, batch).
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).

    Raises:
        ValueError: f is not a real scalar, or the parameters are not floating-point numbers.
    """
    params = flat.floating(params)
    value = f if batch is None else lambda at: evaluate(f, at, batch)
    out = jax.eval_shape(value, params)
    if not isinstance(out, jax.ShapeDtypeStruct) or out.shape != () or not jnp.issubdtype(out.dtype, jnp.floating):
        got = f"{out.dtype} of shape {out.shape}" if isinstance(out, jax.ShapeDtypeStruct) else type(out).__name__
        raise ValueError(f"f must return one real number, got {got}: return only the mean over the examples.")
    unravel, start = flat.unravel(params), flat.ravel(params)
    _, product = jax.linearize(lambda vector: flat.ravel(jax.grad(value)(unravel(vector))), start)
    return Operator(product, start.shape[0], start.dtype, unravel)
