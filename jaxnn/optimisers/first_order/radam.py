"""RAdam: Adam that adapts only once its second moment averages enough gradients.

    m, v, m̂, v̂ as in Adam
    ρ_∞ = 2 / (1 - β₂) - 1,   ρₜ = ρ_∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)        the length of the moving average
    if ρₜ > 5:  r² = (ρₜ - 4)(ρₜ - 2) ρ_∞ / ((ρ_∞ - 4)(ρ_∞ - 2) ρₜ)
                θ ← θ - η r m̂ / (√v̂ + ε)
    else:       θ ← θ - η m̂

The paper's condition is ρₜ > 4; its authors' code, PyTorch and optax use 5.

ρₜ is the difference of two numbers near ρ_∞, about 2000, while it is about t: in float32 the plain form has an error of
0.6 % at t = 6 for β₂ = 0.999, and of 50 % for 0.9999. With λ = -log β₂ and coth(x/2) = 2/x + s(x),

    ρ_∞ = coth(λ/2),   ρₜ = ρ_∞ - 2t / (exp(λt) - 1) = s(λ) + t (1 - s(λt)),   s(x) = x/6 - x³/360 + x⁵/15120 - …

without cancellation.

References:
    Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020, arXiv:1908.03265.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.adam import AdamState
from jaxnn.optimisers.first_order.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates

# 2 B₂ₖ / (2k)!, enough for double precision up to x = ½
COEFFICIENTS = (1 / 6, -1 / 360, 1 / 15120, -1 / 604800, 1 / 23950080, -691 / 653837184000, 1 / 37362124800)


def _series(x: Any) -> Any:
    """s(x) = coth(x/2) - 2/x."""
    return x * functools.reduce(lambda total, coefficient: coefficient + x * x * total, reversed(COEFFICIENTS))


@factories.optimiser
def radam(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_hat: bool = False,
    eps_root: Scalar = 0.0,
    threshold: Scalar = 5.0,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """RAdam, the twin of `optax.radam`; with `eps_hat`, of `torch.optim.RAdam`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        b1: β₁ in [0, 1).
        b2: β₂ in (0.6, 1): below 0.6 even ρ_∞ is under 4.
        eps: ε ≥ 0.
        eps_hat: ε is ε̂, added to the uncorrected root (PyTorch).
        eps_root: a second constant ≥ 0, under the root (optax).
        threshold: the ρₜ ≥ 4 above which the adaptive step is used.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(eps=eps, eps_root=eps_root, weight_decay=weight_decay)
    if (isinstance(b2, int | float) and not b2 > 0.6) or (isinstance(threshold, int | float) and not threshold >= 4):
        raise ValueError(f"RAdam needs b2 > 0.6 and threshold ≥ 4, got b2={b2!r}, threshold={threshold!r}.")
    rate = -numerics.log(b2)
    longest = 2 / (1 - b2) - 1  # ρ_∞

    def length(t: Any) -> Any:
        x = t * rate
        return jnp.where(x < 0.5, _series(rate) + t * (1 - _series(x)), longest - 2.0 * t / jnp.expm1(x))

    def init(params: Params) -> AdamState:
        return AdamState(tree.start(), schedule(tree.start()), mu=tree.zeros(params), nu=tree.zeros(params))

    def update(grads: Updates, state: AdamState, params: Params = None, **extra: Any) -> tuple[Updates, AdamState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        c1, c2 = numerics.one_minus_power(b1, t), numerics.one_minus_power(b2, t)
        epsilon = eps / jnp.sqrt(c2) if eps_hat else eps
        rho = length(numerics.real(t))
        adaptive = rho > threshold
        reached = jnp.where(adaptive, rho, 5.0)  # a value with a real root, for the branch not taken
        r = jnp.sqrt((reached - 4) * (reached - 2) * longest / ((longest - 4) * (longest - 2) * reached))

        def direction(m: Array, v: Array) -> Array:
            m_hat = m / c1
            return -eta * jnp.where(
                adaptive, r * numerics.ratio(m_hat, numerics.sqrt(v / c2 + eps_root) + epsilon), m_hat
            )

        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g**2 - v), state.nu, g)
        updates = jax.tree.map(direction, mu, nu)
        return tree.cast_like(updates, grads), AdamState(t, eta, mu, nu)

    return Optimiser(init, update)
