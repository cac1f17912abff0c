"""One epoch over the given rows, by an optimiser whose state is kept from call to call."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import experiments, structure, training
from jaxnn.estimators import learning
from jaxnn.estimators.names import Choices
from jaxnn.estimators.rows import Task
from jaxnn.experiments.recipe import complete
from jaxnn.training.epochs import strong
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
        raise ValueError("partial_fit does not support early_stopping=True: it has no last epoch to stop before.")
    if estimator.ensemble not in (None, 1):
        raise ValueError(f"partial_fit trains one network, got ensemble={estimator.ensemble!r}: use fit.")
    if choice.is_method:
        raise ValueError("partial_fit needs a first-order rule, such as 'adamw': methods of second order need fit.")


def epoch_of(task: Task, *, epoch: int, state: Any) -> Epoch:
    """Trains for one epoch.

    Args:
        task: what is to be trained, and on which rows.
        epoch: how many epochs came before.
        state: that of the last `Epoch`; None for a new optimiser.
    """
    n = len(task.rows.x)
    recipe = _recipe_of(task)
    made = learning.built(task.rows, recipe, seed=task.seed, task=task)
    begun = training.init(made.optimiser, made.params, key=made.key)
    if state is not None and _same_form(state[0], begun.opt_state):
        opt_state, step = jax.tree.map(jnp.asarray, state)
        begun = begun._replace(opt_state=opt_state, step=step)
    begun = jax.tree.map(strong, begun)  # so that the first call and later ones are one program
    order = np.asarray(training.order(made.key, epoch, n))
    whole = n - n % recipe.batch_size
    total = 0.0
    split = structure.split((made.objective, made.optimiser))
    for batches in (order[:whole].reshape(-1, recipe.batch_size), order[whole:].reshape(1, -1)):
        if batches.size:
            begun, losses = _steps(split, begun, task.rows.batch(task.rows.split.train), batches)
            total += float(np.sum(losses)) * batches.shape[1]
    params, opt_state, step = jax.tree.map(np.asarray, (begun.params, begun.opt_state, begun.step))
    return Epoch(params, (opt_state, step), total / n / task.unit, recipe)


def _recipe_of(task: Task) -> experiments.Recipe:
    """The recipe of the first call, however many rows there are now, with what was chosen since."""
    if task.before is None:
        return learning.recipe_of(task)
    recipe = task.before.recipe._replace(**task.choice.recipe)
    return complete(recipe, rows=len(task.rows.x), problem=task.rows.problem)


def _same_form(state: Any, other: Any) -> bool:
    """Whether both are states of one optimiser, which may have been changed between two calls."""
    forms: list[Any] = [jax.tree.structure(each) for each in (state, other)]
    return bool(forms[0] == forms[1])


@jax.jit
def _steps(split: Any, state: Any, data: Any, batches: Any) -> tuple[Any, Any]:
    """One step on each row of `batches`, (steps, batch); the state after them, and the losses (steps,)."""
    objective, optimiser = structure.restore(split)
    take = training.step(objective, optimiser, mean_weight=1.0 if len(data) == 3 else None)

    def body(state: Any, chosen: Any) -> tuple[Any, Any]:
        state, info = take(state, gather(data, chosen))
        return state, info.loss

    return jax.lax.scan(body, state, batches)
