"""What every target takes from a model: its layers as NumPy arrays, the names of its activations, its preprocessing."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from jaxnn import activations, mlp
from jaxnn.preprocessing import Column, Preprocessing
from jaxnn.preprocessing.raw import reads_as_number
from jaxnn.training import Ensemble, Model, configuration, flatten
from jaxnn.wording import listed


class Network(NamedTuple):
    """A model, ready to be written down.

    Attributes:
        layers: (w, b) of each layer, w of shape (n_in, n_out), b of shape (n_out,) or None.
        activations: one name for each hidden layer.
        problem: "classes", "numbers", "counts", or None for raw outputs.
        fitted: what makes inputs of raw columns, and predictions of outputs; None if arrays are the inputs.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray | None], ...]
    activations: tuple[str, ...]
    problem: str | None
    fitted: Preprocessing | None

    @property
    def dtype(self) -> Any:
        """That of the parameters."""
        return self.layers[0][0].dtype

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes n_in, hidden, …, n_out."""
        return (len(self.layers[0][0]), *(w.shape[1] for w, _ in self.layers))


def network_of(model: Model | Ensemble, target: str, known: Collection[str] = tuple(activations.TABLE)) -> Network:
    """The network of a model, after its checks.

    Args:
        model: a trained network.
        target: the target in words, for messages.
        known: the names of the activations that the target has.

    Raises:
        ValueError: it is an ensemble, its parts do not fit together, or the target lacks what it needs.
    """
    if isinstance(model, Ensemble):
        raise ValueError(
            f"An ensemble of {len(model.models)} networks cannot be exported to {target}, which takes one network:"
            " train one (without --ensemble and --folds), or export each of its `models`."
        )
    config = configuration.checked(model.config, model.preprocessing)
    configuration.check_params(flatten(model.params), config, finite=True)
    names = configuration.activation_names(config)
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise ValueError(
            f"The activation {strange!r} has no counterpart in {target}: train with one of {listed([*known], 12)}."
        )
    layers = tuple((np.asarray(w), None if b is None else np.asarray(b)) for w, b in model.params)
    if layers[0][0].dtype not in (np.float32, np.float64):
        raise ValueError(
            f"The parameters are {layers[0][0].dtype}, and exports hold float32 or float64: convert them first."
        )
    return Network(layers, names, config["problem"], model.preprocessing)


def refuse_dates(fitted: Preprocessing | None, target: str) -> None:
    """Raises ValueError, naming the column, if the model reads dates."""
    dates = [column.name for column in (() if fitted is None else fitted.columns) if column.kind == "date"]
    if dates:
        raise ValueError(
            f"Column {dates[0]!r} holds dates, which {target} cannot read: train without it (drop=; --drop COLUMN), or"
            " with numbers made of it."
        )


def needed_columns(fitted: Preprocessing) -> list[Column]:
    """The columns that the model uses, in their order."""
    return [column for column in fitted.columns if column.needed]


def codes_of(fitted: Preprocessing, column: Column) -> list[float]:
    """The numbers that stand for a missing value in a column, such as -999."""
    return sorted({float(word) for word in (*fitted.missing, *column.absent) if reads_as_number(word)})


def params_of(layers: Any, dtype: Any) -> mlp.Params:
    """Parameters as `mlp.init` makes them, of (w, b) in NumPy's arrays."""
    import jax.numpy as jnp

    return tuple(mlp.Layer(jnp.asarray(w, dtype), None if b is None else jnp.asarray(b, dtype)) for w, b in layers)
