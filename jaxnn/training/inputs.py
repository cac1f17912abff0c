"""Checks the inputs of `fit` and `minimise` before the first step, as compiled loops cannot raise errors.

Shapes, lengths, types and values are checked once, on the host, so an error names the wrong row instead of a nan
appearing some epochs later.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks, losses
from jaxnn.objective import Objective, split, weighted_mean, with_mean_one
from jaxnn.types import Batch, Params

MOST_NAMED = 5  # the most classes that a message names


def on_device(data: Any, what: str) -> Batch:
    """The data as device arrays in JAX's default precision; weights are divided by their mean.

    Args:
        data: (inputs, targets) or (inputs, targets, weight); arrays, lists, or pytrees of arrays as inputs.
        what: the name of the data in messages.

    Raises:
        ValueError: lengths differ, there are no rows, a value is inf or nan (the message names row and column), an
            integer does not fit into the default precision, a weight is negative, or all are 0.
        TypeError: the data are not numbers.
    """
    x, y, weight = split(tuple(data) if isinstance(data, list) else data)
    inputs = jax.tree.map(lambda part: _numbers(part, f"the inputs of the {what}"), x, is_leaf=_is_array)
    targets = jax.tree.map(lambda part: _numbers(part, f"the targets of the {what}"), y, is_leaf=_is_array)
    rows = {part.shape[0] for part in jax.tree.leaves((inputs, targets))}
    if len(rows) != 1:
        lengths = [part.shape[0] for part in jax.tree.leaves((inputs, targets))]
        raise ValueError(f"Inputs and targets of the {what} must have the same number of rows, got {lengths}.")
    if rows == {0}:
        raise ValueError(f"The {what} has no rows: give at least one.")
    if weight is None:
        return inputs, targets
    return inputs, targets, weight_of_mean_one(weight, rows.pop(), f"weight of the {what}")


def real_inputs(objective: Objective, params: Params, batch: Batch) -> Batch:
    """The batch with integer inputs cast to the parameters' dtype, because 60⁶ overflows int32.

    Inputs are unchanged if predict takes them as indices, or if they are a pytree.
    """
    x, *rest = batch
    if not (isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.integer)):
        return batch
    real = x.astype(jnp.result_type(*jax.tree.leaves(params)))
    try:
        jax.eval_shape(objective.outputs, params, real)
    except TypeError:  # from an index that is not an integer; any other error is raised where the batch is used
        return batch
    return (real, *rest)


def with_class_weight(data: Batch, weights: Mapping[int, float] | None, what: str) -> Batch:
    """The data with each row's weight multiplied by that of its class, then divided by the mean weight.

    Args:
        data: the data; class weights need integer targets (rows,).
        weights: class -> weight, as `class_weights` returns them.
        what: the name of the data in messages.

    Raises:
        ValueError: every row's weight is 0.
    """
    x, y, weight = split(data)
    rows = jax.tree.leaves(x)[0].shape[0]
    if weights is None:
        return data if weight is None else (x, y, weight_of_mean_one(weight, rows, f"weight of the {what}"))
    classes, codes = np.unique(_labels(y), return_inverse=True)
    factors = np.array([weights.get(label, 1.0) for label in classes.tolist()], float)
    own = np.ones(rows) if weight is None else np.asarray(weight, np.float64)
    return x, y, weight_of_mean_one(own * factors[codes], rows, f"class_weight in the {what}")


def class_weights(targets: Any, class_weight: Mapping[int, float] | str | None) -> Mapping[int, float] | None:
    """The weight of each class, by class number.

    Args:
        targets: the training rows' targets, integers (rows,).
        class_weight: class -> weight ≥ 0 (classes not named keep 1), or "balanced": rows / (classes · rows of class).

    Raises:
        ValueError: the targets are not classes, a class does not occur, or a weight is out of range.
        TypeError: `class_weight` is neither a mapping nor a string.
    """
    if class_weight is None:
        return None
    labels = _labels(targets)
    classes, counts = np.unique(labels, return_counts=True)
    if not isinstance(class_weight, str | Mapping):
        raise TypeError(f"class_weight must be 'balanced' or a mapping class -> weight, got {class_weight!r}.")
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight must be 'balanced' or a mapping class -> weight, got {class_weight!r}.")
        return dict(zip(classes.tolist(), (len(labels) / (len(classes) * counts)).tolist(), strict=True))
    absent = sorted(set(class_weight) - set(classes.tolist()))
    if absent:
        raise ValueError(
            f"class_weight names class {absent[0]}, but no row has it; the classes are {classes.tolist()}."
        )
    for label, factor in class_weight.items():
        checks.non_negative(**{f"class_weight[{label}]": factor})
    return class_weight


def _labels(targets: Any) -> np.ndarray:
    labels = np.asarray(targets)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"class_weight needs integer targets of shape (rows,), got {labels.dtype} {labels.shape}.")
    return labels


def split_rows(data: Batch, fraction: float, key: Any) -> tuple[Batch, Batch, str | None]:
    """Splits the rows at random: (training, validation, a note or None).

    Classes are split in equal proportions. Targets are classes if they are integers, booleans, numbers that are all 0
    or 1, or one-hot rows, with at least two rows per class on average. Every class of two rows or more is in both parts
    if the smaller part has room for all; the note names the classes without validation rows.

    Raises:
        ValueError: one of the parts would be empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation must be a fraction in (0, 1) or a data set, got {fraction!r}.")
    rows = jax.tree.leaves(data[0])[0].shape[0]
    held_out = round(rows * fraction)
    if not 0 < held_out < rows:
        raise ValueError(
            f"validation={fraction!r} splits {rows} rows into {rows - held_out} for training and {held_out} for"
            f" validation, and both need at least 1: choose another fraction."
        )
    shuffled = np.asarray(jax.random.permutation(key, rows))
    found = _classes(data[1])
    note = None
    if found is None:
        chosen = shuffled[:held_out]
    else:
        names, codes = found
        counts = np.bincount(codes)
        shares = _shares(counts, held_out)
        of_class = [shuffled[codes[shuffled] == code] for code in range(len(counts))]
        chosen = np.concatenate([members[:share] for members, share in zip(of_class, shares, strict=True)])
        note = _not_validated(names, counts, shares, fraction)
    in_validation = np.zeros(rows, bool)
    in_validation[chosen] = True

    def take(wanted: np.ndarray) -> Batch:
        return jax.tree.map(lambda part: part[np.flatnonzero(wanted)], data)

    return take(~in_validation), take(in_validation), note


def _classes(targets: Any) -> tuple[list[Any], np.ndarray] | None:
    """The name of each class, and each row's code; None if the targets are not classes."""
    if not isinstance(targets, jax.Array) or targets.ndim > 2:
        return None
    labels = np.asarray(targets)
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            return None
        labels = labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if labels.dtype.kind not in "biu" and not ((labels == 0) | (labels == 1)).all():
        return None
    names, codes = np.unique(labels, return_inverse=True)
    return (names.tolist(), codes) if 2 * len(names) <= len(labels) else None


def _shares(counts: np.ndarray, held_out: int) -> np.ndarray:
    """How many rows of each class to hold out, `held_out` in total.

    In proportion, rounded down. The remaining rows go first to classes that would have none and can spare one, then to
    those with the largest remainder.
    """
    due = counts * held_out / counts.sum()
    shares = np.minimum(np.floor(due).astype(int), np.maximum(counts - 1, 0))
    while (left := held_out - int(shares.sum())) > 0:
        room = shares < counts - 1  # each class keeps a row to train on,
        if not room.any():
            room = shares < counts  # unless too many are held out for that
        wanted = np.where(room, due - shares + (shares == 0), -np.inf)
        best = np.argsort(-wanted, kind="stable")[: min(left, int(room.sum()))]
        shares[best] += 1
    return shares


def _not_validated(names: list[Any], counts: np.ndarray, shares: np.ndarray, fraction: float) -> str | None:
    """A note on the classes without validation rows, or None."""
    absent = np.flatnonzero(shares == 0)
    if not len(absent):
        return None
    shown = ", ".join(
        f"{names[code]} ({counts[code]} {'row' if counts[code] == 1 else 'rows'})" for code in absent[:MOST_NAMED]
    )
    more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
    return (
        f"validation={fraction:g} leaves no validation rows of class {shown}{more}, so nothing is known about how well"
        f" they are predicted. Hold out a larger fraction, or collect more of their rows."
    )


def undefined_metrics(names: Sequence[str], outputs: jax.ShapeDtypeStruct, targets: Any, weight: Any) -> dict[str, str]:
    """Which of the named metrics are undefined on these rows whatever the outputs are, and why.

    Args:
        names: names in `jaxnn.metrics`.
        outputs: shape and dtype of the network's outputs, (n, k) or (n,).
        targets: (n,), (n, 1) or one-hot (n, k).
        weight: (n,) or None.
    """
    if "roc_auc" not in names:
        return {}
    columns = outputs.shape[1] if len(outputs.shape) == 2 else 1
    labels = np.asarray(targets)
    labels = labels.argmax(axis=1) if columns > 1 and labels.ndim == 2 else labels.reshape(-1)
    present = np.bincount(labels.astype(int), None if weight is None else np.asarray(weight), minlength=max(columns, 2))
    if present.all():
        return {}
    absent = ", ".join(map(str, np.flatnonzero(present == 0)[:MOST_NAMED]))
    return {"roc_auc": f"it needs rows of every class, and there are none (of weight > 0) of class {absent}"}


def check_params(params: Params) -> None:
    """Refuses parameters from which no run can start.

    Raises:
        ValueError: a leaf is not of floating-point numbers, or has one that is not finite.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path)
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ValueError(f"params{name} must be floating-point numbers, got {jnp.result_type(leaf)}.")
        if not np.isfinite(np.asarray(leaf, np.float64)).all():
            raise ValueError(f"params{name} contains nan or inf: start from finite parameters.")


def rehearse(objective: Callable[..., Any], params: Params, data: Any, what: str) -> None:
    """Evaluates the loss once with concrete targets, which finds labels out of range; trains nothing.

    Raises:
        ValueError: the loss or the network rejects shapes or labels, or parameters are not finite.
    """
    check_params(params)
    if not isinstance(objective, Objective):
        return
    x, y, weight = split(data)
    shape = shape_of_outputs(objective, params, x)

    def mean_loss(outputs: Any) -> jax.Array:
        try:
            found = objective.loss(outputs, y)
        except (ValueError, TypeError) as error:
            raise type(error)(f"In the {what}: {error}") from None
        if found.shape != shape.shape[:1]:
            raise ValueError(
                f"The loss must return one number per example, shape {shape.shape[:1]}, got shape {found.shape}."
            )
        return weighted_mean(found, weight)

    if _looks_at_labels_as_given(objective.loss):
        jax.eval_shape(mean_loss, shape)  # computes and compiles nothing
    else:
        mean_loss(jnp.zeros(shape.shape, shape.dtype))


def _looks_at_labels_as_given(loss: Callable[..., Any]) -> bool:
    """Whether a loss checks its targets with NumPy while its outputs are traced, as ours do."""
    while isinstance(loss, partial):
        loss = loss.func
    return any(loss is one for one in losses.TABLE.values())


def shape_of_outputs(objective: Objective, params: Params, x: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of the outputs, without computing anything or tracing twice."""
    return _jitted_outputs.eval_shape(objective, params, x)


_jitted_outputs = jax.jit(lambda objective, params, x: objective.outputs(params, x))


def _is_array(part: Any) -> bool:
    return isinstance(part, list | np.ndarray | jax.Array)


def _numbers(values: Any, what: str) -> jax.Array:
    known = np.asarray(values)
    if known.ndim == 0:
        raise ValueError(f"{what} must have rows, got a single number.")
    if known.dtype.kind not in "biuf" and not jnp.issubdtype(known.dtype, jnp.floating):
        raise TypeError(f"{what} must be numbers, got {known.dtype}.")
    if known.dtype.kind in "iu" and known.size:
        limit = np.iinfo(jnp.result_type(int))
        if known.min() < limit.min or known.max() > limit.max:
            raise ValueError(f"{what} contain an integer that does not fit into {limit.dtype}: {int(known.max())}.")
    if known.dtype.kind == "f":
        wrong = ~np.isfinite(known)
        if wrong.any():
            raise ValueError(
                f"{what} contain {known[wrong][0]} in {_place(wrong)}: remove the row or fill in the value."
            )
    with np.errstate(over="ignore"):  # checked below, with its own message
        converted = jnp.asarray(known)
    if known.dtype.kind == "f" and known.dtype.itemsize > converted.dtype.itemsize:
        overflowed = ~np.isfinite(np.asarray(converted))
        if overflowed.any():
            raise ValueError(
                f"{what} contain {known[overflowed][0]} in {_place(overflowed)}, too large for float32: rescale them."
            )
    return converted


def _place(wrong: np.ndarray) -> str:
    row, *column = (int(i) for i in np.argwhere(wrong)[0])
    return f"row {row}" + "".join(f", column {i}" for i in column) + " (counted from 0)"


def weight_of_mean_one(weight: Any, rows: int, what: str) -> jax.Array:
    """The weights divided by their mean, in float64, in which none underflows.

    Args:
        weight: (rows,) ≥ 0.
        rows: how many there must be.
        what: the name of the weights in messages.

    Raises:
        ValueError: the shape is another, or a weight is negative or not finite, or all are 0.
        TypeError: they are not numbers.
    """
    known = np.asarray(weight)
    if known.dtype.kind not in "biuf" and not jnp.issubdtype(known.dtype, jnp.floating):
        raise TypeError(f"{what} must be numbers, got {known.dtype}.")
    if known.shape != (rows,):
        raise ValueError(f"{what} must have shape ({rows},), one per row, got {known.shape}.")
    known = known.astype(np.float64)
    if not np.isfinite(known).all():
        wrong = ~np.isfinite(known)
        raise ValueError(f"{what} contains {known[wrong][0]} in {_place(wrong)}: remove the row or fill in the value.")
    if (known < 0).any():
        row = int(np.argmax(known < 0))
        raise ValueError(f"{what} must be ≥ 0, got {known[row]} in row {row}.")
    if not known.any():
        raise ValueError(f"{what} is 0 in every row: give some rows a weight > 0.")
    return jnp.asarray(with_mean_one(known))
