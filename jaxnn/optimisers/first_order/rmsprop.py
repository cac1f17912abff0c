"""RMSProp: steps divided by the root of a running mean of squared gradients.

    r ← ρ r + (1 - ρ) g²
    d = g / √(r + ε)               Goodfellow; optax; Keras
    d = g / (√r + ε)               PyTorch
    θ ← θ - η d

Centred, the variance r - c² takes the place of r, with c ← ρ c + (1 - ρ) g. With bias correction (optax), r and c are
divided by 1 - ρᵗ before they are used. With momentum, the steps run along a velocity (`velocities`).

References:
    Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.
    Graves, Generating Sequences With Recurrent Neural Networks, 2013, arXiv:1308.0850 (centred, with momentum).
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithms 8.5 and 8.6.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order import velocities
from jaxnn.optimisers.first_order.gradients import descent, over_root, squarable
from jaxnn.schedules import as_schedule
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, MomentumRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class RMSPropState(NamedTuple):
    """What RMSProp carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mean_square: Params  # r, like params
    mean: Params  # c, like params; () unless centred
    velocity: Params  # v, like params; () without momentum


@factories.optimiser
def rmsprop(
    learning_rate: ScalarOrSchedule,
    *,
    decay: DecayRate = 0.9,
    eps: Scalar = 1e-6,
    eps_inside: bool = True,
    centred: bool = False,
    momentum: MomentumRate = 0.0,
    learning_rate_inside: bool = True,
    initial_mean_square: Scalar = 0.0,
    bias_correction: bool = False,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """RMSProp, the twin of `optax.rmsprop`, `keras.optimizers.RMSprop`, or of `torch.optim.RMSprop`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        decay: ρ in [0, 1).
        eps: ε ≥ 0.
        eps_inside: √(r + ε) (True: Goodfellow, optax, Keras) or √r + ε (False: PyTorch).
        centred: whether to divide by the running standard deviation.
        momentum: α in [0, 1); 0 for none.
        learning_rate_inside: the velocity holds ηd (True: optax, Keras) or d (False: PyTorch).
        initial_mean_square: r₀ ≥ 0.
        bias_correction: whether to correct the bias of averages that start at 0, as Adam does (optax).
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(decay=decay, momentum=momentum)
    checks.non_negative(eps=eps, initial_mean_square=initial_mean_square, weight_decay=weight_decay)
    rho, has_velocity = decay, not is_zero(momentum)

    def init(params: Params) -> RMSPropState:
        return RMSPropState(
            tree.start(),
            schedule(tree.start()),
            mean_square=tree.full(params, initial_mean_square),
            mean=tree.zeros(params) if centred else (),
            velocity=tree.zeros(params) if has_velocity else (),
        )

    def update(grads: Updates, state: RMSPropState, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        r = jax.tree.map(lambda r, g: r + (1 - rho) * (g**2 - r), state.mean_square, g)
        c = jax.tree.map(lambda c, g: c + (1 - rho) * (g - c), state.mean, g) if centred else ()
        bias = numerics.one_minus_power(rho, t) if bias_correction else 1
        spread = jax.tree.map(lambda r: r / bias, r)
        if centred:  # r - c² cancels for constant gradients; rounding may make it negative, and its root NaN
            spread = jax.tree.map(lambda s, c: jnp.maximum(s - (c / bias) ** 2, 0), spread, c)
        d = jax.tree.map(lambda g, s: over_root(g, s, eps, inside=eps_inside), g, spread)
        if not has_velocity:
            updates = jax.tree.map(lambda d: -eta * d, d)
            return tree.cast_like(updates, grads), RMSPropState(t, eta, r, c, velocity=())
        inside, outside = velocities.rates(eta, inside=learning_rate_inside)
        v = velocities.along(state.velocity, d, momentum, inside)
        updates = jax.tree.map(lambda v: outside * v, v)
        return tree.cast_like(updates, grads), RMSPropState(t, eta, r, c, v)

    return Optimiser(init, update)
