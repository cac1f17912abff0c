"""Curvature times a vector, without the matrix: the price of a few gradients, in the memory of a few gradients.

    H v = d/dt ∇f(θ + t v) at t = 0              forward over reverse: one `jax.jvp` of the gradient
    G v = Jᵀ Λ (J v) + ∇²R v                     J = ∂o/∂θ, Λ = ∂²(mean loss)/∂o²: Gauss-Newton's part of the Hessian

References:
    Pearlmutter, Fast exact multiplication by the Hessian, 1994.
    Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, 2002.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn.types import Params


def hvp(f: Callable[[Params], Any], params: Params, v: Params) -> Params:
    """The Hessian of f at the parameters, times v.

    Args:
        f: a scalar function of a pytree.
        params: where.
        v: like params.

    Returns:
        H v, like params.
    """
    return jax.jvp(jax.grad(f), (params,), (v,))[1]
