"""Nadam: Adam with Nesterov's look-ahead in its first moment.

    m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²
    μₜ = β₁ (1 - ½ · 0.96^(ψ t)),   Πₜ = μ₁ μ₂ … μₜ
    m̄ = μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)
    θ ← θ - η m̄ / (√(v / (1 - β₂ᵗ)) + ε)

ψ, the momentum decay, is 0.004 in Dozat's report and PyTorch and 1 in Keras; as ψ → ∞, μₜ = β₁, which is optax's rule.

References:
    Dozat, Incorporating Nesterov Momentum into Adam, 2016.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnn import checks, tree
from jaxnn.optimisers.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import Optimiser, Params, ScalarOrSchedule, Updates


class NadamState(NamedTuple):
    """What Nadam carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    log_product: Float[Array, ""]  # log Πₜ: 1 - Π = -expm1(log Π) loses nothing as Π → 1
    mu: Params  # m, like params
    nu: Params  # v, like params


def _first(b1: float, psi: float) -> tuple[np.ndarray, np.ndarray]:
    """μₜ₊₁ / (1 - Πₜ₊₁) and (1 - μₜ) / (1 - Πₜ) of the first steps, in double precision."""
    mu = b1 * (1 - 0.5 * 0.96 ** (psi * np.append(tree.EARLY, len(tree.EARLY) + 1)))
    product = np.cumprod(mu)
    return mu[1:] / (1 - product[1:]), (1 - mu[:-1]) / (1 - product[:-1])


def nadam(
    learning_rate: ScalarOrSchedule,
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    momentum_decay: float = 0.004,
    weight_decay: Any = 0.0,
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
    if not momentum_decay >= 0:
        raise ValueError(f"momentum_decay must be ≥ 0, got {momentum_decay!r}.")
    psi = momentum_decay
    first = _first(b1, psi) if isinstance(b1, int | float) else None

    def momentum(t: Any) -> Any:
        return b1 * (1 - 0.5 * jnp.exp(t * (psi * math.log(0.96))))

    def log(mu: Any) -> Any:
        return jnp.log(jnp.where(mu > 0, mu, jnp.finfo(mu.dtype).tiny))  # β₁ = 0 too: no infinity in the state

    def one_minus_product(log_before: Any, mu: Any) -> Any:  # plain where β₁ = 0, where a logarithm has no derivative
        return jnp.where(mu > 0, -jnp.expm1(log_before + log(mu)), 1 - jnp.exp(log_before) * mu)

    def init(params: Params) -> NadamState:
        return NadamState(
            tree.start(),
            schedule(tree.start()),
            log_product=jnp.zeros(()),
            mu=tree.zeros(params),
            nu=tree.zeros(params),
        )

    def update(grads: Updates, state: NadamState, params: Params = None, **words: Any) -> tuple[Updates, NadamState]:
        del words
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        now, following = momentum(tree.real(t)), momentum(tree.real(t) + 1)
        log_product = state.log_product + log(now)
        ahead = following / one_minus_product(log_product, following)
        here = (1 - now) / one_minus_product(state.log_product, now)
        if first is not None:
            ahead, here = tree.early(first[0], t, ahead), tree.early(first[1], t, here)
        c2 = tree.one_minus_power(b2, t)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g**2 - v), state.nu, g)

        def direction(m: Array, v: Array, g: Array) -> Array:
            m_bar = ahead.astype(m.dtype) * m + here.astype(g.dtype) * g
            return -eta * tree.ratio(m_bar, tree.sqrt(v / c2 + eps_root) + eps)

        updates = jax.tree.map(direction, mu, nu, g)
        return tree.cast_like(updates, grads), NadamState(t, eta, log_product, mu, nu)

    return Optimiser(init, update)
