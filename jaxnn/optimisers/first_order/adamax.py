"""AdaMax: Adam with the infinity norm of past gradients in place of their mean square.

    m ← β₁ m + (1 - β₁) g
    u ← max(β₂ u, |g| + ε)             optax; PyTorch
    θ ← θ - η / (1 - β₁ᵗ) m / u

or, with ε outside the maximum (Keras): u ← max(β₂ u, |g|), and m / (u + ε).

References:
    Kingma & Ba, Adam: A Method for Stochastic Optimization, 2015, arXiv:1412.6980, section 7.1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.gradients import descent
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class AdamaxState(NamedTuple):
    """What AdaMax carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mu: Params  # m, like params
    norm: Params  # u, like params


@factories.optimiser
def adamax(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_inside: bool = True,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """AdaMax, the twin of `optax.adamax` and `torch.optim.Adamax`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        b1: β₁ in [0, 1).
        b2: β₂ in [0, 1).
        eps: ε ≥ 0.
        eps_inside: max(β₂u, |g| + ε) (True: optax, PyTorch) or u + ε in the denominator (False: Keras).
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(eps=eps, weight_decay=weight_decay)
    inner, outer = (eps, 0.0) if eps_inside else (0.0, eps)

    def init(params: Params) -> AdamaxState:
        return AdamaxState(tree.start(), schedule(tree.start()), mu=tree.zeros(params), norm=tree.zeros(params))

    def update(grads: Updates, state: AdamaxState, params: Params = None, **extra: Any) -> tuple[Updates, AdamaxState]:
        del extra
        g = descent(grads, params, weight_decay=weight_decay, maximise=maximise)
        eta, t = schedule(state.step), tree.increment(state.step)
        c1 = numerics.one_minus_power(b1, t)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        norm = jax.tree.map(lambda u, g: jnp.maximum(numerics.faded(u, b2), jnp.abs(g) + inner), state.norm, g)
        updates = jax.tree.map(lambda m, u: -eta * numerics.ratio(m / c1, u + outer), mu, norm)
        return tree.cast_like(updates, grads), AdamaxState(t, eta, mu, norm)

    return Optimiser(init, update)
