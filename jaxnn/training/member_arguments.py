"""The arguments of `fit_ensemble`: one for all members, or one for each, stacked along a leading axis."""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import factories, structure
from jaxnn.objective import split
from jaxnn.training import inputs, scoring
from jaxnn.training.lockstep import Share
from jaxnn.training.preparation import Prepared, check_counts
from jaxnn.types import OptimiserLike, Params


def number_of_members(params: Params, key: Any) -> int:
    """The number of members."""
    if not hasattr(key, "dtype") or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.ndim > 1:
        raise TypeError(f"key must be a PRNG key such as jax.random.key(0), or an array of them, got {key!r}.")
    lengths = {
        f"params{jax.tree_util.keystr(path)}": np.shape(leaf)[:1]
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }
    lengths |= {"key": key.shape} if key.ndim else {}
    if len(set(lengths.values())) != 1 or () in lengths.values():
        shown = ", ".join(f"{name} {length[0] if length else 'none'}" for name, length in lengths.items())
        raise ValueError(f"Every leaf of params needs a leading axis of the same number of members, got {shown}.")
    count = next(iter(lengths.values()))[0]
    if not count:
        raise ValueError("params have a leading axis of 0 members: an ensemble has at least one.")
    return count


def stacked(what: str, given: Any, count: int) -> tuple[Any, int | None]:
    """One tree for all members, and its axis of members for `vmap`: 0 on every number, or None if all share it."""
    if isinstance(given, Sequence) and not isinstance(given, str | OptimiserLike):
        if len(given) != count:
            raise ValueError(f"There are {count} members by params, but {len(given)} in {what}.")
        trees = [structure.split(each) for each in given]
        different = next((i for i, each in enumerate(trees) if _form(each) != _form(trees[0])), None)
        if different is not None:
            raise ValueError(
                f"{what}[0] and {what}[{different}] differ in more than numbers, {given[0]!r} and {given[different]!r}:"
                " they cannot be trained as one program: train them in two ensembles. (A 0 may mean that a term is"
                " absent: optimisers.stack takes zeros among other numbers.)"
            )
        return structure.restore(jax.tree.map(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *trees)), 0
    leaves = jax.tree.leaves(given) if isinstance(given, OptimiserLike) else []
    if leaves and all(np.shape(leaf)[:1] == (count,) for leaf in leaves):  # from `optimisers.stack`
        return given, 0
    like_a_stack = leaves and all(np.ndim(leaf) == 1 and len(leaf) == len(leaves[0]) for leaf in leaves)
    if like_a_stack and (len(leaves) > 1 or factories.made_by(given) is not None):
        raise ValueError(f"There are {count} members by params, but {len(leaves[0])} in {what}.")
    return given, None


def _form(tree: Any) -> Any:
    return jax.tree.structure(tree), [np.shape(leaf) for leaf in jax.tree.leaves(tree)]


def picked(given: Any, axis: int | None, chosen: Any) -> Any:
    """The tree of the chosen members, by number; the tree itself if all share it, with the axis None."""
    if axis is None:
        return given
    return structure.restore(jax.tree.map(lambda leaf: _weak(np.asarray(leaf)[chosen], chosen), structure.split(given)))


def _weak(numbers: Any, chosen: Any) -> Any:
    """Numbers, one for each chosen member, that like Python's take the dtype of the parameters that they meet.

    As float64 they would make the state of a second-order method float64 under `jax_enable_x64`, beside float32
    parameters.
    """
    if numbers.ndim > np.ndim(chosen) or not jnp.issubdtype(numbers.dtype, jnp.floating):
        return numbers  # an array for each member, which `fit` does not take for a number either
    return jnp.full(numbers.shape, 0.0).at[...].set(numbers)  # `full` of a Python number is weak, and stays so


def epochs_of_each(epochs: Any, count: int) -> np.ndarray:
    """Each member's number of epochs, (members,); checked."""
    each = [epochs] * count if np.ndim(epochs) == 0 else list(epochs)
    if len(each) != count:
        raise ValueError(f"There are {count} members by params, but {len(each)} in epochs.")
    for i, one in enumerate(each):
        check_counts(**{"epochs" if np.ndim(epochs) == 0 else f"epochs[{i}]": one})
    return np.array(each, np.int32)


def chosen_by_hook(told: Any, running: list[int]) -> set[int]:
    """The members that a hook returned, checked."""
    try:
        chosen = [operator.index(number) for number in told]
    except TypeError:
        raise TypeError(
            f"hook must return the numbers of the members to end, such as [2, 5], or [] for none, got {told!r}."
        ) from None
    strangers = sorted(set(chosen) - set(running))
    if strangers:
        raise ValueError(
            f"hook returned member {strangers[0]}, which is not running; those that are:"
            f" {', '.join(map(str, running))}."
        )
    return set(chosen)


def row_numbers(what: str, given: Any, count: int, total: int) -> list[np.ndarray] | None:
    """Each member's rows, checked."""
    if given is None:
        return None
    if len(given) != count:
        raise ValueError(f"There are {count} members by params, but {len(given)} in {what}.")
    found = [np.asarray(each) for each in given]
    for i, each in enumerate(found):
        if each.ndim != 1 or each.dtype.kind not in "iu" or not each.size:
            raise ValueError(f"{what}[{i}] must be a list of row numbers, got {each.dtype} of shape {each.shape}.")
        if each.min() < 0 or each.max() >= total:
            raise ValueError(f"{what}[{i}] has row {each.min() if each.min() < 0 else each.max()}; rows are numbered"
                             f" from 0 to {total - 1}.")  # fmt: skip
    return [each.astype(np.int32) for each in found]


def balancing(targets: Any, rows: Sequence[np.ndarray], others: Any) -> np.ndarray:
    """Each member's "balanced" class weights, by the classes of its own rows, (members, other rows).

    Args:
        targets: of all rows of the data.
        rows: each member's.
        others: the targets of the rows whose weights are wanted; a class that a member does not have keeps 1.
    """
    own = [inputs.class_weights(np.asarray(targets)[chosen], "balanced") or {} for chosen in rows]
    classes, codes = np.unique(np.asarray(others), return_inverse=True)
    return np.array([[weights.get(label, 1.0) for label in classes.tolist()] for weights in own])[:, codes]


def weights_of_rows(
    given: Any, training: Any, rows: list[np.ndarray] | None, count: int, factors: np.ndarray | None = None
) -> Any:
    """Each member's weights of all rows, with mean 1 over its own; None if there are none, or all share them.

    Args:
        given: (members, rows), or None for those of the data.
        training: the data.
        rows: each member's, or None for all.
        count: the number of members.
        factors: (members, rows), which multiply them; or None.
    """
    if given is None and factors is None and (len(training) == 2 or rows is None):
        return None
    total = jax.tree.leaves(training[0])[0].shape[0]
    shared = np.ones(total) if len(training) == 2 else np.asarray(training[2], np.float64)
    each = np.ones((count, total)) if given is None else np.asarray(given, np.float64)
    if each.shape != (count, total):
        raise ValueError(f"weights must have shape {(count, total)}, one per member and row, got {each.shape}.")
    found, what = [], "weights" if given is not None else "weight of rows"
    for i, weight in enumerate(each * shared * (1.0 if factors is None else factors)):
        chosen = slice(None) if rows is None else rows[i]
        normalised = inputs.weight_of_mean_one(weight[chosen], weight[chosen].size, f"{what}[{i}]")
        full = np.zeros(total)
        full[chosen] = np.asarray(normalised, np.float64)
        found.append(full)
    return np.stack(found)


def first_notes(
    ready: Prepared, objective: Any, params: Params, shares: Sequence[Share], metrics: Sequence[Any]
) -> list[list[str]]:
    """Each member's notes before its first step: which metrics are undefined on the rows on which it measures them.

    Raises:
        ValueError: the monitored one is, because the rows lack a class.
    """
    validated = ready.sets.validation is not None
    what, argument = ("validation set", "validation_rows") if validated else ("training set", "rows")
    x, y, _ = split(ready.sets.validation if validated else ready.sets.training)
    names = [metric for metric in metrics if isinstance(metric, str)]
    notes = []
    for i, share in enumerate(shares):
        rows = share.validation_rows if validated else share.rows
        weight = ready.sets.metric_weight if share.metric_weight is None else share.metric_weight
        if not names or (rows is None and share.metric_weight is None):
            notes.append(list(ready.notes))
            continue
        chosen = slice(None) if rows is None else rows
        targets = jax.tree.map(lambda part, chosen=chosen: np.asarray(part)[chosen], y)
        found = inputs.undefined_metrics(
            names,
            inputs.shape_of_outputs(objective, params, x),
            targets,
            None if weight is None else np.asarray(weight)[chosen],
        )
        if ready.monitored in found:
            raise ValueError(
                f"monitor={ready.monitored!r} is undefined on {argument}[{i}]: {found[ready.monitored]}. Monitor"
                " another score, or stratify the folds by class."
            )
        notes.append([scoring.undefined_note(name, what, why) for name, why in found.items()])
    return notes
