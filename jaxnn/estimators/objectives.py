"""The loss of an estimator by name or function, and the penalty `alpha`, both as scikit-learn means them.

    J = c · (mean loss of scikit-learn + ½ α Σ W² / Σ w),   c = 2 k for squared errors of k outputs, else 1

Σ W² is of weights, not of intercepts, and Σ w of the rows of a batch, all of weight 1 unless they have others.
scikit-learn's squared error is half the mean over the outputs, ours the sum. Training minimises J, as `jaxnn train`
does; `loss_` and `loss_curve_` tell J / c.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import checks, losses, tree
from jaxnn.estimators.names import given
from jaxnn.estimators.targets import Kind, Targets
from jaxnn.types import Params

NAMES: dict[Kind, tuple[str, ...]] = {  # the first is the default
    "classes": ("softmax_cross_entropy",),
    "labels": ("sigmoid_cross_entropy",),
    "numbers": ("squared_error", "absolute_error", "huber", "poisson"),
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class WeightPenalty:
    """The penalty ½ λ Σ W² over the weights of all layers, without their biases; λ is data."""

    strength: Any

    def __call__(self, params: Params) -> Array:
        """R(params), a scalar."""
        squares = [jnp.sum(layer.w**2) for layer in tree.widen(params)]
        return 0.5 * self.strength * jnp.sum(jnp.stack(squares))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class RelativePoisson:
    """The Poisson loss in the unit of the counts, of counts divided by their mean: Σ m (eᵒ - (y / m) o); m is data."""

    mean: Any  # (k,) > 0

    def __call__(self, outputs: Any, targets: Any) -> Array:
        """One number for each row, (batch,)."""
        return jnp.sum(self.mean * (jnp.exp(outputs) - targets * outputs), axis=1)


def loss_of(loss: Any, kind: Kind) -> Callable[..., Any]:
    """The loss, (outputs, targets) -> one number for each row.

    Raises:
        ValueError: the name is unknown, or is no loss of such targets.
        TypeError: it is neither a function nor a name.
    """
    names = NAMES[kind]
    if not given(loss):
        return losses.get(names[0])
    if not callable(loss) and not isinstance(loss, str):
        raise TypeError(f"loss must be a name, such as {names[0]!r}, or a function (outputs, targets), got {loss!r}.")
    found = losses.get(loss)
    name = name_of(found)
    if name is not None and name not in names:
        raise ValueError(
            f"The loss {name!r} is not for {kind}: use {' or '.join(map(repr, names))}, or a function (outputs,"
            " targets) -> one number for each row."
        )
    return found


def name_of(loss: Callable[..., Any]) -> str | None:
    """The name of a loss in `losses.TABLE`; None for a function of one's own."""
    return next((name for name, known in losses.TABLE.items() if known is loss), None)


def unit(loss: Callable[..., Any], targets: Targets) -> float:
    """c: how many of scikit-learn's units our loss has."""
    return 2.0 * targets.outputs if name_of(loss) == "squared_error" else 1.0


def penalty(alpha: float | None, c: float, batch_weight: float) -> WeightPenalty | None:
    """`alpha` as a part of J; None where there is none.

    Args:
        alpha: scikit-learn's, ≥ 0.
        c: as `unit` gives it.
        batch_weight: Σ w of a batch of average rows.
    """
    if alpha is None:
        return None
    checks.non_negative(alpha=alpha)
    return WeightPenalty(float(alpha) * c / batch_weight)
