"""Separates structure from numbers: turns whatever a program depends on into a pytree whose leaves are its numbers.

    program = jax.jit(lambda made, x: structure.restore(made)(x))
    program(structure.split(functools.partial(mlp.apply, params, dropout=0.2)), x)     compiles
    program(structure.split(functools.partial(mlp.apply, params, dropout=0.3)), x)     does not

Numbers are traced; everything else (functions, names, flags) is part of the tree's structure and compared by value: two
`functools.partial`s with equal components have the same structure. A function equals only itself.

    jax.tree_util.Partial     its numbers are data, as everywhere in JAX
    functools.partial         arrays are data, and so are the hyperparameters that its function declares; other numbers
                              may be axes, counts or switches, so they are structure
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, TypeVar
from weakref import WeakSet

import jax
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

MANY = 3  # functions created by one line of code and compiled, at which a warning is given


def hyperparameters(*names: str) -> Callable[[Function], Function]:
    """Declares the arguments of a function that are hyperparameters, never branched on: they are data in any partial.

    The exception is a Python 0, which means that the term is absent.
    """

    def declare(function: Function) -> Function:
        function.hyperparameters = names  # type: ignore[attr-defined]
        return function

    return declare


@jax.tree_util.register_pytree_node_class
class Static:
    """A value that is part of the structure: a tree without leaves."""

    def __init__(self, value: Any) -> None:
        self.value = value
        try:
            hash(value)
            self._known_by: Any = repr(value) if isinstance(value, float) else value  # -0.0 is not 0.0, and nan is nan
        except TypeError:
            array = isinstance(value, np.ndarray)
            self._known_by = (value.shape, value.dtype.str, value.tobytes()) if array else id(value)

    def tree_flatten(self) -> tuple[tuple[()], "Static"]:
        """No leaves."""
        return (), self

    @classmethod
    def tree_unflatten(cls, static: "Static", leaves: tuple[()]) -> "Static":
        """The same value."""
        return static

    def __eq__(self, other: object) -> bool:
        """Whether both have the same type and value; True is not 1."""
        return isinstance(other, Static) and type(self.value) is type(other.value) and self._known_by == other._known_by

    def __hash__(self) -> int:
        return hash(self._known_by)

    def __repr__(self) -> str:
        return repr(self.value)


@jax.tree_util.register_pytree_node_class
class _Applied:
    """A `functools.partial`, split."""

    def __init__(self, function: Any, arguments: Any, keywords: dict[str, Any]) -> None:
        self.components = (function, arguments, keywords)

    @classmethod
    def of(cls, function: functools.partial) -> "_Applied":
        inner = function.func
        declared = getattr(inner, "hyperparameters", ())
        keywords = {
            name: split(value, absent_at_0=True) if name in declared else split(value, numbers=False)
            for name, value in sorted(function.keywords.items())
        }
        return cls(split(inner), split(function.args, numbers=False), keywords)

    def restored(self) -> functools.partial:
        function, arguments, keywords = restore(self.components)
        return functools.partial(function, *arguments, **keywords)

    def tree_flatten(self) -> tuple[Any, None]:
        return self.components, None

    @classmethod
    def tree_unflatten(cls, aux: None, components: Any) -> "_Applied":
        return cls(*components)


def split(tree: Any, *, numbers: bool = True, absent_at_0: bool = False) -> Any:
    """The tree with everything but numbers turned into structure; `restore` is the inverse.

    Args:
        tree: anything; what is not a pytree is a leaf.
        numbers: whether Python numbers are data. Arrays always are, except boolean ones.
        absent_at_0: whether a Python 0 is structure nevertheless.
    """

    def part(leaf: Any) -> Any:
        if isinstance(leaf, functools.partial):  # not jax.tree_util.Partial, which is a pytree itself
            return _Applied.of(leaf)
        if isinstance(leaf, Static) or _splits_itself(leaf):
            return leaf
        if is_array(leaf):
            return leaf
        return leaf if numbers and is_number(leaf) and not (absent_at_0 and leaf == 0) else Static(leaf)

    return jax.tree.map(part, tree, is_leaf=lambda node: isinstance(node, Static) or _splits_itself(node))


def restore(tree: Any) -> Any:
    """The inverse of `split`, with the current leaves."""

    def is_part(node: Any) -> bool:
        return isinstance(node, Static | _Applied) or _splits_itself(node)

    def whole(node: Any) -> Any:
        if isinstance(node, Static):
            return node.value
        return node.restored() if isinstance(node, _Applied) else node

    return jax.tree.map(whole, tree, is_leaf=is_part)


def _splits_itself(node: Any) -> bool:
    """Whether a pytree separates its numbers by `split` when jax flattens it, as optimisers and objectives do."""
    return bool(getattr(type(node), "splits_itself", False))


def is_array(value: Any) -> bool:
    """Whether a value is an array of numbers, of NumPy or JAX, or a tracer of one."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iufcV"  # V: bfloat16 and similar types
    return isinstance(value, jax.Array) and value.dtype != bool


def is_number(value: Any) -> bool:
    """Whether a value is a Python or NumPy number; booleans are not."""
    return isinstance(value, int | float | complex | np.number) and not isinstance(value, bool)


def is_zero(value: Any) -> bool:
    """Whether a hyperparameter is known to be zero, so its term is absent: a number, not an array or a tracer."""
    return is_number(value) and value == 0


_seen: dict[CodeType, int] = {}
_functions: "WeakSet[Any]" = WeakSet()


class RecompilationWarning(UserWarning):
    """A function is created anew for every call, so every call compiles."""


def watch(tree: Any, *, stacklevel: int) -> None:
    """Warns once if a function in the structure is created anew for every call, because each one is compiled.

    Args:
        tree: what a program is compiled for, as `split` returned it.
        stacklevel: as for `warnings.warn`, relative to the caller.
    """
    for function in _written(tree):
        if function in _functions:
            continue
        _functions.add(function)
        code = function.__code__
        _seen[code] = _seen.get(code, 0) + 1
        if _seen[code] == MANY:
            name = "A lambda" if function.__name__ == "<lambda>" else f"The function {function.__name__!r}"
            warnings.warn(
                f"{name} in line {code.co_firstlineno} of {code.co_filename} has been created {MANY} times, and the "
                "training program was compiled again each time. Define it once, outside the loop; to change values in "
                "it, pass jax.tree_util.Partial(function, values), whose numbers compile nothing.",
                RecompilationWarning,
                stacklevel=stacklevel + 1,
            )


def _written(tree: Any) -> Iterator[Any]:
    """The Python functions in a structure."""
    statics = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Static))
    for node in statics:
        if isinstance(node, Static) and hasattr(node.value, "__code__"):
            yield node.value
