"""Geodesic acceleration: corrects a least-squares step with the outputs' second derivative along it.

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

LONGEST = 0.75  # α: the longest acceleration, relative to the step


def accelerated(
    problem: Problem, s: Float[Array, " n"], damping: Float[Array, " n"], solve: Callable[[Array], Array]
) -> Float[Array, " n"]:
    """The step with its acceleration, or unchanged if the acceleration is too long or not finite.

    Args:
        problem: J near the parameters, with an `Objective`.
        s: a step.
        damping: λD, which also defines the metric of lengths.
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
    except (TypeError, NotImplementedError) as error:  # which one depends on the release of jax
        if not any(name in str(error) for name in ("custom_vjp", "custom_lin")):
            raise
        raise ValueError(
            f"{problem.method} needs predict's second derivative along each step, which does not exist for a "
            f"jax.custom_vjp: use {problem.method}(geodesic=False), or define the function with jax.custom_jvp."
        ) from error
    o, pull = jax.vjp(outputs, params)
    _, curvature = problem.output_curvature(o)
    pushed = jnp.einsum("bij,bj->bi", curvature, second.reshape(curvature.shape[:2]))
    force, _ = ravel_pytree(tree.widen(pull(pushed.reshape(o.shape).astype(o.dtype))[0]))
    a = solve(-force.astype(s.dtype))
    root = jnp.sqrt(damping)
    short = jnp.linalg.norm(root * a) <= LONGEST * jnp.linalg.norm(root * s)
    return jnp.where(short & jnp.all(jnp.isfinite(a)), s + 0.5 * a, s)
