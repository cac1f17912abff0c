"""Nadam: Adam with Nesterov's look-ahead in its first moment.

    m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²
    μₜ = β₁ (1 - ½ · 0.96^(ψ t)),   Πₜ = μ₁ μ₂ … μₜ
    1 - Πₜ = (1 - Πₜ₋₁) + (1 - μₜ) Πₜ₋₁                    a sum of positive numbers, without cancellation
    m̄ = μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)
    θ ← θ - η m̄ / (√(v / (1 - β₂ᵗ)) + ε)

ψ, the momentum decay, is 0.004 in Dozat's report and PyTorch and 1 in Keras; as ψ → ∞, μₜ = β₁, which is optax's rule.

References:
    Dozat, Incorporating Nesterov Momentum into Adam, 2016.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class NadamState(NamedTuple):
    """What Nadam carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    bias: Float[Array, ""]  # 1 - Πₜ
    bias_rest: Float[Array, ""]  # its accumulated rounding error
    mu: Params  # m, like params
    nu: Params  # v, like params


@factories.optimiser
def nadam(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    momentum_decay: Scalar = 0.004,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """Nadam, the twin of `torch.optim.NAdam`, `keras.optimizers.Nadam` (ψ = 1) and `optax.nadam` (ψ = inf).

    Args:
        learning_rate: η ≥ 0, or a schedule.
        b1: β₁ in [0, 1).
        b2: β₂ in [0, 1).
        eps: ε ≥ 0.
        eps_root: a second constant ≥ 0, under the root (optax).
        momentum_decay: ψ ≥ 0; `math.inf` for a constant momentum β₁.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(eps=eps, eps_root=eps_root, weight_decay=weight_decay)
    if checks.known(momentum_decay) and not momentum_decay >= 0:
        raise ValueError(f"momentum_decay must be ≥ 0, got {momentum_decay!r}.")
    fading = numerics.Decay.of(0.96)

    def momentum(t: Any) -> tuple[Any, Any]:
        """μₜ and 1 - μₜ."""
        c = numerics.one_minus_exp(
            t * momentum_decay * fading.log, t * momentum_decay * fading.log_rest
        )  # 1 - 0.96^(ψ t)
        return b1 * (0.5 * (1 + c)), (1 - b1) + b1 * (0.5 * (1 - c))

    def init(params: Params) -> NadamState:
        return NadamState(
            tree.start(),
            schedule(tree.start()),
            bias=jnp.zeros(()),
            bias_rest=jnp.zeros(()),
            mu=tree.zeros(params),
            nu=tree.zeros(params),
        )

    def update(grads: Updates, state: NadamState, params: Params = None, **extra: Any) -> tuple[Updates, NadamState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        (_, off), (following, off_then) = momentum(numerics.real(t)), momentum(numerics.real(t) + 1)
        left = 1 - state.bias - state.bias_rest  # Π before this step
        bias, rest = numerics.two_sum(state.bias, state.bias_rest + off * left)
        ahead, here = following / (bias + (rest + off_then * (1 - bias))), off / bias
        c2 = numerics.one_minus_power(b2, t)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g**2 - v), state.nu, g)

        def direction(m: Array, v: Array, g: Array) -> Array:
            m_bar = ahead.astype(m.dtype) * m + here.astype(g.dtype) * g
            return -eta * numerics.ratio(m_bar, numerics.sqrt(v / c2 + eps_root) + eps)

        updates = jax.tree.map(direction, mu, nu, g)
        return tree.cast_like(updates, grads), NadamState(t, eta, bias, rest, mu, nu)

    return Optimiser(init, update)
