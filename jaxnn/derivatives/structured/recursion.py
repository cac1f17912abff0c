"""The block recursion: how J bends with the pre-activations of every layer, example by example.

    z_l = ã_l [W_l; b_l],   ã_{l+1} = [φ(z_l); 1],   ã_0 = [x; 1],   l = 0 … L-1,   ℓ(z_{L-1}, y) the loss

Write D_l = diag φ'(z_l), n_l the width of z_l, d_l that of ã_l, W of shape (inputs, outputs), and for one example

    δ_l = ∂ℓ/∂z_l,   R_l = ∂²ℓ/∂z_l²,   G_{m,l} = ∂z_m/∂z_l,   E_{m,l} = ∂a_m/∂z_l      (a: without the 1; m > l)

The loss gives δ and R of the last layer. Two steps of the chain rule give those of the layer before:

    δ_l = D_l W_{l+1} δ_{l+1}
    R_l = D_l W_{l+1} R_{l+1} W_{l+1}ᵀ D_l + diag(φ''(z_l) ⊙ W_{l+1} δ_{l+1})

and pulling back, X ↦ D_l W_{l+1} X, takes the transposes of R_m G_{m,l} and E_{m,l} one layer down as well:

    (R_m G_{m,l})ᵀ = D_l W_{l+1} (R_m G_{m,l+1})ᵀ   from R_m         E_{m,l}ᵀ = D_l W_{l+1} E_{m,l+1}ᵀ   from D_{m-1}

With φ'' = 0 and δ = 0 the same lines give Gauss-Newton's matrix, Σ Aᵀ ∇²ℓ A.

Examples stand on the last axis of every array. Then each of these products is one large matrix product with weights
that all examples share, and sums over examples contract rows that are contiguous in memory.

References:
    Bishop, Exact calculation of the Hessian matrix for the multilayer perceptron, 1992, Neural Computation 4.
    Botev, Ritter & Barber, Practical Gauss-Newton optimisation for deep learning, 2017, arXiv:1706.03662.
    Dangel, Harmeling & Hennig, Modular block-diagonal curvature approximations, 2020, arXiv:1902.01813.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import mlp
from jaxnn.derivatives.jacobians import output_curvature
from jaxnn.objective import Objective
from jaxnn.types import Activation


class Forward(NamedTuple):
    """What the forward pass leaves for the recursion."""

    outputs: Float[Array, "examples n_out"]  # z_{L-1}
    inputs: tuple[Float[Array, "d_l examples"], ...]  # ã_l of every layer; without the 1 where a layer has no bias
    slopes: tuple[Float[Array, "n_l examples"], ...]  # φ'(z_l) of every hidden layer
    bends: tuple[Float[Array, "n_l examples"], ...]  # φ''(z_l)


class Curvature(NamedTuple):
    """How the sum of the losses depends on the pre-activations of one layer."""

    gradient: Float[Array, "n_l examples"]  # δ_l
    matrix: Float[Array, "n_l n_l examples"]  # R_l


def forward(params: mlp.Params, x: Float[Array, "examples n_in"], activations: Sequence[Activation]) -> Forward:
    """The forward pass, with the first two derivatives of every activation."""
    outputs, kept = mlp.forward(params, x, activation=activations)
    slopes, bends = [], []
    for sigma, z in zip(activations, kept.pre_activations, strict=True):
        slope = derivative(sigma)
        slopes.append(slope(z).T)
        bends.append(derivative(slope)(z).T)
    inputs = [_with_one(layer, a.T) for layer, a in zip(params, (kept.inputs, *kept.hidden), strict=True)]
    return Forward(outputs, tuple(inputs), tuple(slopes), tuple(bends))


def derivative(function: Activation) -> Activation:
    """That of an elementwise function: the tangent that ones are mapped to."""
    return lambda z: jax.jvp(function, (z,), (jnp.ones_like(z),))[1]


def at_outputs(
    objective: Objective, outputs: Float[Array, "examples *k"], targets: Any, share: Float[Array, " examples"]
) -> Curvature:
    """δ and R of the last layer, each example multiplied by its share in the mean: the rest is linear in them."""
    gradient, matrix = output_curvature(objective, outputs, targets)  # of the mean over these rows alone
    factor = len(outputs) * share
    return Curvature(factor * gradient.T, factor * matrix.transpose(1, 2, 0))


def pulled_back(
    weights: Float[Array, "n_l n_next"], slope: Float[Array, "n_l examples"], x: Float[Array, "n_next r examples"]
) -> Float[Array, "n_l r examples"]:
    """D_l W_{l+1} X."""
    return slope[:, None] * jnp.tensordot(weights, x, 1)


def below(
    above: Curvature,
    weights: Float[Array, "n_l n_next"],
    slope: Float[Array, "n_l examples"],
    bend: Float[Array, "n_l examples"],
) -> Curvature:
    """δ_l and R_l from those of layer l + 1, whose weights are given."""
    arriving = weights @ above.gradient  # W_{l+1} δ_{l+1}
    half = pulled_back(weights, slope, above.matrix)  # D_l W_{l+1} R_{l+1}
    whole = pulled_back(weights, slope, half.swapaxes(0, 1))
    return Curvature(slope * arriving, whole + diagonal(bend * arriving))


def diagonal_below(
    above: Curvature,
    weights: Float[Array, "n_l n_next"],
    slope: Float[Array, "n_l examples"],
    bend: Float[Array, "n_l examples"],
) -> Float[Array, "n_l examples"]:
    """The diagonal of R_l alone, without the rest of it."""
    half = jnp.tensordot(weights, above.matrix, 1)  # W_{l+1} R_{l+1}
    return slope**2 * jnp.sum(weights[:, :, None] * half, axis=1) + bend * (weights @ above.gradient)


def curvatures(params: mlp.Params, passed: Forward, last: Curvature, *, lowest: int = 0) -> list[Curvature]:
    """δ_l and R_l of the layers from `lowest` to the last, in the order of the layers."""
    found = [last]
    for l in reversed(range(lowest, len(params) - 1)):
        found.append(below(found[-1], params[l + 1].w, passed.slopes[l], passed.bends[l]))
    return found[::-1]


def diagonal(x: Float[Array, "n examples"]) -> Float[Array, "n n examples"]:
    """For each example the matrix with its x on the diagonal."""
    return jnp.eye(len(x), dtype=x.dtype)[:, :, None] * x


def _with_one(layer: mlp.Layer, a: Float[Array, "n examples"]) -> Float[Array, "d examples"]:
    """ã: a row of ones for the bias, below the rows of the activations."""
    return a if layer.b is None else jnp.concatenate([a, jnp.ones_like(a[:1])])
