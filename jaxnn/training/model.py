"""A trained network with everything needed to use it: one value in memory, and by `training.save` one file on disk."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxnn import html
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PROBLEMS
from jaxnn.training import configuration, evaluation
from jaxnn.training.named_arrays import named
from jaxnn.types import Params
from jaxnn.wording import listed


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

    def _repr_html_(self) -> str:
        """What a notebook shows: the network, layer by layer, and what it predicts from what."""
        config = configuration.checked(self.config, self.preprocessing)
        sizes, names = config["sizes"], (*configuration.activation_names(config), "none")
        layers = [
            (f"{k + 1}", name, n_in, n_out, (n_in + config["bias"]) * n_out)
            for k, (name, (n_in, n_out)) in enumerate(zip(names, pairwise(sizes), strict=True))
        ]
        fitted = self.preprocessing
        return html.page(
            f"Model {'-'.join(map(str, sizes))}, {sum(layer[-1] for layer in layers):,} parameters",
            html.facts(
                {
                    "predicts": config["problem"] if fitted is None else f"{fitted.target_name} ({fitted.problem})",
                    "from": None if fitted is None else listed([column.name for column in fitted.columns], 12),
                }
            ),
            html.table(("layer", "activation", "inputs", "outputs", "parameters"), layers),
        )

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
        config = configuration.checked(self.config, self.preprocessing)
        outputs, problem = self._outputs(config, table, clip, fill_missing), config["problem"]
        evaluation.warn(self.preprocessing, table, {"clip": clip, "fill_missing": fill_missing})
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
        config = configuration.checked(self.config, self.preprocessing)
        problem = config["problem"]
        probabilities = None if problem is None else PROBLEMS[problem].probabilities
        if probabilities is None:
            raise ValueError("The model does not predict classes, so it has no probabilities: use predict.")
        outputs = self._outputs(config, table, clip, fill_missing)
        evaluation.warn(self.preprocessing, table, {"clip": clip, "fill_missing": fill_missing})
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
        return self._outputs(configuration.checked(self.config, self.preprocessing), table, clip, fill_missing)

    def _outputs(self, config: dict[str, Any], table: Any, clip: bool, fill_missing: bool) -> np.ndarray:
        """`outputs`, for a configuration that has been checked."""
        configuration.check_params(named(self.params), config)
        handling = {"clip": clip, "fill_missing": fill_missing}
        x = evaluation.inputs_of(table, self.preprocessing, config["sizes"][0], handling)
        x = evaluation.in_dtype(x, self.params[0].w.dtype)
        return evaluation.outputs_of(self.params, x, config["sizes"], configuration.activation_names(config))
