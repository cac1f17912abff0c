"""What `fit` and `fit_ensemble` do before the first step: check the data, split them, and choose what is measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxnn import checks
from jaxnn.objective import split
from jaxnn.training import inputs, scoring
from jaxnn.training.epochs import LOSS, TRAINING_LOSS, Plan, Sets
from jaxnn.training.history import Records
from jaxnn.types import OptimiserLike, Params

NEVER = 2**31 - 1
SPLIT_KEY = 2**31 - 2  # folded into the key for the validation split


class Prepared(NamedTuple):
    """The data, and what is measured on them."""

    sets: Sets
    traced_metrics: dict[str, Callable[..., Any]]
    host_metrics: dict[str, Callable[..., Any]]  # those that JAX can't trace
    monitored: str  # the name of the score
    column: int  # the column of a record that holds it
    sign: float  # -1 if a larger value is better, else 1
    notes: list[str]

    def plan(self, objective: Callable[..., Any], optimiser: OptimiserLike, rows: int, batch_size: int) -> Plan:
        """What is compiled, for this number of training rows."""
        metrics = tuple(self.traced_metrics.values())
        return Plan(objective, optimiser, rows, min(batch_size, rows), metrics, self.column, self.sign)

    def records(self) -> Records:
        """An empty history."""
        return Records(
            tuple(self.traced_metrics),
            tuple(self.host_metrics),
            validated=self.sets.validation is not None,
            training_loss=self.column == TRAINING_LOSS,
        )


def check_numbers(*, epochs: int, batch_size: int, patience: int | None, min_delta: float) -> None:
    """Checks the numbers that both functions take.

    Raises:
        ValueError: one is out of range.
        TypeError: one is not a number.
    """
    check_counts(epochs=epochs, batch_size=batch_size, patience=1 if patience is None else patience)
    checks.non_negative(min_delta=min_delta)


def check_counts(**counts: Any) -> None:
    """Raises ValueError or TypeError unless each is a whole number ≥ 1 that fits into int32."""
    for name, count in counts.items():
        checks.whole(1, **{name: count})
        if count > NEVER:
            raise ValueError(f"{name} must be below 2³¹, got {count}.")


def prepare(
    objective: Callable[..., Any],
    params: Params,
    data: Any,
    *,
    key: Any,
    validation: Any,
    patience: int | None,
    monitor: str | None,
    higher_is_better: bool | None,
    metrics: Sequence[str | Callable[..., Any]],
    class_weight: Mapping[int, float] | str | None,
    class_weight_on_validation: bool,
) -> Prepared:
    """The data on the device, checked and split; arguments and errors are those of `fit`."""
    notes: list[str] = []
    data = inputs.on_device(data, "training set")
    if isinstance(validation, int | float):
        split_key = jax.random.fold_in(key, SPLIT_KEY)
        data, validation, note = inputs.split_rows(data, float(validation), split_key)
        notes += [] if note is None else [note]
    elif validation is not None:
        validation = inputs.on_device(validation, "validation set")
    weights = inputs.class_weights(data[1], class_weight)
    metric_weight = split(data if validation is None else validation)[2]
    data = inputs.with_class_weight(data, weights, "training set")
    if validation is not None:
        on_validation = weights if class_weight_on_validation else None
        validation = inputs.with_class_weight(validation, on_validation, "validation set")
    inputs.rehearse(objective, params, data, "training set")
    if validation is not None:
        inputs.rehearse(objective, params, validation, "validation set")
    traced, on_host = scoring.sort_metrics(objective, params, data, metrics)
    notes += scoring.undefined(objective, params, data, validation, metrics, metric_weight, monitor)
    validated = validation is not None
    monitored = monitor or ("validation_loss" if validated else "loss")
    column, sign = scoring.monitored(monitored, traced, on_host, higher_is_better, validated=validated)
    if monitor is None and not validated and patience is None:
        column = LOSS  # which is computed anyway
    return Prepared(Sets(data, validation, metric_weight), traced, on_host, monitored, column, sign, notes)
