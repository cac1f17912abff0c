"""Hyperparameters in the state, where they can be changed, vmapped and differentiated without recompiling."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn import factories
from jaxnn.optimisers import protocol
from jaxnn.types import Optimiser, OptimiserLike, Params, Updates


class InjectState(NamedTuple):
    """Hyperparameters as data, and the state of the optimiser that they define."""

    hyperparameters: dict[str, Array]  # scalars of JAX's default float
    inner: Any  # the optimiser's own state


@factories.optimiser
def inject(factory: Callable[..., OptimiserLike], **hyperparameters: Any) -> Optimiser:
    """The optimiser `factory(**hyperparameters)` with its hyperparameters in its state.

    `inject(adam, learning_rate=1e-3)`: the rate can then be changed between steps, in `state.hyperparameters`, without
    recompiling, as long as the new value is an array of the same dtype. A decay rate in the state is rounded to that
    dtype; if it need not change, keep it out of the state with `functools.partial(adam, b2=0.9999)`.

    Args:
        factory: a function that makes an optimiser from keyword arguments.
        hyperparameters: numbers and arrays become state; anything else, such as a schedule or a flag, stays fixed.

    Raises:
        ValueError: a hyperparameter is out of the factory's range.
    """
    factory(**hyperparameters)  # its own checks, on the Python values
    numbers = {name: value for name, value in hyperparameters.items() if _is_number(value)}
    fixed = {name: value for name, value in hyperparameters.items() if name not in numbers}

    def init(params: Params) -> InjectState:
        values = {name: jnp.array(value, jnp.result_type(float)) for name, value in numbers.items()}
        return InjectState(values, factory(**values, **fixed).init(params))

    @protocol.forwards_extra
    def update(grads: Updates, state: InjectState, params: Params = None, **extra: Any) -> tuple[Updates, InjectState]:
        optimiser = factory(**state.hyperparameters, **fixed)
        updates, inner = protocol.update(optimiser, grads, state.inner, params, **extra)
        return updates, InjectState(state.hyperparameters, inner)

    return Optimiser(init, update)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float | np.generic | np.ndarray | jax.Array)
