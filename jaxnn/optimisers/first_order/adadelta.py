"""AdaDelta: steps in the units of the parameters, from running means of squared gradients and squared steps.

    r ← ρ r + (1 - ρ) g²
    d = √(x + ε) / √(r + ε) · g
    x ← ρ x + (1 - ρ) d²
    θ ← θ - η d                       η = 1 in the paper

References:
    Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, arXiv:1212.5701.
"""

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class AdaDeltaState(NamedTuple):
    """What AdaDelta carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mean_square: Params  # r, like params
    mean_square_step: Params  # x, like params


@factories.optimiser
def adadelta(
    learning_rate: ScalarOrSchedule = 1.0,
    *,
    rho: DecayRate = 0.9,
    eps: Scalar = 1e-6,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """AdaDelta, the twin of `torch.optim.Adadelta`, `keras.optimizers.Adadelta` and `optax.adadelta(1.0)`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        rho: ρ in [0, 1).
        eps: ε > 0; with 0, the first step would be 0, and so would all others.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(rho=rho)
    checks.positive(eps=eps)
    checks.non_negative(weight_decay=weight_decay)

    def init(params: Params) -> AdaDeltaState:
        return AdaDeltaState(tree.start(), schedule(tree.start()), tree.zeros(params), tree.zeros(params))

    def update(
        grads: Updates, state: AdaDeltaState, params: Params = None, **extra: Any
    ) -> tuple[Updates, AdaDeltaState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)

        def direction(r: Array, x: Array, g: Array) -> Array:
            return numerics.sqrt(x + eps) / numerics.sqrt(r + eps) * g

        r = jax.tree.map(lambda r, g: r + (1 - rho) * (g**2 - r), state.mean_square, g)
        d = jax.tree.map(direction, r, state.mean_square_step, g)
        x = jax.tree.map(lambda x, d: x + (1 - rho) * (d**2 - x), state.mean_square_step, d)
        updates = jax.tree.map(lambda d: -eta * d, d)
        return tree.cast_like(updates, grads), AdaDeltaState(t, eta, r, x)

    return Optimiser(init, update)
