"""AdaGrad: learning rates that shrink with the sum of squared gradients so far.

    r ← r + g²                    from r₀
    θ ← θ - η g / (√r + ε)        Goodfellow; PyTorch
    θ ← θ - η g / √(r + ε)        optax; Keras, with r₀ = 0.1

References:
    Duchi, Hazan & Singer, Adaptive Subgradient Methods, 2011, JMLR 12.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, Algorithm 8.4.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order.gradients import descent, over_root, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


class AdaGradState(NamedTuple):
    """What AdaGrad carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    accumulator: Params  # r, like params


@factories.optimiser
def adagrad(
    learning_rate: ScalarOrSchedule,
    *,
    eps: Scalar = 1e-7,
    eps_inside: bool = False,
    initial_accumulator: Scalar = 0.0,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """AdaGrad, the twin of `torch.optim.Adagrad`, or of `optax.adagrad` and `keras.optimizers.Adagrad`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        eps: ε ≥ 0.
        eps_inside: √(r + ε) (True: optax, Keras) or √r + ε (False: Goodfellow, PyTorch).
        initial_accumulator: r₀ ≥ 0.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range.
    """
    schedule = as_schedule(learning_rate)
    checks.non_negative(eps=eps, initial_accumulator=initial_accumulator, weight_decay=weight_decay)

    def init(params: Params) -> AdaGradState:
        return AdaGradState(tree.start(), schedule(tree.start()), tree.full(params, initial_accumulator))

    def update(
        grads: Updates, state: AdaGradState, params: Params = None, **extra: Any
    ) -> tuple[Updates, AdaGradState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)

        def accumulate(r: Array, g: Array) -> Array:
            return jnp.minimum(r + g**2, jnp.finfo(r.dtype).max)  # the sum only grows, so keep it finite

        def direction(r: Array, g: Array) -> Array:
            return -eta * over_root(g, r, eps, inside=eps_inside)

        accumulator = jax.tree.map(accumulate, state.accumulator, g)
        updates = jax.tree.map(direction, accumulator, g)
        return tree.cast_like(updates, grads), AdaGradState(t, eta, accumulator)

    return Optimiser(init, update)
