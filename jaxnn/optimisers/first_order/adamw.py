"""AdamW: Adam with weight decay that bypasses the moments.

    θ ← θ - η (m̂ / (√v̂ + ε) + λ θ)

with m̂, v̂ as in Adam. In Adam itself an L2 penalty is divided by √v̂ like every gradient, so the weights with the
largest gradients decay least.

References:
    Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, arXiv:1711.05101. There λ is multiplied by the
    schedule alone; here, as in optax and PyTorch, by the whole learning rate.
"""

from typing import Any

from jaxnn import checks, factories, tree
from jaxnn.optimisers.first_order.adam import AdamState, adam
from jaxnn.optimisers.first_order.gradients import decayed
from jaxnn.structure import is_zero
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


@factories.optimiser
def adamw(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_hat: bool = False,
    eps_root: Scalar = 0.0,
    weight_decay: Strength = 1e-2,
    maximise: bool = False,
) -> Optimiser:
    """Adam with decoupled weight decay, the twin of `optax.adamw` and `torch.optim.AdamW`.

    Args:
        learning_rate: η ≥ 0, or a schedule; it scales the decay too.
        b1: β₁ in [0, 1).
        b2: β₂ in [0, 1).
        eps: ε ≥ 0.
        eps_hat: ε is ε̂ (Keras).
        eps_root: a second constant ≥ 0, under the root (optax).
        weight_decay: λ ≥ 0; each step takes ηλθ from the parameters. (Defaults: PyTorch 1e-2, optax 1e-4.)
        maximise: ascend J; the decay still shrinks.

    Raises:
        ValueError: a hyperparameter out of range; `update` without the parameters.
    """
    checks.non_negative(weight_decay=weight_decay)
    inner = adam(learning_rate, b1=b1, b2=b2, eps=eps, eps_hat=eps_hat, eps_root=eps_root, maximise=maximise)

    def update(grads: Updates, state: AdamState, params: Params = None, **extra: Any) -> tuple[Updates, AdamState]:
        updates, after = inner.update(grads, state, params, **extra)
        if is_zero(weight_decay):
            return updates, after
        shrink = after.learning_rate * weight_decay
        return tree.cast_like(decayed(tree.widen(updates), params, shrink), grads), after

    return Optimiser(inner.init, update)
