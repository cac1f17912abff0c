"""What is wrong with a network, in words, and what to try.

Each rule below looks at numbers that can be measured on one batch, or at the history of a run, and says what it saw,
how it knows, and what usually helps. Thresholds are named and wide: a healthy network gets no finding.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, mlp, structure, tree
from jaxnn.objective import evaluate, split
from jaxnn.optimisers import protocol
from jaxnn.training import faults
from jaxnn.training.history import History
from jaxnn.training.minimise import report
from jaxnn.training.statistics import LayerStatistics, layer_statistics
from jaxnn.types import Activation, Batch, OptimiserLike, OptState

VANISHING = 1e-3  # of the last layer's gradient: what of it reaches the first
EXPLODING = 1e3
DEAD = 0.1  # of a layer's units
SATURATED = 0.5  # of a layer's units and rows
FAST, SLOW = 0.1, 1e-6  # ‖ΔW‖ / ‖W‖ of one step
COLLAPSED = 1e-3  # spread of the last representation over its size
UNEVEN = 100.0  # largest standard deviation of an input by the smallest; or an input's size by its deviation
OVERFITTED = 1.1  # validation loss at the end by its smallest
RISING = 1.5  # loss at the end by its smallest

SMALLER = "smaller weights (initialisers: he_normal, glorot_normal); clip_by_global_norm before the optimiser"


class Finding(NamedTuple):
    """One thing that is wrong."""

    symptom: str  # in a few words, such as "vanishing gradients"
    evidence: str  # the numbers that say so
    remedy: str  # what to try


class Diagnosis(NamedTuple):
    """What `diagnose` found, the most serious first; prints as a page."""

    findings: tuple[Finding, ...]
    statistics: LayerStatistics

    def __str__(self) -> str:
        """The findings, each in three lines."""
        if not self.findings:
            return "Nothing is wrong that these numbers would show."
        return "\n".join(f"{f.symptom}\n    seen  {f.evidence}\n    try   {f.remedy}" for f in self.findings)


def diagnose(
    objective: Callable[..., Any],
    params: mlp.Params,
    batch: Batch,
    *,
    activation: Activation | Sequence[Activation],
    optimiser: Any = None,
    opt_state: OptState = None,
    history: History | None = None,
) -> Diagnosis:
    """Says in words what is wrong with a network or a run, and what to try.

    Args:
        objective: J(params, batch), of a network of `jaxnn.mlp`.
        params: its layers, before, during or after training.
        batch: (inputs, targets) or (inputs, targets, weight), a few hundred rows.
        activation: as the objective's network has it.
        optimiser: whose next step is to be looked at too; methods, which choose their own, are not.
        opt_state: its state; that of the first step if None.
        history: `fit(...).history` of a run.

    Raises:
        ValueError: inputs or activations that do not fit the network, a batch without rows.
        TypeError: an optimiser or activation that is none.
    """
    if optimiser is not None and not isinstance(optimiser, OptimiserLike):
        raise TypeError(f"optimiser must have init and update, as optimisers.adam(1e-3) has; got {optimiser!r}.")
    x = np.asarray(split(batch)[0])
    activation = mlp.per_layer(activation, len(params) - 1)
    value, grads = _value_and_gradient(structure.split(objective), params, batch)
    updates = None
    if optimiser is not None:
        state = optimiser.init(params) if opt_state is None else opt_state
        if report(state) is None:  # a method that tries its steps out knows how long they may be
            value_fn = lambda p: evaluate(objective, p, batch)
            extra = dict(value=value, grad=grads, value_fn=value_fn, objective=objective, batch=batch, key=None)
            updates, _ = protocol.update(optimiser, grads, state, params, **extra)
    seen = _measured(objective, params, batch, activation=activation, updates=updates)
    seen = jax.tree.map(np.asarray, seen)
    finite = bool(jnp.isfinite(value)) and bool(tree.all_finite(grads))
    found = [*_of_inputs(x), *_of_weights(params)]
    if finite:
        found += [*_of_gradients(seen, x), *_of_units(params, x, activation, seen), *_of_steps(seen)]
    else:
        found.insert(0, _not_finite(value, grads, x))
    if history is not None:
        found += _of_history(history)
    return Diagnosis(tuple(found), seen)


_measured = jax.jit(layer_statistics, static_argnums=0, static_argnames="activation")


@jax.jit
def _value_and_gradient(made: Any, params: mlp.Params, batch: Batch) -> tuple[Any, Any]:
    objective = structure.restore(made)
    return jax.value_and_grad(lambda p: evaluate(objective, p, batch))(params)


def _not_finite(value: Any, grads: Any, x: np.ndarray) -> Finding:
    """J or its gradient; where J and x are finite and the gradient is nan, no learning rate is to blame."""
    names, wrong = faults.leaf_names(grads), jax.tree.map(np.asarray, faults.of_gradient(grads))
    either = wrong.nan | wrong.infinite
    where = f"not finite in {faults.listed(names, either)}" if either.any() else "finite"
    if bool(jnp.isfinite(value)) and np.isfinite(x).all() and wrong.nan.any():
        return Finding(
            "a gradient that is nan",
            f"J is {float(value):g}, a finite number; the gradient is nan in {faults.listed(names, wrong.nan)}",
            faults.NO_DERIVATIVE,
        )
    return Finding(
        "not finite",
        f"J is {float(value):g}; the gradient is {where}",
        "a lower learning rate from the start, clip_by_global_norm, inputs of size about 1",
    )


def _of_inputs(x: np.ndarray) -> Iterator[Finding]:
    """Inputs of unlike sizes make a ravine of the loss: a rate that suits one weight does not suit another."""
    x = x.astype(np.float64)  # in which a constant column of float32 is constant
    if not np.isfinite(x).all():
        yield Finding("inputs that are not finite", f"{np.sum(~np.isfinite(x)):,} of {x.size:,} entries", "impute them")
        return
    deviation, size = x.std(axis=0), np.abs(x.mean(axis=0))
    varying = deviation > 1e-12 * (1 + size)
    if not varying.any():
        return
    uneven = deviation[varying].max() / deviation[varying].min()
    apart = (size[varying] / deviation[varying]).max()
    if max(uneven, apart) > UNEVEN:
        yield Finding(
            "inputs of unlike sizes",
            f"standard deviations differ by a factor of {uneven:.3g}, and a mean is up to {apart:.3g} of them from 0",
            "standardise the inputs: jaxnn.preprocessing.fit_arrays",
        )


def _of_weights(params: mlp.Params) -> Iterator[Finding]:
    """Units that are alike have gradients that are alike, and remain so for ever."""
    for k, (layer, following) in enumerate(pairwise(params), start=1):
        whole = [
            np.asarray(layer.w),
            *([] if layer.b is None else [np.asarray(layer.b)[None]]),
            np.asarray(following.w).T,
        ]
        distinct = len(np.unique(np.concatenate(whole).T, axis=0))
        if distinct < layer.w.shape[1]:
            yield Finding(
                f"units that are alike, hidden layer {k}",
                f"{layer.w.shape[1]} units, {distinct} different",
                "draw the weights at random (mlp.init does): equal units have equal gradients and stay equal",
            )
            return


def _of_gradients(seen: LayerStatistics, x: np.ndarray) -> Iterator[Finding]:
    """Between the last layer and the first a gradient is multiplied once a layer.

    In a ReLU network a factor on all weights scales every layer's gradient alike: there the signals tell, forwards.
    """
    first, last = float(seen.gradient[0]), float(seen.gradient[-1])
    if first == last == 0:
        yield Finding(
            "no gradient", "it is exactly 0 in every layer", "this is a stationary point: start from other weights"
        )
    elif first < VANISHING * last and (seen.weight[1:] > 0).all():  # a layer of zeros lets nothing through, at first
        yield Finding(
            "vanishing gradients",
            f"the first layer's is {first / last:.2g} of the last layer's",
            "relu, or tanh with glorot weights, in place of sigmoid; he_normal weights for relu; fewer layers",
        )
    elif first > EXPLODING * last > 0:
        yield Finding("exploding gradients", f"the first layer's is {first / last:.2g} times the last layer's", SMALLER)
    elif len(seen.spread) and seen.spread[-1] > EXPLODING * x.std(axis=0).mean() > 0:
        grown = seen.spread[-1] / x.std(axis=0).mean()
        yield Finding(
            "exploding signals and gradients",
            f"the last hidden layer varies {grown:.2g} times as much as the inputs",
            SMALLER,
        )


def _of_units(params: mlp.Params, x: np.ndarray, activation: Any, seen: LayerStatistics) -> Iterator[Finding]:
    """Units that pass nothing on, forwards or backwards."""
    dead = [k for k, share in enumerate(seen.dead) if share > DEAD]
    if dead:
        yield Finding(
            f"dead units, {_layers(dead)}",
            f"{_shares(seen.dead[dead])} have no slope on any row",
            "a lower learning rate, leaky_relu or elu, he_normal weights, biases that are not far below 0",
        )
    flat = [k for k, share in enumerate(seen.saturated) if share > SATURATED and not _rectifies(activation, k)]
    flat = [k for k in flat if k not in dead]
    if flat:
        yield Finding(
            f"saturated units, {_layers(flat)}",
            f"{_shares(seen.saturated[flat])} of outputs lie where the activation is flat",
            "standardised inputs, smaller weights (glorot_normal), or relu",
        )
    if len(params) > 1:
        _, kept = mlp.forward(params, x, activation=activation)
        size = float(np.sqrt(np.mean(np.square(kept.hidden[-1]))))
        if len(x) > 1 and float(seen.spread[-1]) <= COLLAPSED * size:
            yield Finding(
                "all rows look alike to the last layer",
                f"its inputs vary by {float(seen.spread[-1]):.2g}, at a size of {size:.2g}",
                "larger weights (the initialiser's gain for this activation), fewer layers, standardised inputs",
            )


def _layers(indices: Sequence[int]) -> str:
    """`hidden layer 3`, `hidden layers 1, 2, 5`, counted from 1."""
    return f"hidden layer{'s' * (len(indices) > 1)} {', '.join(str(k + 1) for k in indices)}"


def _shares(shares: Any) -> str:
    """`25 %`, or `25 to 60 %`."""
    low, high = (f"{100 * share:.0f}" for share in (shares.min(), shares.max()))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _rectifies(activation: Any, k: int) -> bool:
    """Whether the activation of hidden layer k is flat for half of all inputs by design, as ReLU is."""
    z = jnp.linspace(-4.0, 4.0, 80)
    return bool(jnp.mean(activations.derivative(activation[k])(z) == 0) > 0.4)


def _of_steps(seen: LayerStatistics) -> Iterator[Finding]:
    """A step that moves a weight by a tenth of its size forgets what was learnt; by a millionth, learns nothing."""
    if not np.nansum(seen.update):  # without an optimiser, or with a rate that begins at 0
        return
    k = int(np.nanargmax(seen.update))
    if seen.update[k] > FAST:
        yield Finding(
            "steps too long",
            f"the next one moves layer {k + 1} by {100 * seen.update[k]:.3g} % of its weights' size",
            "a learning rate a tenth as large, warmup_cosine, or clip_by_global_norm",
        )
    elif seen.update[k] < SLOW:
        yield Finding(
            "steps too short",
            f"the next one moves no layer by more than {seen.update[k]:.2g} of its weights' size",
            "a learning rate ten times as large",
        )


def _of_history(history: History) -> Iterator[Finding]:
    """What the curves of a run show."""
    loss = history.loss
    if np.isfinite(loss).sum() < 2 or not np.isfinite(loss[-1]):
        return
    lowest = int(np.nanargmin(loss))
    if loss[-1] > RISING * loss[lowest] > 0:
        yield Finding(
            "the loss rises again",
            f"it was {loss[lowest]:.4g} after epoch {lowest + 1} and is {loss[-1]:.4g} now",
            "a lower learning rate, or one that decays: schedules.exponential_decay, cosine",
        )
    validation = history.validation_loss
    if validation is None or not np.isfinite(validation).any():
        return
    best = int(np.nanargmin(validation))
    if validation[-1] > OVERFITTED * validation[best] > 0 and loss[-1] < loss[best]:
        yield Finding(
            "overfitting",
            f"the validation loss was {validation[best]:.4g} after epoch {best + 1} and is {validation[-1]:.4g} now; "
            f"the training loss went on down, from {loss[best]:.4g} to {loss[-1]:.4g}",
            "best_params instead of params, patience, weight decay (adamw, l2), dropout, fewer units, more data",
        )
