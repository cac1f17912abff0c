"""Losses: raw outputs and targets -> one number per example, shape (batch,).

Written per example with outputs o₁ … oₖ and targets y₁ … yₖ:

    squared_error            Σⱼ (yⱼ - oⱼ)²
    absolute_error           Σⱼ |yⱼ - oⱼ|
    huber                    Σⱼ ½ r² for |r| ≤ δ, δ (|r| - ½ δ) beyond, r = yⱼ - oⱼ
    softmax_cross_entropy    -log softmax(o)_y      integer target y; for one-hot or soft targets -Σⱼ yⱼ log softmax(o)ⱼ
    sigmoid_cross_entropy    -Σⱼ yⱼ log σ(oⱼ) + (1 - yⱼ) log σ(-oⱼ)
    poisson                  Σⱼ eᵒʲ - yⱼ oⱼ         -log likelihood of counts of rate eᵒ, less the constant log y!

Outputs are raw: the last layer is linear. The function that turns outputs into probabilities or rates is part of the
loss, where it can be computed without overflow. The mean over a batch, and weights, belong to `Objective`.

Outputs come first. Shapes must agree exactly: (n, 1) against (n,) would silently broadcast to (n, n), so it is refused.
"""

from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxnn import checks
from jaxnn.structure import hyperparameters
from jaxnn.types import LossFunction, Scalar

PerExample = Float[Array, " batch"]


def squared_error(outputs: ArrayLike, targets: Any) -> PerExample:
    """Σ (y - o)² over the outputs.

    Args:
        outputs: (batch, k), or (batch,) when the targets have that shape.
        targets: like the outputs.

    Raises:
        ValueError: the shapes differ.
    """
    outputs, targets = _alike(outputs, targets)
    return _sum((targets - outputs) ** 2)


def absolute_error(outputs: ArrayLike, targets: Any) -> PerExample:
    """Σ |y - o| over the outputs; shapes as for `squared_error`."""
    outputs, targets = _alike(outputs, targets)
    return _sum(jnp.abs(targets - outputs))


@hyperparameters("delta")
def huber(outputs: ArrayLike, targets: Any, *, delta: Scalar = 1.0) -> PerExample:
    """Squared for small residuals, absolute beyond `delta` > 0; shapes as for `squared_error`.

    Huber, Robust estimation of a location parameter, 1964.
    """
    checks.positive(delta=delta)
    outputs, targets = _alike(outputs, targets)
    size = jnp.abs(targets - outputs)
    inner = jnp.minimum(size, delta)
    return _sum(0.5 * inner**2 + delta * (size - inner))


def softmax_cross_entropy(outputs: ArrayLike, targets: Any) -> PerExample:
    """-log of the probability that softmax(outputs) gives to the target.

    Args:
        outputs: (batch, k) raw outputs (logits).
        targets: (batch,) integers in [0, k), or (batch, k) probabilities (one-hot or soft).

    Raises:
        ValueError: shapes do not fit; a label is outside [0, k), if labels are known (not traced).
        TypeError: (batch,) targets that are not integers.
    """
    labels, outputs, targets = targets, jnp.asarray(outputs), jnp.asarray(targets)
    if outputs.ndim != 2:
        raise ValueError(f"softmax_cross_entropy needs outputs of shape (batch, classes), got {outputs.shape}.")
    if targets.shape == outputs.shape:
        targets = targets.astype(outputs.dtype)
        return -_sum(jnp.where(targets == 0, 0, targets * jax.nn.log_softmax(outputs)))  # 0 log 0 is 0
    if targets.shape != outputs.shape[:1]:
        raise ValueError(
            f"softmax_cross_entropy needs targets of shape {outputs.shape[:1]} (integers) or {outputs.shape} "
            f"(probabilities), got {targets.shape}."
        )
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise TypeError(
            f"softmax_cross_entropy needs integer class labels, got {targets.dtype}; convert with targets.astype(int)."
        )
    classes = outputs.shape[1]
    _labels_in_range(labels, classes)  # as they were given: in int32 the label 2³² would be 0
    # A comparison, not a gather: its derivative is a multiplication, where a gather's would be a slow scatter.
    chosen = targets[:, None] == jnp.arange(classes)
    log_probability = _sum(jnp.where(chosen, jax.nn.log_softmax(outputs), 0))
    return jnp.where(chosen.any(axis=1), -log_probability, jnp.nan)  # a label out of range, where it can't be raised


def sigmoid_cross_entropy(outputs: ArrayLike, targets: Any) -> PerExample:
    """Σ -log of the probability that sigmoid(output) gives to each yes-or-no target.

    Args:
        outputs: (batch, k) or (batch,) raw outputs (logits).
        targets: like the outputs; booleans, 0 and 1, or probabilities between.

    Raises:
        ValueError: the shapes differ; a target is outside [0, 1], if targets are known (not traced).
    """
    given = targets
    outputs, targets = _alike(outputs, given)
    _in_range(given, targets.dtype, 0.0, 1.0, "sigmoid_cross_entropy needs targets in [0, 1]")
    # softplus(o) - y o is as long, but cancels to 0 for a confident and right output: log σ(20) is -2e-9, not 0.
    losses = targets * jax.nn.softplus(-outputs) + (1 - targets) * jax.nn.softplus(outputs)
    return _sum(jnp.where((targets >= 0) & (targets <= 1), losses, jnp.nan))  # where it can't be raised


def poisson(outputs: ArrayLike, targets: Any) -> PerExample:
    """Σ eᵒ - y o: counts y ≥ 0 of rate eᵒ, so the network predicts the logarithm of a rate.

    Raises:
        ValueError: the shapes differ; a target is negative, if targets are known (not traced).
    """
    given = targets
    outputs, targets = _alike(outputs, given)
    _in_range(given, targets.dtype, 0.0, np.inf, "poisson needs counts ≥ 0 as targets")
    return _sum(jnp.exp(outputs) - targets * outputs)


TABLE: MappingProxyType[str, LossFunction] = MappingProxyType(
    {
        "squared_error": squared_error,
        "absolute_error": absolute_error,
        "huber": huber,
        "softmax_cross_entropy": softmax_cross_entropy,
        "sigmoid_cross_entropy": sigmoid_cross_entropy,
        "poisson": poisson,
    }
)


def get(loss: str | LossFunction) -> LossFunction:
    """The loss of that name; a function is returned as it is.

    Raises:
        ValueError: unknown name; the message suggests the nearest known one.
    """
    return checks.function_or_name(loss, TABLE, "loss")


def _sum(per_output: Array) -> Array:
    return per_output if per_output.ndim == 1 else per_output.sum(axis=1)


def _alike(outputs: Any, targets: Any) -> tuple[Array, Array]:
    outputs, targets = jnp.asarray(outputs), jnp.asarray(targets)
    if outputs.shape != targets.shape or outputs.ndim not in (1, 2):
        hint = ""
        if outputs.ndim == 2 and outputs.shape[1] == 1 and targets.shape == outputs.shape[:1]:
            hint = " One of the two needs a reshape: targets[:, None], or outputs[:, 0] in `predict`."
        raise ValueError(
            f"outputs and targets must have the same shape, (batch,) or (batch, k), "
            f"got {outputs.shape} and {targets.shape}.{hint}"
        )
    # The dtype of the outputs, or a float dtype if they are integers: a target of 0.5 must not be cut to 0.
    return outputs, targets.astype(jnp.result_type(outputs, float))


def _known(values: Any) -> np.ndarray | None:
    """The values where they are known; None while they are being traced."""
    return None if isinstance(values, jax.core.Tracer) else np.asarray(values)


def _labels_in_range(labels: Any, classes: int) -> None:
    known = _known(labels)
    if known is not None and known.size and not (known.min() >= 0 and known.max() < classes):
        row = int(np.argmax((known < 0) | (known >= classes)))
        raise ValueError(
            f"The label {known[row]} in row {row} is outside [0, {classes}): the network has {classes} outputs."
        )


def _in_range(given: Any, dtype: Any, low: float, high: float, rule: str) -> None:
    """Checks targets as they were given: once cast by jax, their values are unknown if the outputs are traced."""
    known = _known(given)
    if known is not None and known.size:
        known = known.astype(dtype)
        outside = (known < low) | (known > high)
        if outside.any():
            index = tuple(int(i) for i in np.argwhere(outside)[0])
            raise ValueError(f"{rule}, got {known[index]!s} in row {index[0]}.")
