"""Converts a pytree to named arrays, as stored in a file, and back, bit for bit."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.training.headers import DTYPES, NAME, Tensors


def flatten(tree: Any) -> Tensors:
    """The leaves of a pytree as numpy arrays, named by their path: `0/w`, `opt_state/mu/1/b`.

    A typed random key becomes its data, and the generator is added to its name: `key.prng.threefry2x32`.
    A tree that is a single leaf is called `root`.

    Args:
        tree: a pytree of arrays and Python numbers.

    Raises:
        ValueError: a leaf is not numeric, or a name has characters other than letters, digits and `_/.`.
    """
    flat: Tensors = {}
    for name, leaf in _named_leaves(tree)[0]:
        if _is_key(leaf):
            array = np.asarray(jax.random.key_data(leaf))
            name = f"{name}.prng.{jax.random.key_impl(leaf)}"
        else:
            array = np.asarray(leaf)
        if array.dtype not in DTYPES.values():
            raise ValueError(f"The leaf {name} has type {array.dtype}, which cannot be stored: use a numeric type.")
        if not NAME.fullmatch(name):
            raise ValueError(
                f"The leaf {name!r} has a key with characters other than letters, digits and '_/.'; rename it."
            )
        if name in flat:
            raise ValueError(f"Two leaves are called {name}; rename the key that contains '/'.")
        flat[name] = array
    return flat


def named(tree: Any) -> dict[str, Any]:
    """The leaves by their names in `flatten`, as they are: where names and shapes are asked for, and nothing is stored.

    Python numbers become arrays, so that every leaf has a shape and a dtype.
    """
    return {name: leaf if hasattr(leaf, "dtype") else np.asarray(leaf) for name, leaf in _named_leaves(tree)[0]}


def unflatten(flat: Mapping[str, np.ndarray], like: Any) -> Any:
    """The tree that `flatten` took apart.

    Args:
        flat: arrays by name.
        like: a tree of the same structure, shapes and dtypes; abstract leaves (`jax.eval_shape`) are enough.

    Returns:
        A tree like `like`, bit for bit what was flattened: numpy arrays and Python numbers where `like` has them,
        otherwise JAX arrays, each with its own buffer.

    Raises:
        ValueError: names, shapes or dtypes differ; the message names the leaf, what was expected and what was found.
    """
    remaining = dict(flat)
    named, structure = _named_leaves(like)
    leaves = []
    for name, leaf in named:
        found = name
        if _is_key(leaf):
            found = next((n for n in remaining if n.startswith(f"{name}.prng.")), name)
        if found not in remaining:
            stored = ", ".join(itertools.islice(flat, 3)) or "nothing"
            raise ValueError(f"The leaf {name} is missing: a tree of another structure was stored ({stored}, …).")
        leaves.append(_restore(name, remaining.pop(found), leaf, impl=found.removeprefix(f"{name}.prng.")))
    if remaining:
        raise ValueError(f"The stored leaf {next(iter(remaining))} has no place in the expected structure.")
    return jax.tree.unflatten(structure, leaves)


def _restore(name: str, array: np.ndarray, like: Any, *, impl: str) -> Any:
    """One leaf, in the type of its counterpart."""
    if _is_key(like):
        try:
            key = jax.random.wrap_key_data(jnp.array(array), impl=impl)
        except (ValueError, TypeError):
            raise ValueError(
                f"The leaf {name} should contain random keys {like.shape}, but is {array.dtype} {array.shape}."
            ) from None
        _same(name, key, like)
        return key
    if isinstance(like, bool | int | float | complex) and not isinstance(like, np.generic):
        _same(name, array, np.asarray(like))
        return array.item()
    _same(name, array, like)
    if isinstance(like, np.ndarray | np.generic):
        return array.copy() if isinstance(like, np.ndarray) else array[()]
    restored = jnp.array(array)
    if restored.dtype != array.dtype:
        raise ValueError(
            f"The leaf {name} is {array.dtype}, which is disabled in JAX: call "
            'jax.config.update("jax_enable_x64", True) before loading.'
        )
    return restored


def _same(name: str, found: Any, expected: Any) -> None:
    """Raises ValueError unless shapes and dtypes agree."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(
            f"The leaf {name} should be {expected.dtype} {expected.shape}, but is "
            f"{found.dtype} {found.shape}: it belongs to another configuration."
        )


def _is_key(leaf: Any) -> bool:
    """Whether a leaf is an array of typed random keys."""
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _named_leaves(tree: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The leaves with their names, and the structure."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") or "root" for path, _ in leaves]
    return list(zip(names, [leaf for _, leaf in leaves], strict=True)), structure
