"""Units at a kink: where the Hessian of a network with ReLU is that of one piece of J."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, mlp
from jaxnn.derivatives.structured import network
from jaxnn.derivatives.structured.recursion import derivative
from jaxnn.types import Activation, Params

_JUMP = 0.01  # of φ' or φ'': a smooth activation changes by less within the largest tolerance
_LARGEST = 1e-3


def kinked_units(
    params: Params,
    x: Float[Array, "batch n_in"] | Any,
    *,
    activation: Activation | Sequence[Activation],
    tolerance: float | None = None,
) -> Int[Array, " hidden_layers"]:
    """Counts the hidden units that lie at a kink of their activation, over all examples.

    A unit is at a kink where φ' or φ'' at z - tolerance and at z + tolerance differ by more than a hundredth,
    wherever the kink is: ReLU's φ' jumps at 0, ELU's φ''. Where there is none, the Hessian is J's own, and agrees with
    differences of gradients whose steps move no z by more than the tolerance. At a kink it may not.

    Args:
        params: a tuple of `Layer`.
        x: (batch, n_in).
        activation: as for `mlp_hessian`.
        tolerance: in the units of z, in (0, 0.001]; by default √ε of the parameters' dtype, 1.5e-8 in float64.

    Returns:
        For each hidden layer, how many of its batch · n_l pre-activations are at a kink.

    Raises:
        ValueError: a tolerance out of range; params, x or activations that do not fit.
    """
    params = network.layers(params)
    kind = params[0].w.dtype
    tolerance = float(jnp.finfo(kind).eps) ** 0.5 if tolerance is None else tolerance
    checks.positive(tolerance=tolerance)
    if tolerance > _LARGEST:
        raise ValueError(
            f"tolerance must be at most {_LARGEST}, got {tolerance}: beyond"
            " it, smooth activations would count as kinked."
        )
    activations = network.per_layer(activation, params)
    return _counts(activations, params, x, tolerance)


@partial(jax.jit, static_argnums=0)
def _counts(activations: tuple[Activation, ...], params: mlp.Params, x: Any, tolerance: Any) -> Array:
    _, kept = mlp.forward(params, x, activation=activations)
    counts = []
    for sigma, z in zip(activations, kept.pre_activations, strict=True):
        slope = derivative(sigma)
        jumps = (f(z + tolerance) - f(z - tolerance) for f in (slope, derivative(slope)))
        counts.append(sum(jnp.abs(jump) > _JUMP for jump in jumps) > 0)
    return jnp.array([jnp.sum(at_kink) for at_kink in counts], jnp.int32)
