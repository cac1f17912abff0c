"""The complex step: φ'(0) = Im φ(ih) / h + O(h²), in which nothing cancels, so h may be 1e-30.

φ must be analytic. If it is not, the result is silently wrong: |θ| of a complex number is real, and a maximum compares
real parts. The function's jaxpr shows whether it contains such operations.

Reference:
    Squire & Trapp, Using complex variables to estimate derivatives of real functions, 1998, SIAM Review 40.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.types import Params

# Operations on complex numbers that are not analytic, as a reader would call them.
_NOT_ANALYTIC = {
    "abs": "the absolute value",
    "argmax": "the place of a maximum",
    "argmin": "the place of a minimum",
    "clamp": "clipping",
    "conj": "the complex conjugate",
    "cummax": "a maximum",
    "cummin": "a minimum",
    "eq": "a comparison",
    "ge": "a comparison",
    "gt": "a comparison",
    "is_finite": "a comparison",
    "le": "a comparison",
    "lt": "a comparison",
    "max": "a maximum",
    "min": "a minimum",
    "ne": "a comparison",
    "pure_callback": "a call of Python",
    "reduce_max": "a maximum",
    "reduce_min": "a minimum",
    "sign": "the sign",
    "sort": "sorting",
    "imag": "a comparison, a cast or a part of a number",
    "real": "a comparison, a cast or a part of a number",
}


def complex_step(f: Callable[[Params], Any], params: Params, directions: Params, sizes: Any) -> tuple[Any, str]:
    """The slopes of f along each direction by the complex step, or None; and why not.

    Args:
        f: a real scalar function.
        params: where the slopes are taken; a pytree of real arrays.
        directions: like the parameters, with a leading axis.
        sizes: of the parameters that each direction moves, (directions,).

    Returns:
        A float64 array (directions,) and "", or None and the reason in words.
    """
    wide = jax.tree.map(lambda x: jnp.result_type(x, jnp.complex64), params)
    start = jax.tree.map(jnp.asarray, params, wide)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # casts that drop an imaginary part: found in the jaxpr
            jaxpr = jax.make_jaxpr(f)(start)
    except Exception as error:  # f is anyone's, and may refuse complex numbers with any of them
        return None, f"f does not take complex numbers ({type(error).__name__})"
    used = {_NOT_ANALYTIC[name] for name in _primitives(jaxpr.jaxpr) if name in _NOT_ANALYTIC}
    if used:
        return None, f"f is not analytic: it uses {sorted(used)[0]}"
    if not jnp.issubdtype(jaxpr.out_avals[0].dtype, jnp.complexfloating):
        return None, "f is not analytic: it makes complex numbers real"
    # h² is below the roundings of either precision, h above what vanishes in it.
    single = jnp.dtype(jnp.complex64) in jax.tree.leaves(wide)
    steps = np.minimum(np.where(np.asarray(sizes) > 0, sizes, 1.0), 1.0) * 2.0 ** (-40 if single else -100)

    def slope(row: tuple[Params, Any]) -> Any:
        v, h = row
        point = jax.tree.map(lambda x, v: x + 1j * (h.astype(x.real.dtype) * v.astype(x.real.dtype)), start, v)
        return jnp.imag(f(point)) / h

    slopes = jax.jit(lambda rows: jax.lax.map(slope, rows))((directions, jnp.asarray(steps)))
    return np.asarray(slopes, np.float64), ""


def _primitives(jaxpr: Any) -> Iterator[str]:
    """The names of all operations on complex numbers, in the jaxprs within as well."""
    for equation in jaxpr.eqns:
        if any(jnp.issubdtype(variable.aval.dtype, jnp.complexfloating) for variable in equation.invars):
            yield equation.primitive.name
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda node: hasattr(node, "jaxpr")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from _primitives(inner)
