"""The exact Hessian of any scalar function: the whole matrix, its diagonal blocks, or its diagonal.

    H eᵢ = d/dt ∇f(θ + t eᵢ) at t = 0       column i: one tangent of the gradient

The gradient is linearised once, and tangents are pushed through it a few at a time. `jax.hessian` pushes all n of them
together, and holds n copies of all intermediate results of the gradient.

    Hessian      n tangents, n² numbers           hessian
    blocks       n tangents, Σ n_b² numbers       hessian_blocks
    diagonal     n tangents, n numbers            hessian_diagonal

Reference:
    Griewank & Walther, Evaluating Derivatives, 2008, chapters 3 and 5: forward over reverse.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks, chunks, tree
from jaxnn.derivatives import budget, flat
from jaxnn.derivatives.lines import scalar_dtype
from jaxnn.types import Params

TANGENTS = 16  # at a time: fewer leave cores idle, more leave the cache (measured with 4 to 128 on small networks)
BLOCK_BYTES = 2**28  # that these may take, by a count that is never too small

INSTEAD = "hvp (products with vectors), hessian_blocks, hessian_diagonal, or the optimisers lbfgs and newton_cg"


def hessian(
    f: Callable[[Params], Any], params: Params, *, block_bytes: int | None = None, memory_bytes: int | None = None
) -> Float[Array, "n n"]:
    """The Hessian of f at the parameters, symmetric to the last bit.

    Args:
        f: a real scalar function of a pytree, twice differentiable by jax.
        params: where the Hessian is taken; a pytree of n floating-point numbers.
        block_bytes: the memory for the intermediate results of the tangents that are pushed together; if None, those of
            16 tangents, but at most 256 MiB.
        memory_bytes: the most memory for the matrix; half of this machine's memory if None.

    Returns:
        ½ (H + Hᵀ), rows and columns in ravel order, in the widest dtype of the parameters and at least float32. At a
        kink of f, it is what automatic differentiation returns.

    Raises:
        ValueError: parameters that are not floating point, none, or f not a real scalar.
        MemoryBudgetError: the matrix would take more than `memory_bytes`; raised before anything is allocated.
    """
    params = _checked(f, params)
    n = tree.size(params)
    budget.check_square("A Hessian", n, flat.dtype(params), memory_bytes, INSTEAD)
    columns = _columns(f, params, block_bytes, lambda entries, columns: columns)
    return 0.5 * (columns + columns.T)


def hessian_blocks(
    f: Callable[[Params], Any], params: Params, *, block_bytes: int | None = None, memory_bytes: int | None = None
) -> tuple[Float[Array, "_ _"], ...]:
    """The diagonal blocks of the Hessian, one for each top-level part of the parameters; the rest is not computed.

    For the parameters of `jaxnn.mlp` these are its layers; a single array is one block, the whole Hessian.

    Args:
        f: as for `hessian`.
        params: likewise.
        block_bytes: likewise.
        memory_bytes: the most memory for each block.

    Returns:
        For each part, in the tree's order, a symmetric matrix of its entries in ravel order; (0, 0) for a part of none.

    Raises:
        ValueError, MemoryBudgetError: as for `hessian`.
    """
    params = _checked(f, params)
    parts, structure = jax.tree.flatten(params, is_leaf=lambda node: node is not params)

    def block(i: int) -> Array:
        def of_part(part: Params) -> Any:
            return f(jax.tree.unflatten(structure, [*parts[:i], part, *parts[i + 1 :]]))

        if tree.size(parts[i]) == 0:
            return jnp.zeros((0, 0), flat.dtype(params))
        return hessian(of_part, parts[i], block_bytes=block_bytes, memory_bytes=memory_bytes)

    return tuple(block(i) for i in range(len(parts)))


def hessian_diagonal(
    f: Callable[[Params], Any], params: Params, *, block_bytes: int | None = None
) -> Float[Array, " n"]:
    """The diagonal of the Hessian, exact, in ravel order, without the matrix.

    It takes the time of the whole Hessian, a tangent for each entry. For a network, `mlp_hessian_diagonal`
    needs only the time of a few gradients.

    Args:
        f: as for `hessian`.
        params: likewise.
        block_bytes: likewise.

    Raises:
        ValueError: as for `hessian`.
    """
    params = _checked(f, params)
    return _columns(f, params, block_bytes, lambda entries, columns: jnp.take_along_axis(columns, entries, 1)[:, 0])


def _columns(
    f: Callable[[Params], Any], params: Params, block_bytes: int | None, keep: Callable[[Array, Array], Array]
) -> Array:
    """What `keep(entries (c, 1), columns (c, n))` keeps of all columns of the Hessian, a few of them at a time."""
    n, kind, back = tree.size(params), flat.dtype(params), flat.unravel(params)
    _, push = jax.linearize(jax.grad(f), params)

    def column(unit: Array) -> Array:
        return flat.ravel(push(back(unit))).astype(kind)

    def together(entries: Array) -> Array:
        units = (entries[:, None] == jnp.arange(n)).astype(kind)
        return keep(entries[:, None], jax.vmap(column)(units))

    each = _intermediate_bytes(column, jax.ShapeDtypeStruct((n,), kind))
    return chunks.mapped(together, jnp.arange(n), chunks.even(n, _tangents(each, block_bytes)))


def _tangents(each: int, block_bytes: int | None) -> int:
    """How many tangents to push together, where one takes `each` bytes."""
    if block_bytes is None:
        return max(1, min(TANGENTS, BLOCK_BYTES // max(each, 1)))
    checks.whole(1, block_bytes=block_bytes)
    return max(1, block_bytes // max(each, 1))


def _intermediate_bytes(function: Callable[..., Any], argument: Any) -> int:
    """The bytes of everything that the function computes on its way, as if nothing were freed or fused."""

    def results(jaxpr: Any) -> Iterator[int]:
        for equation in jaxpr.eqns:
            inner = [getattr(p, "jaxpr", p) for p in jax.tree.leaves(equation.params, is_leaf=_is_jaxpr)]
            inner = [p for p in inner if hasattr(p, "eqns")]
            for nested in inner:
                yield from results(nested)
            if not inner or equation.primitive.name == "scan":
                yield from (v.aval.size * v.aval.dtype.itemsize for v in equation.outvars)

    return sum(results(jax.make_jaxpr(function)(argument).jaxpr))


def _is_jaxpr(node: Any) -> bool:
    return hasattr(node, "jaxpr") or hasattr(node, "eqns")


def _checked(f: Callable[[Params], Any], params: Params) -> Params:
    """The parameters as arrays, if they and f are what a Hessian can be taken of."""
    params = flat.floating(params)
    try:
        scalar_dtype(jax.eval_shape(f, params))
    except TypeError as error:
        if "f must return" in str(error):
            raise ValueError(str(error)) from None
        raise
    return params
