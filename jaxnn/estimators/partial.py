"""One epoch over the given rows, by an optimiser whose state is kept from call to call."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import experiments, structure, training
from jaxnn.estimators import learning, objectives
from jaxnn.estimators.learning import Before
from jaxnn.estimators.names import Choices
from jaxnn.estimators.targets import Targets
from jaxnn.training.steps import gather


class Epoch(NamedTuple):
    """What one epoch gives.

    Attributes:
        params: the parameters after it, as NumPy arrays.
        state: the optimiser's and the number of steps, as NumPy arrays.
        loss: the mean over its batches, in scikit-learn's units.
        recipe: every choice.
    """

    params: Any
    state: Any
    loss: float
    recipe: experiments.Recipe


def refuse_what_needs_runs(estimator: Any, choice: Choices) -> None:
    """Raises ValueError for parameters that only mean something for a whole run."""
    if estimator.early_stopping is True:
        raise ValueError("partial_fit does not support early_stopping=True: there is no last epoch to stop before.")
    if estimator.ensemble not in (None, 1):
        raise ValueError(f"partial_fit trains one network, got ensemble={estimator.ensemble!r}: use fit.")
    if choice.is_method:
        raise ValueError("partial_fit needs a first-order rule, such as 'adamw': methods of second order need fit.")


def epoch_of(
    estimator: Any, choice: Choices, rows: experiments.Rows, targets: Targets, *, seed: int, epoch: int,
    mean_weight: float, before: Before | None, state: Any,
) -> Epoch:  # fmt: skip
    """Trains for one epoch over the rows.

    Args:
        estimator: the estimator.
        choice: its choices.
        rows: the rows.
        targets: how they are read.
        seed: of the run.
        epoch: how many epochs came before.
        mean_weight: of the rows.
        before: what was learnt before, or None.
        state: that of `Epoch`, from the last call; None for a new optimiser.
    """
    n = len(rows.x)
    recipe = learning.recipe_of(choice, rows, small=n < learning.SMALL_TABLE)
    c = objectives.unit(rows.problem.loss, targets)
    start = (lambda params: params) if before is None else lambda params: learning.started_from(
        params, before.networks[0]
    )  # fmt: skip
    made = learning.built(
        rows, recipe, seed=seed, choice=choice, alpha=estimator.alpha, c=c, mean_weight=mean_weight, start=start
    )
    begun = training.init(made.optimiser, made.params, key=made.key)
    if state is not None:
        opt_state, step = state
        begun = begun._replace(opt_state=jax.tree.map(jnp.asarray, opt_state), step=jnp.asarray(step))
    order = np.asarray(training.order(made.key, epoch, n))
    whole = n - n % recipe.batch_size
    parts = [order[:whole].reshape(-1, recipe.batch_size), order[whole:].reshape(1, -1)]
    total = 0.0
    split = structure.split((made.objective, made.optimiser))
    for part in parts:
        if part.size:
            begun, losses = _steps(split, begun, rows.batch(slice(None)), part)
            total += float(np.sum(losses)) * part.shape[1]
    params, opt_state = jax.tree.map(np.asarray, (begun.params, begun.opt_state))
    return Epoch(params, (opt_state, np.asarray(begun.step)), total / n / c, recipe)


@functools.partial(jax.jit)
def _steps(split: Any, state: Any, data: Any, rows: Any) -> tuple[Any, Any]:
    """One step on each row of `rows`, (steps, batch); the state after them, and the losses (steps,)."""
    objective, optimiser = structure.restore(split)
    take = training.step(objective, optimiser, mean_weight=1.0 if len(data) == 3 else None)

    def body(state: Any, chosen: Any) -> tuple[Any, Any]:
        state, info = take(state, gather(data, chosen))
        return state, info.loss

    return jax.lax.scan(body, state, rows)
