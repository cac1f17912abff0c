"""AMSGrad: Adam whose second moment never shrinks.

With m, v, m̂, v̂ as in Adam, three published readings of which maximum is taken:

    "paper"      u ← max(u, v),  θ ← θ - η m / (√u + ε)                  Reddi et al.: no bias correction at all
    "raw"        u ← max(u, v),  θ ← θ - η m̂ / (√(u / (1 - β₂ᵗ)) + ε)    PyTorch; Keras, with ε̂
    "corrected"  u ← max(u, v̂),  θ ← θ - η m̂ / (√u + ε)                  optax; the course's page 53

With "corrected", the first v̂, averages of few gradients, limit all later steps.

References:
    Reddi, Kale & Kumar, On the Convergence of Adam and Beyond, 2018, arXiv:1904.09237.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, numerics, tree
from jaxnn.optimisers.first_order.gradients import descent, squarable
from jaxnn.schedules import as_schedule
from jaxnn.types import DecayRate, Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates

MAXIMA = {name: name for name in ("paper", "raw", "corrected")}


class AMSGradState(NamedTuple):
    """What AMSGrad carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # η of the latest step
    mu: Params  # m, like params
    nu: Params  # v, like params
    nu_max: Params  # u, like params; entries never decrease


@factories.optimiser
def amsgrad(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    b2: DecayRate = 0.999,
    eps: Scalar = 1e-8,
    eps_hat: bool = False,
    eps_root: Scalar = 0.0,
    maximum: str = "corrected",
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """AMSGrad, the twin of `optax.amsgrad`, or with `maximum="raw"` of `torch.optim.Adam(amsgrad=True)`.

    Args:
        learning_rate: η ≥ 0, or a schedule.
        b1: β₁ in [0, 1).
        b2: β₂ in [0, 1).
        eps: ε ≥ 0.
        eps_hat: ε is ε̂, added to the uncorrected root (Keras).
        eps_root: a second constant ≥ 0, under the root (optax).
        maximum: "corrected", "raw" or "paper": which second moment the maximum is taken over.
        weight_decay: λ ≥ 0 of an L2 penalty; λθ is added to the gradient.
        maximise: ascend instead.

    Raises:
        ValueError: a hyperparameter out of range, an unknown `maximum`.
    """
    schedule = as_schedule(learning_rate)
    checks.decay(b1=b1, b2=b2)
    checks.non_negative(eps=eps, eps_root=eps_root, weight_decay=weight_decay)
    checks.one_of(maximum, MAXIMA, "maximum")

    def init(params: Params) -> AMSGradState:
        return AMSGradState(
            tree.start(),
            schedule(tree.start()),
            mu=tree.zeros(params),
            nu=tree.zeros(params),
            nu_max=tree.zeros(params),
        )

    def update(
        grads: Updates, state: AMSGradState, params: Params = None, **extra: Any
    ) -> tuple[Updates, AMSGradState]:
        del extra
        g = squarable(descent(grads, params, weight_decay=weight_decay, maximise=maximise))
        eta, t = schedule(state.step), tree.increment(state.step)
        c1, c2 = numerics.one_minus_power(b1, t), numerics.one_minus_power(b2, t)
        epsilon = eps / jnp.sqrt(c2) if eps_hat and maximum != "paper" else eps  # the paper does not correct the root
        before = c2 if maximum == "corrected" else 1  # divides v before the maximum is taken
        after = c2 if maximum == "raw" else 1  # divides the maximum
        c1 = 1 if maximum == "paper" else c1
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, g)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g**2 - v), state.nu, g)
        nu_max = jax.tree.map(lambda u, v: jnp.maximum(u, v / before), state.nu_max, nu)

        def direction(m: Array, u: Array) -> Array:
            return -eta * numerics.ratio(m / c1, numerics.sqrt(u / after + eps_root) + epsilon)

        updates = jax.tree.map(direction, mu, nu_max)
        return tree.cast_like(updates, grads), AMSGradState(t, eta, mu, nu, nu_max)

    return Optimiser(init, update)
