"""Curvature of one iteration as a linear map on vectors in ravel order, and diagonals to precondition it with.

What does not depend on the vector is computed once, by `jax.linearize`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxnn import checks, derivatives, tree
from jaxnn.derivatives.jacobians import needs_split
from jaxnn.derivatives.products import gauss_newton_operator
from jaxnn.optimisers.second_order.flat import Flat
from jaxnn.types import Params

Product = Callable[[Array], Array]  # v (n,) -> B v (n,)


def hessian(at: Flat, params: Params, value_fn: Any, objective: Any, batch: Any, key: Any) -> Product:
    """Products with the Hessian of `value_fn`."""
    del objective, batch, key
    _, push = jax.linearize(jax.grad(value_fn), params)
    return lambda v: _ravelled(push(at.updates(v)))


def gauss_newton(at: Flat, params: Params, value_fn: Any, objective: Any, batch: Any, key: Any) -> Product:
    """Products with Gauss-Newton's part of the Hessian of an `Objective`.

    Raises:
        ValueError: the objective does not keep prediction and loss apart.
    """
    del value_fn
    objective = needs_split(objective, 'newton_cg(curvature="gauss_newton")')
    multiplied = gauss_newton_operator(objective, params, batch, key)
    return lambda v: _ravelled(multiplied(at.updates(v)))


CURVATURES = {"hessian": hessian, "gauss_newton": gauss_newton}


def largest(seen: Float[Array, " n"], diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """The largest magnitudes of a diagonal so far: one that passes through 0 tells nothing of the parameter's unit."""
    return jnp.maximum(seen, jnp.where(jnp.isfinite(diagonal), jnp.abs(diagonal), 0.0))


def diagonal(given: Any) -> Callable[..., Array]:
    """The function (at, params, value_fn, objective, batch) -> (n,) that `newton_cg`'s `preconditioner` names.

    Raises:
        ValueError: an unknown name; when called, a diagonal of another shape than (n,).
    """
    if not callable(given):
        return checks.one_of("none" if given is None else given, DIAGONALS, "preconditioner")

    def users(at: Flat, params: Params, value_fn: Any, objective: Any, batch: Any) -> Array:
        del value_fn
        values = jnp.asarray(given(objective, params, batch), at.theta.dtype)
        if values.shape != at.theta.shape:
            raise ValueError(f"preconditioner must give a diagonal of shape {at.theta.shape}, got {values.shape}.")
        return values

    return users


def _identity(at: Flat, params: Params, value_fn: Any, objective: Any, batch: Any) -> Array:
    del params, value_fn, objective, batch
    return jnp.ones_like(at.theta)


def _exact(at: Flat, params: Params, value_fn: Any, objective: Any, batch: Any) -> Array:
    """|diag ∇²J| of any function, by n products."""
    del objective, batch
    return derivatives.hessian_diagonal(value_fn, params).astype(at.theta.dtype)


DIAGONALS = {"none": _identity, "diagonal": _exact}


def _ravelled(values: Any) -> Array:
    return ravel_pytree(tree.widen(values))[0]
