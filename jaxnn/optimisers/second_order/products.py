"""Curvature as a linear map on vectors in ravel order, and diagonals for its preconditioning.

Everything that does not depend on the vector is computed once per iteration, by `jax.linearize`.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from jaxnn import checks, derivatives, tree
from jaxnn.derivatives.jacobians import needs_split
from jaxnn.derivatives.products import gauss_newton_operator
from jaxnn.optimisers.second_order.problem import Problem

Product: TypeAlias = Callable[[Array], Array]  # v (n,) -> B v (n,)


def hessian(problem: Problem) -> Product:
    """Products with the Hessian of J."""
    _, push = jax.linearize(jax.grad(problem.value_fn), problem.params)
    return lambda v: _ravelled(push(problem.updates(v)))


def gauss_newton(problem: Problem) -> Product:
    """Products with the Gauss-Newton matrix of an `Objective`.

    Raises:
        ValueError: the objective is not an `Objective`.
    """
    objective = needs_split(problem.objective, f'{problem.method}(curvature="gauss_newton")')
    multiplied = gauss_newton_operator(objective, problem.params, problem.batch, problem.key)
    return lambda v: _ravelled(multiplied(problem.updates(v)))


CURVATURES = {"hessian": hessian, "gauss_newton": gauss_newton}


def diagonal(given: Any) -> Callable[[Problem], Array]:
    """The function problem -> (n,) for the argument `preconditioner` of `newton_cg`.

    Raises:
        ValueError: the name is unknown; when called, the diagonal's shape is not (n,).
    """
    if not callable(given):
        return checks.one_of("none" if given is None else given, DIAGONALS, "preconditioner")

    def users(problem: Problem) -> Array:
        theta = problem.theta
        values = jnp.asarray(given(problem.objective, problem.params, problem.batch), theta.dtype)
        if values.shape != theta.shape:
            raise ValueError(f"preconditioner must return a diagonal of shape {theta.shape}, got {values.shape}.")
        return values

    return users


def _exact(problem: Problem) -> Array:
    """Diag ∇²J of any function, by n Hessian-vector products."""
    return derivatives.hessian_diagonal(problem.value_fn, problem.params).astype(problem.theta.dtype)


DIAGONALS = {"none": lambda problem: jnp.ones_like(problem.theta), "diagonal": _exact}


def _ravelled(values: Any) -> Array:
    return ravel_pytree(tree.widen(values))[0]
