"""Backpropagation by hand: the chain rule in reverse order, from stored intermediates.

With the forward pass zₖ = hₖ₋₁ Wₖ + bₖ, hₖ = σ(zₖ), o = h_{L-1} W_L + b_L, and ḡ for ∂J/∂g:

    ō  given                                the gradient of the loss with respect to the outputs
    W̄ₖ = hₖ₋₁ᵀ z̄ₖ,   b̄ₖ = Σ_batch z̄ₖ        (z̄_L = ō)
    h̄ₖ₋₁ = z̄ₖ Wₖᵀ
    z̄ₖ₋₁ = h̄ₖ₋₁ ⊙ σ'(zₖ₋₁)                  σ elementwise

Nothing here calls `jax.grad`; tests check that both agree up to rounding.

Reference:
    Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, 1986.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array

from jaxnn import activations, mlp
from jaxnn.types import Activation, Params


class Adjoints(NamedTuple):
    """The results of the backward pass: the gradient of J with respect to every intermediate of the forward pass."""

    outputs: Array  # ō, (batch, n_out)
    pre_activations: tuple[Array, ...]  # z̄₁ … z̄_{L-1}, one per hidden layer
    hidden: tuple[Array, ...]  # h̄₁ … h̄_{L-1}


def backward(
    params: Params,
    intermediates: mlp.Intermediates,
    grad_outputs: Array,
    *,
    activation: Activation | Sequence[Activation] = jax.nn.relu,
) -> Params:
    """The gradient of J with respect to every parameter.

    Args:
        params: a tuple of layers, as from `mlp.init`.
        intermediates: what `mlp.forward` kept, for a batch of rows (batch, n_in).
        grad_outputs: ∂J/∂o, (batch, n_out).
        activation: as it was given to `mlp.forward`; elementwise functions.

    Returns:
        The gradients, like the parameters.

    Raises:
        ValueError: `grad_outputs` of another shape than the outputs; an activation that is not elementwise (softmax);
            a sequence of another length than there are hidden layers.
        TypeError: an activation is not a function.
    """
    return reverse(params, intermediates, grad_outputs, activation=activation)[0]


def reverse(
    params: Params,
    intermediates: mlp.Intermediates,
    grad_outputs: Array,
    *,
    activation: Activation | Sequence[Activation] = jax.nn.relu,
) -> tuple[Params, Adjoints]:
    """The backward pass step by step, keeping every intermediate, as `mlp.forward` does.

    Returns:
        The gradients, like the parameters, and the `Adjoints`.

    Raises:
        ValueError: as for `backward`.
    """
    inputs = (intermediates.inputs, *intermediates.hidden)  # of each layer
    expected = (*inputs[-1].shape[:-1], params[-1].w.shape[1])
    if grad_outputs.shape != expected or grad_outputs.ndim != 2:
        raise ValueError(f"grad_outputs must have shape (batch, n_out) = {expected}, got {grad_outputs.shape}.")
    sigmas = mlp.per_layer(activation, len(params) - 1)
    if jax.nn.softmax in sigmas:
        raise ValueError(
            "softmax mixes its inputs, so h̄ ⊙ σ' does not apply. Use jax.grad, or an elementwise activation."
        )
    slopes = [activations.derivative(sigma) for sigma in sigmas]

    grads, h_bars, z_bars = [], [], []
    z_bar = grad_outputs
    for k in reversed(range(len(params))):
        layer, h = params[k], inputs[k]
        grads.append(layer._replace(w=h.T @ z_bar, b=None if layer.b is None else z_bar.sum(axis=0)))
        if k:
            h_bar = z_bar @ layer.w.T
            z_bar = h_bar * slopes[k - 1](intermediates.pre_activations[k - 1])
            h_bars.append(h_bar)
            z_bars.append(z_bar)
    return tuple(reversed(grads)), Adjoints(grad_outputs, tuple(reversed(z_bars)), tuple(reversed(h_bars)))
