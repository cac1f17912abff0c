"""The nouns that every room of the house shares.

A model is its parameters: any pytree of arrays. An optimiser is a pair of pure functions over such trees, in optax's
two fields and optax's order, so that either library's optimisers run in the other's loop:

    state = optimiser.init(params)
    updates, state = optimiser.update(grads, state, params, **extra)
    params = params + updates

A training loop always sends `value`, `grad` and `value_fn` as well; an update takes what it needs, keyword-only.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float, Int

Params: TypeAlias = Any  # a pytree of floating-point arrays
Updates: TypeAlias = Any  # a pytree like the parameters; added to them
OptState: TypeAlias = Any  # a pytree, private to its optimiser
Batch: TypeAlias = tuple[Any, ...]  # (inputs, targets) or (inputs, targets, weight), rows first

Scalar: TypeAlias = float | int | np.floating | np.integer | Float[Array, ""]
Schedule: TypeAlias = Callable[[Any], Any]  # step, 0 first -> learning rate
ScalarOrSchedule: TypeAlias = Scalar | Schedule


@runtime_checkable
class Decays(Protocol):
    """A decay rate in a form that loses nothing of it: `numerics.Decay`."""

    def __rsub__(self, one: Any) -> Any:
        """1 - β."""

    def __mul__(self, other: Any) -> Any:
        """The product β x."""

    def __rmul__(self, other: Any) -> Any:
        """The product x β."""


# What an annotation says of a hyperparameter: how it becomes data (`factories`)
DECAYS, ABSENT_AT_0, COUNT = "decay rate", "absent at 0", "count"
DecayRate: TypeAlias = Annotated[Scalar | Decays, DECAYS]  # in [0, 1)
MomentumRate: TypeAlias = Annotated[Scalar | Decays, DECAYS, ABSENT_AT_0]  # in [0, 1); 0 is none
Strength: TypeAlias = Annotated[Scalar, ABSENT_AT_0]  # ≥ 0, of a term; 0 is none
Count: TypeAlias = Annotated[int | np.integer | Int[Array, ""], COUNT]  # a whole number that is computed with

Activation: TypeAlias = Callable[[jax.Array], jax.Array]  # elementwise, or over the last axis
LossFunction: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]  # outputs, targets -> (batch,)


class Optimiser(NamedTuple):
    """An update rule: `init(params) -> state` and `update(grads, state, params, **extra) -> (updates, state)`."""

    init: Callable[..., Any]
    update: Callable[..., Any]

    @property
    def splits_itself(self) -> bool:
        """For `structure.split`: flattening it separates its numbers."""
        return True

    def __repr__(self) -> str:
        """As it was made, `adam(learning_rate=0.001, b1=0.9, …)`; of functions of one's own, the two."""
        made = getattr(self.update, "made", None)
        if made is not None and getattr(self.init, "made", None) is made:
            return repr(made)
        return f"Optimiser(init={self.init!r}, update={self.update!r})"


@runtime_checkable
class OptimiserLike(Protocol):
    """What training loops accept: ours, optax's, or anything else with these two functions."""

    @property
    def init(self) -> Callable[..., Any]:
        """`init(params) -> state`."""

    @property
    def update(self) -> Callable[..., Any]:
        """`update(grads, state, params, **extra) -> (updates, state)`."""
