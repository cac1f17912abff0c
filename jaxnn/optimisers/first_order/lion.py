"""Lion: the sign of an interpolated momentum.

    θ ← θ - η (sign(β₁ m + (1 - β₁) g) + λ θ)
    m ← β₂ m + (1 - β₂) g

References:
    Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order.gradients import decayed, descent
from jaxnn.schedules import as_schedule
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, Optimiser, Params, ScalarOrSchedule, Strength, Updates


class LionState(NamedTuple):
    """What Lion carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mu: Params  # m, like params


@factories.optimiser
def lion(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.99,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """Lion, the twin of `optax.lion` and `keras.optimizers.Lion`.

    Args:
        learning_rate: η ≥ 0, or a schedule; every coordinate moves by η.
        b1: β₁ in [0, 1), the weight of the momentum in the interpolation.
        b2: β₂ in [0, 1), the decay rate of the momentum.
        weight_decay: λ ≥ 0, decoupled: each step takes ηλθ from the parameters. (optax's default is 1e-3.)
        maximise: ascend J; the decay still shrinks.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(weight_decay=weight_decay)

    def init(params: Params) -> LionState:
        return LionState(tree.start(), schedule(tree.start()), mu=tree.zeros(params))

    def update(grads: Updates, state: LionState, params: Params = None, **extra: Any) -> tuple[Updates, LionState]:
        del extra
        g = descent(grads, params, weight_decay=0.0, maximise=maximise)
        eta, t = schedule(state.step), tree.increment(state.step)
        updates = jax.tree.map(lambda m, g: -eta * jnp.sign(m + (1 - b1) * (g - m)), state.mu, g)
        mu = jax.tree.map(lambda m, g: m + (1 - b2) * (g - m), state.mu, g)
        if not is_zero(weight_decay):
            updates = decayed(updates, params, eta * weight_decay)
        return tree.cast_like(updates, grads), LionState(t, eta, mu)

    return Optimiser(init, update)
