"""Geodesic acceleration: a step of least squares bent along the outputs' second derivative in its own direction.

    s + ½ a,   (JᵀΛJ + λD) a = -JᵀΛ ∂²o/∂s²,   where |a| ≤ α |s|, lengths |D^½ ·|;   else s

Reference:
    Transtrum & Sethna, Improvements to the Levenberg-Marquardt algorithm, 2012, arXiv:1201.5885.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.derivatives.jacobians import output_curvature
from jaxnn.objective import Objective, split
from jaxnn.types import Batch, Params

BEND = 0.75  # α: the longest acceleration, by the step that it bends


def bent(
    s: Float[Array, " n"],
    damping: Float[Array, " n"],
    solve: Callable[[Array], Array],
    objective: Objective,
    params: Params,
    batch: Batch,
    key: Any,
) -> Float[Array, " n"]:
    """The step with its acceleration, or as it is where that is too long or not finite.

    Args:
        s: a step.
        damping: λD, which also says how lengths are measured.
        solve: b -> (JᵀΛJ + λD)⁻¹ b.
        objective: J's parts.
        params: where the step begins.
        batch: of this step.
        key: of this step, for a `predict` that names it.

    Raises:
        ValueError: predict has no second derivative along the step, because of a `jax.custom_vjp`.
    """
    x, y, weight = split(batch)
    _, unravel = ravel_pytree(tree.widen(params))
    along = tree.cast_like(unravel(s), params)

    def outputs(p: Params) -> Array:
        return objective.outputs(p, x, key)

    def velocity(p: Params) -> Array:
        return jax.jvp(outputs, (p,), (along,))[1]

    try:
        second = jax.jvp(velocity, (params,), (along,))[1]
    except (TypeError, NotImplementedError) as error:  # as a release of jax will have it
        if not any(name in str(error) for name in ("custom_vjp", "custom_lin")):
            raise
        raise ValueError(
            "levenberg_marquardt bends its steps by predict's second derivative along them, which a jax.custom_vjp "
            "hides: give levenberg_marquardt(geodesic=False), or define the function by jax.custom_jvp."
        ) from error
    o, pull = jax.vjp(outputs, params)
    _, curvature = output_curvature(objective, o, y, weight)
    pushed = jnp.einsum("bij,bj->bi", curvature, second.reshape(curvature.shape[:2]))
    force, _ = ravel_pytree(tree.widen(pull(pushed.reshape(o.shape).astype(o.dtype))[0]))
    a = solve(-force.astype(s.dtype))
    root = jnp.sqrt(damping)
    short = jnp.linalg.norm(root * a) <= BEND * jnp.linalg.norm(root * s)
    return jnp.where(short & jnp.all(jnp.isfinite(a)), s + 0.5 * a, s)
