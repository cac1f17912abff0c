"""Nesterov's accelerated gradient: momentum that looks ahead.

The learning rate inside the velocity (Goodfellow; Keras; scikit-learn), α the momentum:

    v ← α v - η g
    θ ← θ + α v - η g              with the new v

or outside it (PyTorch; optax):

    v ← α v + g
    θ ← θ - η (g + α v)

The gradient is evaluated at the given parameters. This is Goodfellow's Algorithm 8.3, which evaluates it at the
look-ahead point θ + αv, with that point as the variable.

References:
    Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), 1983.
    Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.3.
"""

from typing import Any

import jax

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order import velocities
from jaxnn.optimisers.first_order.gradients import descent
from jaxnn.optimisers.first_order.momentum import MomentumState
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, ScalarOrSchedule, Strength, Updates


@factories.optimiser
def nesterov(
    learning_rate: ScalarOrSchedule,
    *,
    momentum: DecayRate = 0.9,
    learning_rate_inside: bool = True,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """Nesterov's accelerated gradient, the twin of the libraries' SGD with `nesterov=True`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        momentum: α in [0, 1).
        learning_rate_inside: the velocity holds ηg (True: Goodfellow, Keras) or g (False: PyTorch, optax).
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(momentum=momentum)
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
        inside, outside = velocities.rates(eta, inside=learning_rate_inside)
        velocity = velocities.along(state.velocity, g, alpha, inside)
        updates = jax.tree.map(lambda v, g: outside * (alpha * v - inside * g), velocity, g)
        return tree.cast_like(updates, grads), MomentumState(t, eta, velocity)

    return Optimiser(init, update)
