"""Stochastic gradient descent.

    θ ← θ - η g

References:
    Robbins & Monro, A stochastic approximation method, 1951.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.1.
"""

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order.gradients import descent
from jaxnn.schedules import as_schedule
from jaxnn.types import Optimiser, Params, ScalarOrSchedule, Strength, Updates


class SGDState(NamedTuple):
    """What SGD carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step


@factories.optimiser
def sgd(learning_rate: ScalarOrSchedule, *, weight_decay: Strength = 0.0, maximise: bool = False) -> Optimiser:
    """Stochastic gradient descent, the twin of `optax.sgd`, `torch.optim.SGD` and `keras.optimizers.SGD`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.non_negative(weight_decay=weight_decay)

    def init(params: Params) -> SGDState:
        del params
        return SGDState(tree.start(), schedule(tree.start()))

    def update(grads: Updates, state: SGDState, params: Params = None, **extra: Any) -> tuple[Updates, SGDState]:
        del extra
        g = descent(grads, params, weight_decay=weight_decay, maximise=maximise)
        eta, t = schedule(state.step), tree.increment(state.step)
        updates = jax.tree.map(lambda g: -eta * g, g)
        return tree.cast_like(updates, grads), SGDState(t, eta)

    return Optimiser(init, update)
