"""What `fit` measures at the end of each epoch, and which of these values decides which epoch is best."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn import checks
from jaxnn import metrics as named
from jaxnn.objective import Objective, split
from jaxnn.training import inputs
from jaxnn.training.epochs import METRICS, TRAINING_LOSS, VALIDATION_LOSS
from jaxnn.training.history import COLUMNS
from jaxnn.types import Params


def sort_metrics(
    objective: Callable[..., Any], params: Params, data: Any, metrics: Sequence[str | Callable[..., Any]]
) -> tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]:
    """The metrics by name: those that JAX can trace, and those to compute on the host."""
    if isinstance(metrics, str) or callable(metrics):
        raise TypeError(f"metrics must be a sequence, such as metrics=[{metrics!r}].")
    if metrics and not isinstance(objective, Objective):
        raise ValueError("Metrics need the network's outputs: pass an Objective(predict, loss) as the objective.")
    compiled: dict[str, Callable[..., Any]] = {}
    on_host: dict[str, Callable[..., Any]] = {}
    for metric in metrics:
        name, function = (metric, named.from_outputs(metric)) if isinstance(metric, str) else (_name(metric), metric)
        if name in compiled or name in on_host or name in (*COLUMNS, "epoch", "seconds"):
            raise ValueError(f"The metric name {name!r} is already used: give the function another __name__.")
        (compiled if isinstance(metric, str) or _traceable(function, objective, params, data) else on_host)[name] = (
            function
        )
    return compiled, on_host


def _name(metric: Callable[..., Any]) -> str:
    return getattr(metric, "__name__", type(metric).__name__)


def _traceable(metric: Callable[..., Any], objective: Any, params: Params, data: Any) -> bool:
    """Whether JAX can trace a metric: NumPy's and scikit-learn's functions raise a tracer's conversion error."""
    try:
        inspect.signature(metric).bind(None, None, None)
    except TypeError:
        raise TypeError(
            f"The metric {_name(metric)} must take (outputs, targets, weight), with raw outputs first. Wrap a function"
            f" of another library: lambda outputs, targets, weight: {_name(metric)}(targets, outputs.argmax(axis=1))."
        ) from None
    x, y, weight = split(data)
    outputs = inputs.shape_of_outputs(objective, params, x)
    try:
        value = jax.eval_shape(metric, outputs, y, weight)
        if jnp.shape(value) != ():
            raise TypeError(f"The metric {_name(metric)} must return one number, got shape {jnp.shape(value)}.")
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
        return False
    return True


def undefined(
    objective: Any, params: Params, data: Any, validation: Any, metrics: Sequence[Any], weight: Any, monitor: str | None
) -> list[str]:
    """Notes about named metrics that are undefined on the rows on which they would be measured.

    Raises:
        ValueError: one of them is monitored.
    """
    names = [metric for metric in metrics if isinstance(metric, str)]
    if not names:
        return []
    what, (x, y, _) = ("training set", split(data)) if validation is None else ("validation set", split(validation))
    found = inputs.undefined_metrics(names, inputs.shape_of_outputs(objective, params, x), y, weight)
    if monitor in found:
        raise ValueError(
            f"monitor={monitor!r} is undefined on the {what}: {found[monitor]}. Monitor another score, or provide "
            f"validation rows of every class."
        )
    return [undefined_note(name, what, why) for name, why in found.items()]


def undefined_note(name: str, what: str, why: str) -> str:
    """The note that a metric is undefined on a set of rows."""
    return f"{name} is undefined on the {what}, so it is nan in the history: {why}."


def monitored(
    monitor: str, compiled: Mapping[str, Any], on_host: Mapping[str, Any], higher: bool | None, *, validated: bool
) -> tuple[int, float]:
    """The column of a record that holds the score, and the sign that makes smaller better."""
    if monitor in on_host:
        raise ValueError(
            f"{monitor!r} is computed on the host between epochs, so it can't be monitored: write it in JAX."
        )
    columns = {"loss": TRAINING_LOSS} | ({"validation_loss": VALIDATION_LOSS} if validated else {})
    columns |= {name: METRICS + i for i, name in enumerate(compiled)}
    column = checks.one_of(monitor, columns, "monitor")
    if higher is None:
        if monitor in compiled and monitor not in named.HIGHER_IS_BETTER:
            raise ValueError(
                f"It is unknown whether a higher {monitor!r} is better: pass higher_is_better=True or False."
            )
        return column, named.sign(monitor)
    return column, -1.0 if higher else 1.0
