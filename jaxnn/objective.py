"""The objective to minimise: J(params, batch), the weighted mean of a loss over a batch, plus a penalty.

    J(θ; x, y, w) = Σᵢ wᵢ ℓ(f(xᵢ; θ), yᵢ) / Σᵢ wᵢ + R(θ)

If each mini-batch were divided by its own Σ w, the mean of J over the batches would not be J of the whole set: a row of
large weight would count less in a batch with another such row. Loops therefore mark a batch's weights as `Relative`:
multiples of the mean weight of the whole training set. J of such a batch is Σ w ℓ / rows + R, whose mean over the
batches is J of the whole set, and likewise for the gradient, whatever the batch size.

`mlp` and `optimisers` are connected only here. Any plain function J(params, batch) works wherever an objective is
needed; an `Objective` keeps prediction, loss and penalty separate for methods such as Gauss-Newton.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn import checks, structure, tree
from jaxnn.types import Batch, LossFunction, Params, Scalar


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Relative:
    """A batch's weights as multiples of the mean weight of the whole training set. Rows of weight 0 count as rows."""

    values: Any  # (batch,) ≥ 0, with mean 1 over the whole training set


@dataclass(frozen=True)
class Objective:
    """The weighted mean loss of a prediction, plus a penalty on the parameters.

    Calling `objective(params, batch, key=None)` returns J, a scalar. `batch` is (inputs, targets) or
    (inputs, targets, weight) with weight (batch,) ≥ 0; a batch whose weights are all 0 has mean loss 0. The batch is
    assumed to be the whole set; for mini-batches, see `mean_weight` of `training.step`. The key is passed to `predict`
    only if it has an argument `key` (dropout).
    """

    splits_itself: ClassVar[bool] = True  # for `structure.split`

    predict: Callable[..., Any]  # predict(params, x) -> raw outputs, (batch, k) or (batch,)
    loss: LossFunction  # loss(outputs, targets) -> (batch,)
    penalty: Callable[[Params], Any] | None = None  # R(params), a scalar

    @property
    def as_pytree(self) -> tuple[Any, ...]:
        """Predict, loss and penalty as a pytree of their numbers, such as a penalty's strength or a dropout rate."""
        return structure.split((self.predict, self.loss, self.penalty))

    def __call__(self, params: Params, batch: Batch, key: Any = None) -> Array:
        """J, a scalar; raises ValueError if the batch is not of two or three arrays, or the loss has another shape."""
        value = self.mean_loss(params, batch, key)
        return value if self.penalty is None else value + self.penalty(params)

    def mean_loss(self, params: Params, batch: Batch, key: Any = None) -> Array:
        """The weighted mean loss without the penalty, which is the validation loss."""
        x, y, weight = split(batch)
        outputs = self.outputs(params, x, key)
        losses = self.loss(outputs, y)
        if losses.shape != outputs.shape[:1]:
            raise ValueError(
                f"The loss must return one number per example, shape {outputs.shape[:1]}, got shape {losses.shape}."
            )
        return weighted_mean(losses, weight)

    def outputs(self, params: Params, x: Any, key: Any = None) -> Array:
        """The raw outputs; the key is passed to a `predict` that has an argument `key`."""
        return self.predict(params, x, **_key_word(self.predict, key))


jax.tree_util.register_pytree_node(
    Objective,
    lambda objective: (objective.as_pytree, None),
    lambda _, split: Objective(*structure.restore(tuple(split))),
)


def split(batch: Any) -> tuple[Any, Any, Any]:
    """Splits a batch into (inputs, targets, weight); weight is None if the batch has none.

    Raises:
        ValueError: the batch does not consist of two or three elements.
    """
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ValueError(f"A batch must be (inputs, targets) or (inputs, targets, weight), got {_describe(batch)}.")
    x, y, *weight = batch
    return x, y, weight[0] if weight else None


def weighted_mean(values: Array, weight: Any) -> Array:
    """Σ w v / Σ w, or Σ w v / rows of `Relative` weights; the plain mean without weights, and 0 if all are 0.

    Raises:
        ValueError: the weights' shape differs from the values' shape.
    """
    values = values.astype(tree.wide_dtype(values.dtype))  # a float16 sum overflows at 65504
    if weight is None:
        return jnp.mean(values)
    relative = isinstance(weight, Relative)
    weight = jnp.asarray(weight.values if relative else weight, values.dtype)
    if weight.shape != values.shape:
        raise ValueError(f"weight must have shape {values.shape}, one per example, got {weight.shape}.")
    # Compared by NumPy, because within jit JAX would trace the comparison, even for constants.
    if not isinstance(weight, jax.core.Tracer) and (np.asarray(weight) < 0).any():
        raise ValueError(f"weight must be ≥ 0, got {np.asarray(weight).min()}.")
    if relative:
        return jnp.mean(weight * values)
    weight = _of_middle_size(weight)
    return jnp.sum(weight * values) / _or_one(jnp.sum(weight))


def with_mean_one(weight: Any) -> Any:
    """Weights (rows,) ≥ 0 divided by their mean: in float64 by NumPy if they are known, else by JAX.

    Weights that are all 0 stay 0.

    Raises:
        ValueError: a known weight is negative or not finite.
    """
    if isinstance(weight, jax.core.Tracer):
        weight = jnp.asarray(weight, tree.wide_dtype(jnp.result_type(weight, 1.0)))
        weight = _of_middle_size(weight)
        return weight / _or_one(jnp.mean(weight))
    known = np.asarray(weight).astype(np.float64)
    if not (known >= 0).all() or np.isinf(known).any():
        raise ValueError(f"weight must be ≥ 0 and finite, got {known[~(known >= 0) | np.isinf(known)][0]}.")
    known = known / (known.max(initial=0) or 1)  # so even weights of 1e308 have a finite sum
    return known / (known.mean() or 1)


def _of_middle_size(weight: Array) -> Array:
    """The weights, rescaled if they are so large that Σ w overflows or so small that w v underflows.

    Dividing by the largest would fail: XLA multiplies by its reciprocal, and flushes that of 1e38 to 0.
    """
    largest, big = jnp.max(weight, initial=0), float(jnp.finfo(weight.dtype).max) ** 0.5
    factor = jnp.where(largest > big, 1 / big, jnp.where(largest < 1 / big, big, 1.0))
    return weight * jax.lax.stop_gradient(factor).astype(weight.dtype)


def _or_one(total: Array) -> Array:
    return jnp.where(total > 0, total, 1)


def names(function: Callable[..., Any], argument: str) -> bool:
    """Whether the function has an argument of that name that can be passed by keyword."""
    parameter = inspect.signature(function).parameters.get(argument)
    return parameter is not None and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY


def needs(function: Callable[..., Any], argument: str) -> bool:
    """Whether the function has an argument of that name that can be passed by keyword and has no default."""
    if not names(function, argument):
        return False
    return inspect.signature(function).parameters[argument].default is inspect.Parameter.empty


def evaluate(objective: Callable[..., Any], params: Params, batch: Any, key: Any = None) -> Array:
    """J of an `Objective` or a plain function of any batch; the key is passed only if it has an argument `key`."""
    value = objective(params, batch, **_key_word(objective, key))
    if jnp.shape(value) != ():
        raise ValueError(
            f"The objective must be a scalar, got shape {jnp.shape(value)}: return the mean over the examples."
        )
    return value


def _key_word(function: Callable[..., Any], key: Any) -> dict[str, Any]:
    """The keyword argument `key` for a function that has one; without a key, its default applies."""
    return {} if key is None or not names(function, "key") else {"key": key}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class L2:
    """The penalty ½ λ ‖θ‖² over all parameters: gradient λ θ, Hessian λ I, which some methods use directly."""

    strength: Any  # λ, a scalar; in a stack of penalties, one for each

    def __call__(self, params: Params) -> Array:
        """R(params), a scalar."""
        squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree.widen(params))]
        return 0.5 * self.strength * jnp.sum(jnp.stack(squares or [jnp.zeros(())]))


def l2(strength: Scalar) -> L2:
    """The penalty ½ λ ‖θ‖² over all parameters, whose gradient is λ θ.

    Args:
        strength: λ ≥ 0.
    """
    checks.non_negative(strength=strength)
    return L2(strength)


def _describe(batch: Any) -> str:
    return f"{len(batch)} of them" if isinstance(batch, tuple | list) else type(batch).__name__
