"""A trained network with everything needed to use it: one value in memory, one file on disk.

A file contains the parameters, the configuration that says how to compute with them, the preprocessing that turns a
raw table into inputs and outputs into predictions, and optionally the optimiser's state. It contains no code:
activations are names from the fixed table of `jaxnn.activations`. The loader trusts nothing: the names and shapes of
all parameters must follow from the configuration, and the preprocessing must fit the network's inputs and outputs.
"""

import itertools
import os
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, checks, mlp, optimisers
from jaxnn.preprocessing import Preprocessing, from_spec, remarks
from jaxnn.training import serialisation
from jaxnn.training.named_arrays import flatten
from jaxnn.types import OptimiserLike, Params

KIND = "model"
NETWORKS = {"mlp": mlp.apply}
PROBLEMS = {"classes": "the largest of k outputs is the prediction", "numbers": "the outputs are the prediction"}
CONFIG = {
    "network": "one of NETWORKS",
    "sizes": "n_in, hidden, …, n_out",
    "activation": "a name in activations.TABLE, or a list with one per hidden layer",
    "bias": "whether the layers have biases",
    "problem": "one of PROBLEMS, or null",
    "optimiser": "its name and numbers, as optimisers.spec writes them",
    "about": "notes, any JSON",
}
ROWS_AT_ONCE = 2**13
ENTRIES_AT_ONCE = 2**22  # numbers in the widest layer's outputs: 16 MiB in float32


class Model(NamedTuple):
    """A trained network, ready to predict.

    Attributes:
        params: as `mlp.init` makes them.
        config: how to compute with the parameters, in JSON's types. `sizes` is required. `activation` (default "relu")
            is a name in `activations.TABLE`, or a list with one per hidden layer; `bias` (default true) and `network`
            (default "mlp") say how the layers compute; `problem` is "classes", "numbers" or absent (raw outputs);
            `optimiser`, one of jaxnn's, is stored by name and numbers, and `optimisers.from_spec` restores it; `about`
            holds notes, such as the seed and the test results.
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
        problem = checked_config(self.config, self.preprocessing)["problem"]
        outputs = self.outputs(table, clip=clip, fill_missing=fill_missing)
        self._warn(table, clip, fill_missing)
        if problem == "classes":
            codes = outputs.argmax(axis=1)
            return codes if self.preprocessing is None else self.preprocessing.labels(codes)
        return outputs if self.preprocessing is None else self.preprocessing.numbers(outputs)

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
        if checked_config(self.config, self.preprocessing)["problem"] != "classes":
            raise ValueError("The model does not predict classes, so it has no probabilities: use predict.")
        outputs = self.outputs(table, clip=clip, fill_missing=fill_missing).astype(np.float64)
        self._warn(table, clip, fill_missing)
        relative = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return relative / relative.sum(axis=1, keepdims=True)

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
        config = checked_config(self.config, self.preprocessing)
        _check_params(flatten(self.params), config)
        dtype = self.params[0].w.dtype
        handling = {"clip": clip, "fill_missing": fill_missing}
        x = _inputs(table, self.preprocessing, config["sizes"][0], dtype, handling)
        outputs = np.empty((len(x), config["sizes"][-1]), dtype)
        # Powers of two, so tables of many lengths share few compiled programs.
        rows = min(ROWS_AT_ONCE, _power_of_two(ENTRIES_AT_ONCE // max(config["sizes"])), _power_of_two(2 * len(x) - 1))
        for start in range(0, len(x), rows):
            some = x[start : start + rows]
            padded = np.pad(some, ((0, rows - len(some)), (0, 0)))
            evaluated = _evaluate(self.params, padded, config["network"], _activation_names(config))
            outputs[start : start + rows] = np.asarray(evaluated)[: len(some)]
        _refuse_nonfinite(outputs, "The outputs overflow", "its inputs are far from those in training")
        return outputs

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
        config = checked_config(model.config, model.preprocessing)
        _check_params(flatten(model.params), config, finite=True)
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
        config = checked_config(spec["config"], fitted)
        groups: dict[str, dict[str, np.ndarray]] = {"params": {}, "state": {}}
        for name, array in tensors.items():
            group, _, rest = name.partition("/")
            if group not in groups:
                raise ValueError(f"it has an array {name}, which is not part of a model.")
            groups[group][rest] = array
        _check_params(groups["params"], config, finite=not allow_nonfinite)
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


def checked_config(config: Any, fitted: Preprocessing | None = None) -> dict[str, Any]:
    """A configuration with all its keys, in JSON's types.

    Args:
        config: as in `Model`.
        fitted: the preprocessing that the network's inputs and outputs must match.

    Raises:
        ValueError: a key or a value is unknown, or the preprocessing does not match.
        TypeError: `sizes` contains something other than whole numbers.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f'config must be a mapping such as {{"sizes": [4, 10, 3]}}, got {type(config).__name__}.')
    for key in config:
        checks.one_of(key, CONFIG, "key in config")
    sizes = config.get("sizes")
    if not isinstance(sizes, list | tuple) or len(sizes) < 2:
        raise ValueError(f"config['sizes'] must be a list of at least two layer sizes, got {_short(sizes)}.")
    for index, size in enumerate(sizes):
        checks.whole(1, **{f"config['sizes'][{index}]": size})
    checked = {
        "network": config.get("network", "mlp"),
        "sizes": [int(size) for size in sizes],
        "activation": config.get("activation", "relu"),
        "bias": config.get("bias", True),
        "problem": config.get("problem"),
        "about": config.get("about", {}),
    }
    if config.get("optimiser") is not None:
        checked["optimiser"] = _optimiser_spec(config["optimiser"])
    checks.one_of(checked["network"], NETWORKS, "network")
    if type(checked["bias"]) is not bool:
        raise ValueError(f"config['bias'] must be true or false, got {_short(checked['bias'])}.")
    _check_activation(checked)
    if fitted is not None:
        checked["problem"] = _problem_that_fits(checked, fitted)
    if checked["problem"] is not None:
        checks.one_of(checked["problem"], PROBLEMS, "problem")
    if checked["problem"] == "classes" and checked["sizes"][-1] < 2:
        raise ValueError(
            "config['sizes'] ends in 1 output, but a network for k classes needs k outputs, so two for yes or no."
        )
    return checked


def _optimiser_spec(given: Any) -> dict[str, Any]:
    """The optimiser by name and numbers, given as itself or so; a ValueError if no optimiser can be made of it."""
    if isinstance(given, OptimiserLike):
        return optimisers.spec(given)
    try:
        return optimisers.spec(optimisers.from_spec(given))
    except TypeError as error:
        raise ValueError(f"config['optimiser'] is not an optimiser of jaxnn: {error}") from None


def _check_activation(config: dict[str, Any]) -> None:
    """Raises ValueError unless the activation's names are known; turns a sequence into a list."""
    given, hidden = config["activation"], len(config["sizes"]) - 2
    if isinstance(given, tuple | list):
        config["activation"] = list(given)
        if len(given) != hidden:
            raise ValueError(
                f"config['activation'] must be one name, or one for each of the {hidden} hidden layers, "
                f"got {len(given)} names."
            )
    for name in given if isinstance(given, tuple | list) else [given]:
        if not isinstance(name, str):
            raise ValueError(
                f"config['activation'] must be a name such as 'relu', because no code is stored, got {_short(name)}."
            )
        checks.one_of(name, activations.TABLE, "activation")


def _activation_names(config: dict[str, Any]) -> tuple[str, ...]:
    """One name for each hidden layer of a checked configuration."""
    given = config["activation"]
    return tuple(given) if isinstance(given, list) else (given,) * (len(config["sizes"]) - 2)


def _problem_that_fits(config: dict[str, Any], fitted: Preprocessing) -> str:
    """The problem of the preprocessing; ValueError if the network's problem, inputs or outputs do not match."""
    if config["problem"] not in (None, fitted.problem):
        raise ValueError(
            f"config['problem'] is {_short(config['problem'])}, but the preprocessing is for {fitted.problem!r}."
        )
    n_in, n_out = config["sizes"][0], config["sizes"][-1]
    if len(fitted.input_names) != n_in:
        raise ValueError(f"The preprocessing makes {len(fitted.input_names)} inputs, but the network takes {n_in}.")
    wanted = len(fitted.class_names) if fitted.problem == "classes" else 1
    if wanted != n_out:
        raise ValueError(f"The preprocessing expects {wanted} outputs, but the network has {n_out}.")
    return fitted.problem


def _check_params(arrays: Mapping[str, Any], config: dict[str, Any], *, finite: bool = False) -> None:
    """Raises ValueError unless the parameters have exactly the names and shapes that follow from the configuration."""
    expected: dict[str, tuple[int, ...]] = {}
    for k, (n_in, n_out) in enumerate(itertools.pairwise(config["sizes"])):
        expected[f"{k}/w"] = (n_in, n_out)
        if config["bias"]:
            expected[f"{k}/b"] = (n_out,)
    strange = sorted(arrays.keys() ^ expected.keys())
    if strange:
        state = "lack" if strange[0] in expected else "have an unexpected"
        raise ValueError(
            f"The parameters {state} {strange[0]!r}: config['sizes'] and config['bias'] do not match them."
        )
    dtype = arrays["0/w"].dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"The parameters must be floating-point numbers, got {dtype}.")
    for name, shape in expected.items():
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise ValueError(
                f"The parameter {name} must be {dtype} {shape} according to the configuration, "
                f"got {arrays[name].dtype} {arrays[name].shape}."
            )
        if finite and not serialisation.is_finite(arrays[name]):
            raise ValueError(
                f"The parameter {name} has NaN or infinity, so the training diverged: save earlier parameters."
            )


def _inputs(
    table: Any, fitted: Preprocessing | None, n_in: int, dtype: Any, handling: Mapping[str, bool]
) -> np.ndarray:
    """The network's inputs for a table, (n, n_in), finite and in the network's dtype."""
    if fitted is not None:
        x = fitted.inputs(table, **handling)
    elif any(handling.values()):
        raise ValueError(
            "clip and fill_missing need the model's preprocessing, and it has none: clip and fill in values yourself."
        )
    elif isinstance(table, Mapping):
        raise ValueError(
            f"The model has no preprocessing, so it takes an array of shape (n, {n_in}), not named columns."
        )
    else:
        x = np.asarray(table)
        if x.ndim != 2 or not (x.dtype.kind in "biuf" or jnp.issubdtype(x.dtype, jnp.floating)):
            raise ValueError(f"The model takes an array of numbers of shape (n, {n_in}), got {x.dtype} {x.shape}.")
        if x.shape[1] != n_in:
            raise ValueError(f"The table has {x.shape[1]} columns, but the model was trained on {n_in}.")
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    _refuse_nonfinite(x, f"The inputs are not finite in {dtype}", "values are missing or too large")
    return x


def _refuse_nonfinite(rows: np.ndarray, what: str, why: str) -> None:
    """Raises ValueError naming the first row that is not finite, for which no prediction is possible."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{what} in row {int(np.argmin(finite)) + 1}: {why}.")


@partial(jax.jit, static_argnames=("network", "names"))
def _evaluate(params: Params, x: jax.Array, network: str, names: tuple[str, ...]) -> jax.Array:
    """The raw outputs of one call, (rows, n_out)."""
    return NETWORKS[network](params, x, activation=tuple(activations.TABLE[name] for name in names))


def _power_of_two(n: int) -> int:
    """The largest power of two that is at most n, or 1."""
    return 1 << (max(n, 1).bit_length() - 1)


def _short(value: Any) -> str:
    """A value of unknown size, shortened to fit into a message."""
    return repr(value)[:60]
