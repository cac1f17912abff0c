"""Curvature times a vector, without the matrix: the price of a few gradients, in the memory of a few gradients.

    H v = d/dt ∇f(θ + t v) at t = 0              forward over reverse: one `jax.jvp` of the gradient
    G v = Jᵀ Λ (A v) + ∇²R v                     A = ∂o/∂θ, Λ = ∂²(mean loss)/∂o²: Gauss-Newton's part of the Hessian

References:
    Pearlmutter, Fast exact multiplication by the Hessian, 1994.
    Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, 2002.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn import tree
from jaxnn.derivatives.jacobians import needs_split
from jaxnn.objective import Objective, split, weighted_mean
from jaxnn.types import Batch, Params


def hvp(f: Callable[[Params], Any], params: Params, v: Params) -> Params:
    """The Hessian of f at the parameters, times v.

    Args:
        f: a scalar function of a pytree.
        params: where the Hessian is taken.
        v: like params.

    Returns:
        H v, like params.
    """
    return jax.jvp(jax.grad(f), (params,), (v,))[1]


def gauss_newton_vp(objective: Any, params: Params, batch: Batch, v: Params, key: Any = None) -> Params:
    """Gauss-Newton's matrix Aᵀ Λ A + ∇²R at the parameters, times v.

    Rows may depend on each other, and the loss need not be one of ours.

    Args:
        objective: an `Objective`.
        params: where the Hessian is taken.
        batch: (inputs, targets) or (inputs, targets, weight).
        v: like params.
        key: for a `predict` that names it.

    Returns:
        G v, like params.

    Raises:
        ValueError: a plain function for an objective.
    """
    return gauss_newton_operator(needs_split(objective, "gauss_newton_vp"), params, batch, key)(v)


def gauss_newton_operator(
    objective: Objective, params: Params, batch: Batch, key: Any = None
) -> Callable[[Params], Params]:
    """The function v -> G v, for many vectors: it is linearised once. Arguments as for `gauss_newton_vp`."""
    x, y, weight = split(batch)
    outputs, push = jax.linearize(lambda p: objective.outputs(p, x, key), params)  # v -> A v
    pull = jax.linear_transpose(push, params)  # u -> Aᵀ u
    _, bend = jax.linearize(jax.grad(lambda o: weighted_mean(objective.loss(o, y), weight)), outputs)  # u -> Λ u
    if objective.penalty is None:
        return lambda v: pull(bend(push(v)))[0]
    _, stiffen = jax.linearize(jax.grad(objective.penalty), params)  # v -> ∇²R v
    return lambda v: tree.add(pull(bend(push(v)))[0], stiffen(v))
