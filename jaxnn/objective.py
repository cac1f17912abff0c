"""What is minimised: J(params, batch), the weighted mean of a loss over a batch, and a penalty.

    J(θ; x, y, w) = Σᵢ wᵢ ℓ(f(xᵢ; θ), yᵢ) / Σᵢ wᵢ + R(θ)

The mean of J over mini-batches is not J of the whole set if each batch divides by its own Σ w: a heavy row would count
for less where it meets another. Loops therefore mark a batch's weights as `Relative`, multiples of the mean weight of
the whole training set, and J of such a batch is Σ w ℓ / rows + R: its mean over the batches, and its gradient's, is
that of the whole set whatever the size of a batch.

`mlp` and `optimisers` meet only here. Any plain function J(params, batch) is as good wherever an objective is asked
for; `Objective` keeps its parts apart for the methods that need the split, such as Gauss-Newton.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn import checks, structure, tree
from jaxnn.types import Batch, LossFunction, Params, Scalar


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Relative:
    """A batch's weights as multiples of the mean weight of the whole training set. A row of weight 0 is a row too."""

    values: Any  # (batch,) ≥ 0, whose mean over the whole training set is 1


@dataclass(frozen=True)
class Objective:
    """The weighted mean loss of a prediction, plus a penalty on the parameters.

    Calling it, `objective(params, batch, key=None)`, gives J, a scalar. `batch` is (inputs, targets) or
    (inputs, targets, weight) with weight (batch,) ≥ 0; a batch whose weights are all 0 has mean loss 0. Its weights are
    taken to be those of the whole set; `training.step` has a word for those of a mini-batch. The key goes to a
    `predict` that names `key` (dropout), and to no other.
    """

    predict: Callable[..., Any]  # predict(params, x) -> raw outputs, (batch, k) or (batch,)
    loss: LossFunction  # loss(outputs, targets) -> (batch,)
    penalty: Callable[[Params], Any] | None = None  # R(params), a scalar

    @property
    def parts(self) -> tuple[Any, ...]:
        """Predict, loss and penalty as a pytree of the numbers within: a penalty's strength, a dropout rate."""
        return structure.split((self.predict, self.loss, self.penalty))

    def __call__(self, params: Params, batch: Batch, key: Any = None) -> Array:
        """J, a scalar; raises ValueError for a batch of another length or a loss of another shape."""
        value = self.mean_loss(params, batch, key)
        return value if self.penalty is None else value + self.penalty(params)

    def mean_loss(self, params: Params, batch: Batch, key: Any = None) -> Array:
        """The weighted mean loss without the penalty: what a validation set is judged by."""
        x, y, weight = split(batch)
        outputs = self.outputs(params, x, key)
        losses = self.loss(outputs, y)
        if losses.shape != outputs.shape[:1]:
            raise ValueError(
                f"The loss must give one number per example, shape {outputs.shape[:1]}, got {losses.shape}."
            )
        return weighted_mean(losses, weight)

    def outputs(self, params: Params, x: Any, key: Any = None) -> Array:
        """The raw outputs, with the key handed to a `predict` that names it."""
        return self.predict(params, x, **_key_word(self.predict, key))


jax.tree_util.register_pytree_node(
    Objective, lambda objective: (objective.parts, None), lambda _, parts: Objective(*structure.restore(tuple(parts)))
)


def split(batch: Any) -> tuple[Any, Any, Any]:
    """(inputs, targets, weight) of a batch; weight is None where the batch has none.

    Raises:
        ValueError: the batch does not consist of two or three parts.
    """
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ValueError(f"A batch is (inputs, targets) or (inputs, targets, weight), got {_describe(batch)}.")
    x, y, *weight = batch
    return x, y, weight[0] if weight else None


def weighted_mean(values: Array, weight: Any) -> Array:
    """Σ w v / Σ w, or Σ w v / rows of `Relative` weights; the plain mean without weights, and 0 where all are 0.

    Raises:
        ValueError: the weights' shape is not the values'.
    """
    values = values.astype(tree.wide_dtype(values.dtype))  # a float16 sum ends at 65504
    if weight is None:
        return jnp.mean(values)
    relative = isinstance(weight, Relative)
    weight = jnp.asarray(weight.values if relative else weight, values.dtype)
    if weight.shape != values.shape:
        raise ValueError(f"weight must have shape {values.shape}, one per example, got {weight.shape}.")
    # NumPy's comparison: within jit jax's own would be traced, of weights that the function has closed over too.
    if not isinstance(weight, jax.core.Tracer) and (np.asarray(weight) < 0).any():
        raise ValueError(f"weight must be ≥ 0, got {np.asarray(weight).min()}.")
    if relative:
        return jnp.mean(weight * values)
    weight = _of_middle_size(weight)
    return jnp.sum(weight * values) / _or_one(jnp.sum(weight))


def with_mean_one(weight: Any) -> Any:
    """Weights (rows,) ≥ 0 divided by their mean: where they are known in float64, whatever their unit, else by JAX.

    Weights that are all 0 stay so.

    Raises:
        ValueError: a weight that is known to be negative or not finite.
    """
    if isinstance(weight, jax.core.Tracer):
        weight = jnp.asarray(weight, tree.wide_dtype(jnp.result_type(weight, 1.0)))
        weight = _of_middle_size(weight)
        return weight / _or_one(jnp.mean(weight))
    known = np.asarray(weight).astype(np.float64)
    if not (known >= 0).all() or np.isinf(known).any():
        raise ValueError(f"weight must be ≥ 0 and finite, got {known[~(known >= 0) | np.isinf(known)][0]}.")
    known = known / (known.max(initial=0) or 1)  # a sum of weights of 1e308 is finite, too
    return known / (known.mean() or 1)


def _of_middle_size(weight: Array) -> Array:
    """The weights, multiplied if their unit makes Σ w overflow or w v vanish.

    Dividing by the largest would not do: XLA multiplies by its reciprocal, and flushes that of 1e38 to 0.
    """
    largest, big = jnp.max(weight, initial=0), float(jnp.finfo(weight.dtype).max) ** 0.5
    factor = jnp.where(largest > big, 1 / big, jnp.where(largest < 1 / big, big, 1.0))
    return weight * jax.lax.stop_gradient(factor).astype(weight.dtype)


def _or_one(total: Array) -> Array:
    return jnp.where(total > 0, total, 1)


def names(function: Callable[..., Any], word: str) -> bool:
    """Whether the function has an argument of that name that can be given by name."""
    parameter = inspect.signature(function).parameters.get(word)
    return parameter is not None and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY


def needs(function: Callable[..., Any], word: str) -> bool:
    """Whether the function has an argument of that name that can be given by name and has no default."""
    return names(function, word) and inspect.signature(function).parameters[word].default is inspect.Parameter.empty


def evaluate(objective: Callable[..., Any], params: Params, batch: Any, key: Any = None) -> Array:
    """J of an `Objective`, or of a plain function of any batch, which is handed the key only if it names it."""
    value = objective(params, batch, **_key_word(objective, key))
    if jnp.shape(value) != ():
        raise ValueError(
            f"The objective must be a scalar, got shape {jnp.shape(value)}: take the mean over the examples."
        )
    return value


def _key_word(function: Callable[..., Any], key: Any) -> dict[str, Any]:
    """The key for a function that names it; without a key its own default stands."""
    return {} if key is None or not names(function, "key") else {"key": key}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class L2:
    """The penalty ½ λ ‖θ‖² over all parameters: gradient λ θ, Hessian λ I. Methods that know it need not derive it."""

    strength: Scalar  # λ

    def __call__(self, params: Params) -> Array:
        """R(params), a scalar."""
        squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(params)]
        return 0.5 * self.strength * jnp.sum(jnp.stack(squares))


def l2(strength: Scalar) -> L2:
    """The penalty ½ λ ‖θ‖² over all parameters, whose gradient is λ θ.

    Args:
        strength: λ ≥ 0.
    """
    checks.non_negative(strength=strength)
    return L2(strength)


def _describe(batch: Any) -> str:
    return f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
