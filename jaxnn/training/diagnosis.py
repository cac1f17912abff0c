"""Explains what is wrong with a network, and what to try.

Each rule below looks at numbers measured on one batch, or at the history of a run, and reports a symptom, the evidence,
and what usually helps. Thresholds are named and generous: a healthy network gets no finding.
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
from jaxnn.training.nested_states import report
from jaxnn.training.statistics import LayerStatistics, layer_statistics
from jaxnn.types import Activation, Batch, OptimiserLike, OptState

VANISHING = 1e-3  # the first layer's gradient as a fraction of the last layer's
EXPLODING = 1e3
DEAD = 0.1  # fraction of a layer's units
SATURATED = 0.5  # fraction of a layer's outputs, over units and rows
FAST, SLOW = 0.1, 1e-6  # ‖ΔW‖ / ‖W‖ of one step
COLLAPSED = 1e-3  # spread of the last hidden layer's outputs over their size
UNEVEN = 100.0  # an input's largest standard deviation over the smallest; or an input's |mean| over its deviation
OVERFITTED = 1.1  # last validation loss over the smallest
RISING = 1.5  # last loss over the smallest

SMALLER = "smaller weights (initialisers: he_normal, glorot_normal); clip_by_global_norm before the optimiser"


class Finding(NamedTuple):
    """One problem that was found."""

    symptom: str  # a short name, such as "vanishing gradients"
    evidence: str  # the numbers that show it
    remedy: str  # what to try


class Diagnosis(NamedTuple):
    """What `diagnose` found, the most serious first; prints as a readable report."""

    findings: tuple[Finding, ...]
    statistics: LayerStatistics

    def __str__(self) -> str:
        """The findings, three lines each."""
        if not self.findings:
            return "No problem found: the numbers measured here look healthy."
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
    """Explains what is wrong with a network or a run, and what to try.

    Args:
        objective: J(params, batch) of a `jaxnn.mlp` network.
        params: the network's layers, before, during or after training.
        batch: (inputs, targets) or (inputs, targets, weight), a few hundred rows.
        activation: the activation of the objective's network.
        optimiser: its next step is examined too; that of a second-order method, which finds its own length, is not.
        opt_state: the optimiser's state; if None, the state before the first step.
        history: the `history` of a `Fit`.

    Raises:
        ValueError: inputs or activations do not fit the network, or the batch has no rows.
        TypeError: the optimiser is not an optimiser, or an activation is not a function.
    """
    if optimiser is not None and not isinstance(optimiser, OptimiserLike):
        raise TypeError(f"optimiser must have init and update, such as optimisers.adam(1e-3), got {optimiser!r}.")
    x = np.asarray(split(batch)[0])
    activation = mlp.per_layer(activation, len(params) - 1)
    value, grads = _value_and_gradient(structure.split(objective), params, batch)
    updates = None
    if optimiser is not None:
        state = optimiser.init(params) if opt_state is None else opt_state
        if report(state) is None:  # a method that reports on its steps finds their length itself
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
    """J or its gradient; if J and x are finite but the gradient is nan, the learning rate is not the cause."""
    names, wrong = faults.leaf_names(grads), jax.tree.map(np.asarray, faults.of_gradient(grads))
    either = wrong.nan | wrong.infinite
    where = f"not finite in {faults.listed(names, either)}" if either.any() else "finite"
    if bool(jnp.isfinite(value)) and np.isfinite(x).all() and wrong.nan.any():
        return Finding(
            "a gradient that is nan",
            f"J is {float(value):g}, which is finite, but the gradient is nan in {faults.listed(names, wrong.nan)}",
            faults.NO_DERIVATIVE,
        )
    return Finding(
        "not finite",
        f"J is {float(value):g}; the gradient is {where}",
        "a lower learning rate from the start, clip_by_global_norm, or inputs scaled to about 1",
    )


def _of_inputs(x: np.ndarray) -> Iterator[Finding]:
    """Inputs of very different scales make the loss a ravine: a rate that suits one weight does not suit another."""
    x = x.astype(np.float64)  # a constant float32 column has deviation 0 in float64
    if not np.isfinite(x).all():
        yield Finding(
            "inputs that are not finite", f"{np.sum(~np.isfinite(x)):,} of {x.size:,} entries", "fill in or remove them"
        )
        return
    deviation, size = x.std(axis=0), np.abs(x.mean(axis=0))
    varying = deviation > 1e-12 * (1 + size)
    if not varying.any():
        return
    uneven = deviation[varying].max() / deviation[varying].min()
    apart = (size[varying] / deviation[varying]).max()
    if max(uneven, apart) > UNEVEN:
        yield Finding(
            "inputs on very different scales",
            f"standard deviations differ by a factor of up to {uneven:.3g}; means are up to {apart:.3g} standard"
            " deviations from 0",
            "standardise the inputs: jaxnn.preprocessing.fit_arrays",
        )


def _of_weights(params: mlp.Params) -> Iterator[Finding]:
    """Identical units have identical gradients, so they stay identical."""
    for k, (layer, following) in enumerate(pairwise(params), start=1):
        whole = [
            np.asarray(layer.w),
            *([] if layer.b is None else [np.asarray(layer.b)[None]]),
            np.asarray(following.w).T,
        ]
        distinct = len(np.unique(np.concatenate(whole).T, axis=0))
        if distinct < layer.w.shape[1]:
            yield Finding(
                f"identical units, hidden layer {k}",
                f"{layer.w.shape[1]} units, of which only {distinct} are different",
                "random initial weights, as mlp.init draws them: identical units have identical gradients and stay so",
            )
            return


def _of_gradients(seen: LayerStatistics, x: np.ndarray) -> Iterator[Finding]:
    """On its way back to the first layer, the gradient is multiplied once per layer.

    In a ReLU network, a factor on all weights scales all layers' gradients alike; there, the hidden outputs show it.
    """
    first, last = float(seen.gradient[0]), float(seen.gradient[-1])
    if first == last == 0:
        yield Finding(
            "no gradient",
            "the gradient is exactly 0 in every layer",
            "other initial weights: this is a stationary point",
        )
    elif (
        first < VANISHING * last and (seen.weight[1:] > 0).all()
    ):  # a layer of zeros blocks the gradient at first, legitimately
        yield Finding(
            "vanishing gradients",
            f"the first layer's gradient is {first / last:.2g} times the last layer's",
            "relu, or tanh with glorot weights, instead of sigmoid; he_normal weights for relu; fewer layers",
        )
    elif first > EXPLODING * last > 0:
        yield Finding(
            "exploding gradients", f"the first layer's gradient is {first / last:.2g} times the last layer's", SMALLER
        )
    elif len(seen.spread) and seen.spread[-1] > EXPLODING * x.std(axis=0).mean() > 0:
        grown = seen.spread[-1] / x.std(axis=0).mean()
        yield Finding(
            "exploding signals and gradients",
            f"the last hidden layer's outputs vary {grown:.2g} times as much as the inputs",
            SMALLER,
        )


def _of_units(params: mlp.Params, x: np.ndarray, activation: Any, seen: LayerStatistics) -> Iterator[Finding]:
    """Units that pass on nearly nothing, forwards or backwards."""
    dead = [k for k, share in enumerate(seen.dead) if share > DEAD]
    if dead:
        yield Finding(
            f"dead units, {_layers(dead)}",
            f"{_shares(seen.dead[dead])} of the units have slope 0 on every row",
            "a lower learning rate, leaky_relu or elu, he_normal weights, or biases closer to 0",
        )
    flat = [k for k, share in enumerate(seen.saturated) if share > SATURATED and not _rectifies(activation, k)]
    flat = [k for k in flat if k not in dead]
    if flat:
        yield Finding(
            f"saturated units, {_layers(flat)}",
            f"{_shares(seen.saturated[flat])} of the outputs are where the activation is nearly flat",
            "standardised inputs, smaller weights (glorot_normal), or relu",
        )
    if len(params) > 1:
        _, kept = mlp.forward(params, x, activation=activation)
        size = float(np.sqrt(np.mean(np.square(kept.hidden[-1]))))
        if len(x) > 1 and float(seen.spread[-1]) <= COLLAPSED * size:
            yield Finding(
                "all rows look the same to the last layer",
                f"its inputs have a standard deviation of {float(seen.spread[-1]):.2g} at a size of {size:.2g}",
                "larger weights (the initialiser's gain for this activation), fewer layers, or standardised inputs",
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
    """A step of a tenth of the weights' size destroys what was learnt; one of a millionth learns nothing."""
    if not np.nansum(seen.update):  # without an optimiser, or with a rate that starts at 0
        return
    k = int(np.nanargmax(seen.update))
    if seen.update[k] > FAST:
        yield Finding(
            "steps too long",
            f"the next step changes layer {k + 1} by {100 * seen.update[k]:.3g} % of its weights' size",
            "a learning rate ten times smaller, warmup_cosine, or clip_by_global_norm",
        )
    elif seen.update[k] < SLOW:
        yield Finding(
            "steps too short",
            f"the next step changes no layer by more than {seen.update[k]:.2g} of its weights' size",
            "a learning rate ten times larger",
        )


def _of_history(history: History) -> Iterator[Finding]:
    """Problems that the curves of a run show."""
    loss = history.loss
    if np.isfinite(loss).sum() < 2 or not np.isfinite(loss[-1]):
        return
    lowest = int(np.nanargmin(loss))
    if loss[-1] > RISING * loss[lowest] > 0:
        yield Finding(
            "the loss rises again",
            f"it was {loss[lowest]:.4g} after epoch {lowest + 1} and is {loss[-1]:.4g} now",
            "a lower learning rate, or one that decays (schedules.exponential_decay, cosine)",
        )
    validation = history.validation_loss
    if validation is None or not np.isfinite(validation).any():
        return
    best = int(np.nanargmin(validation))
    if validation[-1] > OVERFITTED * validation[best] > 0 and loss[-1] < loss[best]:
        yield Finding(
            "overfitting",
            f"the validation loss was {validation[best]:.4g} after epoch {best + 1} and is {validation[-1]:.4g} now; "
            f"the training loss kept falling, from {loss[best]:.4g} to {loss[-1]:.4g}",
            "best_params instead of params, patience, weight decay (adamw, l2), dropout, fewer units, more data",
        )
