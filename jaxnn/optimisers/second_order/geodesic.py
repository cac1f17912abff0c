"""Geodesic acceleration: a step of least squares bent along the outputs' second derivative in its own direction.

    s + ½ a,   (AᵀΛA + λD) a = -AᵀΛ ∂²o/∂s²,   where |a| ≤ α |s|, lengths |D^½ ·|;   else s

Reference:
    Transtrum & Sethna, Improvements to the Levenberg-Marquardt algorithm, 2012, arXiv:1201.5885.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Params

BEND = 0.75  # α: the longest acceleration, by the step that it bends


def accelerated(
    problem: Problem, s: Float[Array, " n"], damping: Float[Array, " n"], solve: Callable[[Array], Array]
) -> Float[Array, " n"]:
    """The step with its acceleration, or as it is where that is too long or not finite.

    Args:
        problem: J near the parameters, whose objective keeps prediction and loss apart.
        s: a step.
        damping: λD, which also says how lengths are measured.
        solve: b -> (AᵀΛA + λD)⁻¹ b.

    Raises:
        ValueError: predict has no second derivative along the step, because of a `jax.custom_vjp`.
    """
    params, outputs = problem.params, problem.outputs
    along = tree.cast_like(problem.updates(s), params)

    def velocity(p: Params) -> Array:
        return jax.jvp(outputs, (p,), (along,))[1]

    try:
        second = jax.jvp(velocity, (params,), (along,))[1]
    except (TypeError, NotImplementedError) as error:  # as a release of jax will have it
        if not any(name in str(error) for name in ("custom_vjp", "custom_lin")):
            raise
        raise ValueError(
            f"{problem.method} bends its steps by predict's second derivative along them, which a jax.custom_vjp "
            f"hides: give {problem.method}(geodesic=False), or define the function by jax.custom_jvp."
        ) from error
    o, pull = jax.vjp(outputs, params)
    _, curvature = problem.output_curvature(o)
    pushed = jnp.einsum("bij,bj->bi", curvature, second.reshape(curvature.shape[:2]))
    force, _ = ravel_pytree(tree.widen(pull(pushed.reshape(o.shape).astype(o.dtype))[0]))
    a = solve(-force.astype(s.dtype))
    root = jnp.sqrt(damping)
    short = jnp.linalg.norm(root * a) <= BEND * jnp.linalg.norm(root * s)
    return jnp.where(short & jnp.all(jnp.isfinite(a)), s + 0.5 * a, s)
