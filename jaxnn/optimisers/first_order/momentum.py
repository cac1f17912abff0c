"""Momentum: steps along a velocity that remembers past gradients.

The learning rate inside the velocity (Polyak; the course; Goodfellow; Keras; scikit-learn), α the momentum:

    v ← α v - η g                  with dampening d, an option of ours: η (1 - d) g from the second step on
    θ ← θ + v

or outside it (PyTorch; optax):

    v ← α v + (1 - d) g            d the dampening; PyTorch's first velocity is g, undamped
    θ ← θ - η v

The two agree while η is constant. When η changes, the velocity of the first still contains the old η.

References:
    Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.2.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order import velocities
from jaxnn.optimisers.first_order.gradients import descent
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, ScalarOrSchedule, Strength, Updates


class MomentumState(NamedTuple):
    """What momentum carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    velocity: Params  # v, like params


@factories.optimiser
def momentum(
    learning_rate: ScalarOrSchedule,
    *,
    momentum: DecayRate = 0.9,
    dampening: DecayRate = 0.0,
    learning_rate_inside: bool = True,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """Polyak's momentum, the twin of `keras.optimizers.SGD`, or of `optax.sgd` and `torch.optim.SGD`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        momentum: α in [0, 1); 0 is gradient descent.
        dampening: d in [0, 1] of PyTorch: from the second step on, (1 - d) g enters the velocity.
        learning_rate_inside: the velocity holds ηg (True: Polyak, Keras) or g (False: PyTorch, optax).
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(momentum=momentum)
    checks.fraction(dampening=dampening)
    checks.non_negative(weight_decay=weight_decay)
    alpha = momentum

    def init(params: Params) -> MomentumState:
        return MomentumState(tree.start(), schedule(tree.start()), velocity=tree.zeros(params))

    def update(
        grads: Updates, state: MomentumState, params: Params = None, **extra: Any
    ) -> tuple[Updates, MomentumState]:
        del extra
        g = descent(grads, params, weight_decay=weight_decay, maximise=maximise)
        eta, t = schedule(state.step), tree.increment(state.step)
        fresh = jnp.where(t == 1, 1.0, 1 - dampening)
        inside, outside = velocities.rates(eta, inside=learning_rate_inside)
        velocity = velocities.along(state.velocity, g, alpha, fresh * inside)
        updates = jax.tree.map(lambda v: outside * v, velocity)
        return tree.cast_like(updates, grads), MomentumState(t, eta, velocity)

    return Optimiser(init, update)
