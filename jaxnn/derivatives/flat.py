"""Parameters as one vector in ravel order: the order of the rows and columns of every matrix of derivatives here.

Leaf after leaf, each in row-major order, as `jax.flatten_util.ravel_pytree` has it. The entries share one dtype, the
widest of the leaves and at least float32, while each leaf keeps its own.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn import tree
from jaxnn.types import Params


def floating(params: Params) -> Params:
    """The parameters as jax arrays.

    Raises:
        ValueError: no entries; entries that are not real floating-point numbers.
    """

    def one(path: Any, leaf: Any) -> Array:
        kind = jnp.result_type(leaf)
        if not jnp.issubdtype(kind, jnp.floating):
            raise ValueError(
                f"params{jax.tree_util.keystr(path)} must be real floating-point numbers, got {kind}: "
                "convert it, or close over what is not a parameter."
            )
        return jnp.asarray(leaf)

    params = jax.tree_util.tree_map_with_path(one, params)
    if tree.size(params) == 0:
        raise ValueError("params must have at least one entry, got none, so there is nothing to differentiate.")
    return params


def dtype(params: Params) -> Any:
    """The dtype of the vector: the widest of the leaves, float32 or wider."""
    kinds = [tree.wide_dtype(jnp.result_type(leaf)) for leaf in jax.tree.leaves(params)]
    return max(kinds, key=lambda kind: jnp.finfo(kind).bits)


def ravel(params: Params) -> Array:
    """The vector, (n,)."""
    return jnp.concatenate([jnp.ravel(leaf).astype(dtype(params)) for leaf in jax.tree.leaves(params)])


def unravel(params: Params) -> Callable[[Array], Params]:
    """The function that makes a tree like the parameters, leaf dtypes included, of a vector (n,)."""
    leaves, structure = jax.tree.flatten(params)
    shapes = [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]
    stops = list(accumulate(jnp.size(leaf) for leaf in leaves))

    def back(vector: Array) -> Params:
        parts = jnp.split(vector, stops[:-1])
        shaped = [part.reshape(shape).astype(kind) for part, (shape, kind) in zip(parts, shapes, strict=True)]
        return jax.tree.unflatten(structure, shaped)

    return back


def entry(params: Params, number: int) -> str:
    """The name of an entry by its place in ravel order, such as "params[0].w[1, 2]"."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if number < leaf.size:
            place = tuple(int(i) for i in np.unravel_index(number, leaf.shape))
            return f"params{jax.tree_util.keystr(path)}{index(place)}"
        number -= leaf.size
    raise IndexError(number)


def index(place: tuple[int, ...]) -> str:
    """An index as Python writes it, such as "[1, 2]"; empty for a scalar."""
    return f"[{', '.join(map(str, place))}]" if place else ""
