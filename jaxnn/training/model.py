"""A trained network with everything needed to use it: one value in memory, one file on disk.

A file contains the parameters, the configuration that says how to compute with them, the preprocessing that turns a
raw table into inputs and outputs into predictions, and optionally the optimiser's state. It contains no code:
activations are names from the fixed table of `jaxnn.activations`. The loader trusts nothing: the names and shapes of
all parameters must follow from the configuration, and the preprocessing must fit the network's inputs and outputs.
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnn import mlp
from jaxnn.preprocessing import Preprocessing, from_spec, remarks
from jaxnn.problems import PROBLEMS
from jaxnn.training import configuration, evaluation, serialisation
from jaxnn.training.named_arrays import flatten
from jaxnn.types import Params

KIND = "model"


class Model(NamedTuple):
    """A trained network, ready to predict.

    Attributes:
        params: as `mlp.init` makes them.
        config: how to compute with the parameters, in JSON's types. `sizes` is required. `activation` (default "relu")
            is a name in `activations.TABLE`, or a list with one per hidden layer; `bias` (default true) says whether
            the layers have biases; `network` is always "mlp"; `problem` is a name in `experiments.PROBLEMS` or absent
            (raw outputs); `optimiser`, one of jaxnn's, is stored by name and numbers, and `optimisers.from_spec`
            restores it; `about` holds notes, such as the seed and the test results.
        preprocessing: turns raw tables into inputs and outputs into predictions; None if arrays are the inputs.
        state: the optimiser's state, any pytree, or None. After `load` it is a flat dict, which
            `training.unflatten(model.state, like=optimiser.init(model.params))` restores.
    """

    params: Params
    config: Mapping[str, Any]
    preprocessing: Preprocessing | None = None
    state: Any = None

    def predict(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """Predictions for the rows of a table; a UserWarning says what makes them doubtful (`preprocessing.remarks`).

        Args:
            table: a raw table or an array, as `Preprocessing.inputs` takes it; without preprocessing a finite array of
                inputs, (n, n_in).
            clip: clip numbers to the range of their column in training.
            fill_missing: accept missing values in columns that had none in training: use the mean, or no category.

        Returns:
            With preprocessing, labels or numbers in the target's own units, (n,). Without, class codes (n,) where
            `config["problem"]` is "classes", else raw outputs (n, n_out).

        Raises:
            ValueError: the table does not match the one the model was trained on, or the outputs overflow.
        """
        problem = configuration.checked(self.config, self.preprocessing)["problem"]
        outputs = self.outputs(table, clip=clip, fill_missing=fill_missing)
        self._warn(table, clip, fill_missing)
        return outputs if problem is None else PROBLEMS[problem].predictions(self.preprocessing, outputs)

    def predict_probabilities(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """The probability of each class for the rows of a table: the softmax of the outputs.

        Args:
            table: as for `predict`.
            clip: as for `predict`.
            fill_missing: as for `predict`.

        Returns:
            float64 of shape (n, number of classes), in the order of the class codes; rows sum to 1.

        Raises:
            ValueError: as for `predict`; or the model does not predict classes.
        """
        problem = configuration.checked(self.config, self.preprocessing)["problem"]
        probabilities = None if problem is None else PROBLEMS[problem].probabilities
        if probabilities is None:
            raise ValueError("The model does not predict classes, so it has no probabilities: use predict.")
        outputs = self.outputs(table, clip=clip, fill_missing=fill_missing)
        self._warn(table, clip, fill_missing)
        return probabilities(outputs)

    def outputs(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """The network's raw outputs for the rows of a table, without warnings.

        Rows are evaluated chunk by chunk with one program, so the hidden layers of a million rows need little memory.

        Args:
            table: as for `predict`.
            clip: as for `predict`.
            fill_missing: as for `predict`.

        Returns:
            An array of shape (n, n_out) in the dtype of the parameters, finite.

        Raises:
            ValueError: as for `predict`.
        """
        config = configuration.checked(self.config, self.preprocessing)
        configuration.check_params(flatten(self.params), config)
        handling = {"clip": clip, "fill_missing": fill_missing}
        x = evaluation.inputs_of(table, self.preprocessing, config["sizes"][0], self.params[0].w.dtype, handling)
        return evaluation.outputs_of(self.params, x, config["sizes"], configuration.activation_names(config))

    def _warn(self, table: Any, clip: bool, fill_missing: bool) -> None:
        """Warns of what makes predictions for a table doubtful."""
        if self.preprocessing is not None:
            for remark in remarks(self.preprocessing, table, clip=clip, fill_missing=fill_missing):
                warnings.warn(f"{remark}.", stacklevel=3)


def save(path: str | os.PathLike[str], model: Model) -> None:
    """Writes a model to one file atomically: an existing file is replaced only once the new one is complete.

    The file is a valid safetensors file with a JSON description; see `jaxnn.training.serialisation`.

    Args:
        path: the file, such as "model.safetensors".
        model: the model; its state may be any pytree of arrays.

    Raises:
        ValueError: the configuration is invalid or does not fit the parameters or the preprocessing, or a parameter is
            not finite. Nothing is written.
        OSError: the system refuses; an existing file is unchanged.
    """
    try:
        config = configuration.checked(model.config, model.preprocessing)
        configuration.check_params(flatten(model.params), config, finite=True)
    except ValueError as error:
        raise ValueError(f"Cannot save {os.fspath(path)}: {error}") from None
    spec = {
        "config": config,
        "preprocessing": None if model.preprocessing is None else model.preprocessing.to_spec(),
    }
    serialisation.write(path, KIND, spec, flatten({"params": model.params, "state": model.state}))


def load(path: str | os.PathLike[str], *, allow_nonfinite: bool = False) -> Model:
    """Reads a model that `save` wrote; safe for files from anyone.

    Args:
        path: the file.
        allow_nonfinite: accept parameters with NaN or infinity, to examine a run that diverged.

    Returns:
        The model; parameters as JAX arrays, `state` as the flat dict that `training.unflatten` restores.

    Raises:
        ValueError: the file is damaged or not a model, or its parts do not fit together.
        OSError: the system refuses to read it.
    """
    # An optimiser's state may legitimately contain infinity, such as the best loss before the first step.
    spec, tensors = serialisation.read(path, KIND, allow_nonfinite=True)
    try:
        if set(spec) != {"config", "preprocessing"}:
            raise ValueError("its description is malformed.")
        fitted = None if spec["preprocessing"] is None else from_spec(spec["preprocessing"])
        config = configuration.checked(spec["config"], fitted)
        groups: dict[str, dict[str, np.ndarray]] = {"params": {}, "state": {}}
        for name, array in tensors.items():
            group, _, rest = name.partition("/")
            if group not in groups:
                raise ValueError(f"it has an array {name}, which is not part of a model.")
            groups[group][rest] = array
        configuration.check_params(groups["params"], config, finite=not allow_nonfinite)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is not a usable model: {error}") from None
    weights = {name: jnp.array(array) for name, array in groups["params"].items()}
    if weights["0/w"].dtype != groups["params"]["0/w"].dtype:
        warnings.warn(
            f"{os.fspath(path)} contains a float64 model, which was rounded to float32: to keep float64, call "
            'jax.config.update("jax_enable_x64", True) before loading.',
            stacklevel=2,
        )
    params = tuple(mlp.Layer(weights[f"{k}/w"], weights.get(f"{k}/b")) for k in range(len(config["sizes"]) - 1))
    return Model(params, config, fitted, groups["state"] or None)
