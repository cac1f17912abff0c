"""Adam: steps scaled by running estimates of the gradient's moments.

At step t = 1, 2, …, elementwise:

    m ← β₁ m + (1 - β₁) g                  first moment
    v ← β₂ v + (1 - β₂) g²                 second moment
    m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)  both start at 0: undo that bias
    θ ← θ - η m̂ / (√v̂ + ε)

With ε̂, the paper's own rearrangement (end of its section 2), ε is added to the uncorrected root:

    θ ← θ - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) m / (√v + ε̂)

References:
    Kingma & Ba, Adam: A Method for Stochastic Optimization, 2015, arXiv:1412.6980.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.7.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class AdamState(NamedTuple):
    """What Adam carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mu: Params  # m, like params
    nu: Params  # v, like params


@factories.optimiser
def adam(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_hat: bool = False,
    eps_root: Scalar = 0.0,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """Adam, the twin of `optax.adam` and `torch.optim.Adam`; with `eps_hat`, of `keras.optimizers.Adam`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        b1: β₁ in [0, 1), the decay rate of the first moment.
        b2: β₂ in [0, 1), the decay rate of the second moment.
        eps: ε ≥ 0.
        eps_hat: whether ε is ε̂, added to the uncorrected root (Keras, TensorFlow, scikit-learn).
        eps_root: a second constant ≥ 0, under the root: √(v̂ + eps_root) + ε (optax).
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient. For decay as in AdamW see `adamw`.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(eps=eps, eps_root=eps_root, weight_decay=weight_decay)

    def init(params: Params) -> AdamState:
        # Two separate trees of zeros, because buffers may be donated.
        return AdamState(tree.start(), schedule(tree.start()), mu=tree.zeros(params), nu=tree.zeros(params))

    def update(grads: Updates, state: AdamState, params: Params = None, **extra: Any) -> tuple[Updates, AdamState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        c1, c2 = numerics.one_minus_power(b1, t), numerics.one_minus_power(b2, t)
        epsilon = eps / jnp.sqrt(c2) if eps_hat else eps
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g**2 - v), state.nu, g)
        # m̂ = m / c1, whose division is taken with η: one less for each coordinate; v̂ = v / c2.
        updates = jax.tree.map(
            lambda m, v: -(eta / c1) * numerics.ratio(m, numerics.sqrt(v / c2 + eps_root) + epsilon), mu, nu
        )
        return tree.cast_like(updates, grads), AdamState(t, eta, mu, nu)

    return Optimiser(init, update)
