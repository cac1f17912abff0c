"""The multi-layer perceptron: pure functions over a tuple of layers.

    h₀ = x
    zₖ = hₖ₋₁ Wₖ + bₖ,  hₖ = σ(zₖ)     k = 1, …, L - 1
    o  = h_{L-1} W_L + b_L              no last activation: losses take raw outputs

A model is its parameters, a tuple of `Layer(w, b)`, and nothing else. Rows are examples: x is (..., n_in), the outputs
(..., n_out). Everything is computed in the dtype of the parameters.

Dropout is inverted: in training each unit is kept with probability 1 - p and scaled by 1 / (1 - p), so prediction needs
no scaling. Dropout is off unless a key is given.

References:
    Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 6.
    Srivastava et al., Dropout, 2014, JMLR 15.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import jax
import jax.numpy as jnp
from jax.nn.initializers import he_normal, zeros
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxnn import checks, once
from jaxnn.draws import Known
from jaxnn.structure import hyperparameters, is_zero
from jaxnn.types import Activation, Scalar


class Layer(NamedTuple):
    """An affine map of rows, h W + b."""

    w: Float[Array, "n_in n_out"]
    b: Float[Array, " n_out"] | None  # None for a layer without biases


Params: TypeAlias = tuple[Layer, ...]


class Intermediates(NamedTuple):
    """The intermediate results of the forward pass, kept for the backward pass."""

    inputs: Array  # h₀, (..., n_in)
    pre_activations: tuple[Array, ...]  # z₁ … z_{L-1}, one per hidden layer
    hidden: tuple[Array, ...]  # h₁ … h_{L-1}: the representations that the network has learnt


def init(
    key: Any,
    sizes: Sequence[SupportsIndex],
    *,
    w_init: Callable[..., Any] = he_normal,
    b_init: Callable[..., Any] | None = zeros,
    dtype: Any = None,
) -> Params:
    """Draws the parameters of an MLP.

    With initialisers of `jax.nn`, one program draws all parameters; it is compiled in a fraction of a second for each
    new `sizes`. With others, which JAX may be unable to trace, each array is drawn separately. The results for a key
    are the same either way.

    Args:
        key: a PRNG key, split once per layer.
        sizes: (n_in, hidden, …, n_out), whole numbers ≥ 1; (4, 1) is a linear model.
        w_init: initialiser of the weights, `(key, shape, dtype) -> array`, or a factory of one, such as `jax.nn`'s
            `he_normal`, the default, which suits ReLU.
        b_init: initialiser of the biases, of the same form; None makes a network without biases.
        dtype: floating-point dtype of every parameter; JAX's default float if None.

    Returns:
        One `Layer` for each pair of consecutive sizes.

    Raises:
        ValueError: there are fewer than two sizes, a size is below 1, or an initialiser returns another shape.
        TypeError: a size is not a whole number, or the dtype is not a floating-point dtype.
    """
    if not hasattr(key, "dtype"):
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), got {key!r}.")
    if not hasattr(sizes, "__len__") or len(sizes) < 2:
        raise ValueError(
            f"sizes must have at least the numbers of inputs and outputs, such as (4, 10, 1), got {sizes!r}."
        )
    for index, size in enumerate(sizes):
        checks.whole(1, **{f"sizes[{index}]": size})
    widths = [int(size) for size in sizes]
    dtype = jnp.result_type(float) if dtype is None else jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype must be a floating-point dtype, got {dtype}.")
    known = Known.of(w_init), Known.of(b_init)
    if None in known or isinstance(key, jax.core.Tracer) or once.within_a_program():
        return _layers(key, tuple(widths), w_init, b_init, dtype)
    return _layers_at_once(once.options() is not None)(key, tuple(widths), *known, dtype)


def _layers(key: Any, widths: tuple[int, ...], w_init: Any, b_init: Any, dtype: Any) -> Params:
    return tuple(
        Layer(
            w=_draw(w_init, w_key, (n_in, n_out), dtype),
            b=None if b_init is None else _draw(b_init, b_key, (n_out,), dtype),
        )
        for (w_key, b_key), (n_in, n_out) in zip(
            jax.random.split(key, (len(widths) - 1, 2)), pairwise(widths), strict=True
        )
    )


@cache
def _layers_at_once(quickly: bool) -> Callable[..., Params]:
    """`_layers` as one compiled program, for known initialisers."""

    @partial(jax.jit, static_argnums=(1, 2, 3, 4), compiler_options=once.options() if quickly else None)
    def layers(key: Any, widths: tuple[int, ...], w_init: Known, b_init: Known, dtype: Any) -> Params:
        return _layers(key, widths, w_init.initialiser, b_init.initialiser, dtype)

    return layers


@hyperparameters("dropout")
def apply(
    params: Params,
    x: ArrayLike,
    *,
    activation: Activation | Sequence[Activation] = jax.nn.relu,
    dropout: Scalar | Sequence[Scalar] = 0.0,
    key: Any = None,
) -> Array:
    """Evaluates the MLP on one example or on any batch of examples.

    Args:
        params: a tuple of layers.
        x: (..., n_in), cast to the dtype of the parameters.
        activation: one function for all hidden layers, or a sequence with one per hidden layer.
        dropout: fraction of units to drop, in [0, 1): one number for all hidden layers (inputs are not dropped), or a
            sequence with one number for the inputs and one per hidden layer. In `partial(apply, dropout=0.2)` the rate
            is data: another rate compiles nothing.
        key: a PRNG key. Without one nothing is dropped, as prediction needs it.

    Returns:
        Raw outputs, (..., n_out).

    Raises:
        ValueError: x has another width, layers do not fit together (the message names the layer), a rate is out of
            range, or a sequence does not match the number of layers.
    """
    x = _checked(params, x)
    activations = per_layer(activation, len(params) - 1)
    rates = _rates(dropout, len(params) - 1)
    if key is not None and not all(is_zero(rate) for rate in rates):
        keys = jax.random.split(key, len(params))
        *hidden, last = params
        h = _drop(keys[0], rates[0], x)
        for layer, sigma, rate, layer_key in zip(hidden, activations, rates[1:], keys[1:], strict=True):
            h = _drop(layer_key, rate, sigma(affine(layer, h)))
        return affine(last, h)
    return forward(params, x, activation=activations)[0]


def forward(
    params: Params, x: ArrayLike, *, activation: Activation | Sequence[Activation] = jax.nn.relu
) -> tuple[Array, Intermediates]:
    """The forward pass step by step, keeping every intermediate; without dropout.

    Returns:
        The raw outputs (..., n_out), and the `Intermediates`; `intermediates.hidden[-1]` is the representation on
        which the last layer is a linear predictor.

    Raises:
        ValueError: as for `apply`.
    """
    x = _checked(params, x)
    *hidden, last = params
    h, pre_activations, activated = x, [], []
    for layer, sigma in zip(hidden, per_layer(activation, len(hidden)), strict=True):
        z = affine(layer, h)
        h = sigma(z)
        pre_activations.append(z)
        activated.append(h)
    return affine(last, h), Intermediates(x, tuple(pre_activations), tuple(activated))


def affine(layer: Layer, h: Array) -> Array:
    """The map h W + b of rows, or h W for a layer without bias: (..., n_in) -> (..., n_out)."""
    return h @ layer.w if layer.b is None else h @ layer.w + layer.b


def sizes(params: Params) -> tuple[int, ...]:
    """The sizes (n_in, hidden, …, n_out) of these parameters."""
    return (params[0].w.shape[0], *(layer.w.shape[1] for layer in params))


def _drop(key: Array, rate: Scalar, h: Array) -> Array:
    kept = jax.random.bernoulli(key, 1 - rate, h.shape)
    return jnp.where(kept, h / (1 - rate), 0)


def _draw(initialiser: Callable[..., Any], key: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    drawn = initialiser(key, shape, dtype)
    if callable(drawn):  # a factory such as `jax.nn.initializers.he_normal`, given uncalled
        drawn = initialiser()(key, shape, dtype)
    if drawn.shape != shape:
        raise ValueError(
            f"The initialiser {initialiser} must return an array of shape {shape}, but it returned {drawn.shape}."
        )
    return drawn


def per_layer(activation: Any, hidden: int) -> tuple[Activation, ...]:
    """One activation for each hidden layer.

    Raises:
        TypeError: one of them is not a function.
        ValueError: their number is not that of the hidden layers.
    """
    one = callable(activation) or isinstance(activation, str)
    activations = (activation,) * hidden if one else tuple(activation)
    for sigma in activations:
        if not callable(sigma):
            raise TypeError(
                f"activation must be a function, got {sigma!r}: use jaxnn.activations.get to look one up by name."
            )
    if len(activations) != hidden:
        raise ValueError(
            f"activation must be one function, or one per hidden layer: the network has {hidden} hidden layers, "
            f"got {len(activations)} activations."
        )
    return activations


def _rates(dropout: Scalar | Sequence[Scalar], hidden: int) -> tuple[Scalar, ...]:
    rates = tuple(dropout) if isinstance(dropout, Sequence) else (0.0, *(dropout,) * hidden)
    if len(rates) != hidden + 1:
        raise ValueError(
            f"dropout must be one rate, or one for the inputs and one per hidden layer: the network has {hidden}"
            f" hidden layers, got {len(rates)} rates."
        )
    for rate in rates:
        checks.decay(dropout=rate)
    return rates


def _checked(params: Params, x: ArrayLike) -> Array:
    """The inputs in the parameters' dtype, after all shapes have been checked, which costs nothing under jit."""
    if not params:
        raise ValueError("The network has no layers: params must be a tuple of at least one Layer.")
    for k, layer in enumerate(params):
        if layer.w.ndim != 2 or (layer.b is not None and layer.b.shape != layer.w.shape[1:]):
            bias = "None" if layer.b is None else layer.b.shape
            raise ValueError(
                f"Layer {k} needs w of shape (n_in, n_out) and b of shape (n_out,), got {layer.w.shape} and {bias}."
            )
        if k and layer.w.shape[0] != params[k - 1].w.shape[1]:
            raise ValueError(
                f"Layer {k} takes {layer.w.shape[0]} inputs, but layer {k - 1} has {params[k - 1].w.shape[1]} outputs: "
                f"shapes {params[k - 1].w.shape} and {layer.w.shape}."
            )
    if jnp.shape(x)[-1:] != params[0].w.shape[:1]:
        raise ValueError(f"x must have shape (..., {params[0].w.shape[0]}) for layer 0, got {jnp.shape(x)}.")
    return jnp.asarray(x, params[0].w.dtype)
