"""Statistics of a network's layers: what a loss curve does not show.

For a batch, layer k with weights W, gradient G = ∂J/∂W, pre-activations z and outputs h = σ(z):

    gradient         √(mean G²)                  shows exploding and vanishing gradients
    update           ‖ΔW‖ / ‖W‖                  the relative size of a step: about 10⁻³ in a healthy run
    inactive         fraction of h = 0           ReLU's sparsity
    dead             fraction of units with σ'(z) = 0 for every row: no gradient reaches their weights
    saturated        fraction of |σ'(z)| < 5 % of the largest |σ'| that σ has near 0
    spread           standard deviation of h over the rows, mean over the units

References:
    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 2013, arXiv:1211.5063.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn import activations, mlp
from jaxnn.objective import evaluate, split
from jaxnn.types import Activation, Batch, Params

FLAT = 0.05  # fraction of the largest slope, below which a unit passes on almost no gradient


class LayerStatistics(NamedTuple):
    """One number for each layer, or for each hidden layer, the first layer first."""

    weight: Float[Array, "*epochs layers"]  # √(mean W²)
    gradient: Float[Array, "*epochs layers"]  # √(mean G²)
    update: Float[Array, "*epochs layers"]  # ‖ΔW‖ / ‖W‖; nan without updates, or where W = 0
    inactive: Float[Array, "*epochs hidden"]
    dead: Float[Array, "*epochs hidden"]
    saturated: Float[Array, "*epochs hidden"]
    spread: Float[Array, "*epochs hidden"]


def layer_statistics(
    objective: Callable[..., Any],
    params: mlp.Params,
    batch: Batch,
    *,
    activation: Activation | Sequence[Activation],
    updates: Params = None,
) -> LayerStatistics:
    """The statistics of each layer on one batch; a pure function that can be jitted.

    Args:
        objective: J(params, batch) of a `jaxnn.mlp` network.
        params: the network's layers.
        batch: (inputs, targets) or (inputs, targets, weight).
        activation: the activation of the objective's network.
        updates: what is added to the parameters in the next or the last step, of their structure.

    Raises:
        ValueError: inputs or activations do not fit the network, an activation is softmax (which does not work unit by
            unit), or the batch has no rows.
        TypeError: an activation is given by name.
    """
    x = split(batch)[0]
    if len(x) == 0:
        raise ValueError("The batch has no rows: give at least one.")
    sigmas = mlp.per_layer(activation, len(params) - 1)
    grads = jax.grad(lambda p: evaluate(objective, p, batch))(params)
    _, kept = mlp.forward(params, x, activation=sigmas)
    slope_of = [activations.derivative(sigma) for sigma in sigmas]
    slopes = [jnp.abs(slope(z)) for slope, z in zip(slope_of, kept.pre_activations, strict=True)]
    largest = [jnp.max(jnp.abs(slope(jnp.linspace(-4.0, 4.0, 81)))) for slope in slope_of]
    nothing = jnp.full(len(params), jnp.nan)
    return LayerStatistics(
        weight=jnp.stack([_rms(layer.w) for layer in params]),
        gradient=jnp.stack([_rms(layer.w) for layer in grads]),
        update=nothing
        if updates is None
        else jnp.stack([_ratio(change.w, layer.w) for change, layer in zip(updates, params, strict=True)]),
        inactive=_each([jnp.mean(h == 0) for h in kept.hidden]),
        dead=_each([jnp.mean(jnp.all(slope == 0, axis=0)) for slope in slopes]),
        saturated=_each([jnp.mean(slope < FLAT * most) for slope, most in zip(slopes, largest, strict=True)]),
        spread=_each([jnp.mean(jnp.std(h, axis=0)) for h in kept.hidden]),
    )


class Watch:
    """A hook for `fit` that records the statistics of each epoch.

    watch = training.Watch(objective, params, batch, activation=jax.nn.tanh)
    training.fit(..., hooks=[watch])
    watch.statistics.gradient          # (epochs, layers)

    The update is that of the whole epoch. Hooks run on the host after every epoch, which slows small networks down.
    """

    def __init__(
        self,
        objective: Callable[..., Any],
        params: mlp.Params,
        batch: Batch,
        *,
        activation: Activation | Sequence[Activation],
    ) -> None:
        self._measure = jax.jit(partial(layer_statistics, objective, batch=batch, activation=activation))
        self._before = params
        self._epochs: list[LayerStatistics] = []

    def __call__(self, epoch: Any) -> None:
        """Measures the network at the end of an epoch."""
        change = jax.tree.map(jnp.subtract, epoch.params, self._before)
        self._epochs.append(jax.tree.map(np.asarray, self._measure(epoch.params, updates=change)))
        self._before = epoch.params

    @property
    def statistics(self) -> LayerStatistics:
        """Arrays (epochs, layers) or (epochs, hidden layers), the first epoch first.

        Raises:
            ValueError: no epoch has been recorded.
        """
        if not self._epochs:
            raise ValueError("No epoch has been recorded yet: pass this to fit, as in hooks=[watch].")
        return jax.tree.map(lambda *epochs: np.stack(epochs), *self._epochs)


def _rms(w: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(w)))


def _ratio(change: Array, w: Array) -> Array:
    """‖ΔW‖ / ‖W‖; nan if all weights are zero."""
    size = _rms(w)
    return jnp.where(size > 0, _rms(change) / jnp.where(size > 0, size, 1.0), jnp.nan)


def _each(values: list[Array]) -> Array:
    return jnp.stack(values) if values else jnp.zeros(0)
