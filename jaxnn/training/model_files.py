"""A model or an ensemble as one file.

A file contains the parameters, the configuration that says how to compute with them, the preprocessing that turns a
raw table into inputs and outputs into predictions, and optionally the optimiser's state. An ensemble's contains all
that of every member, each different preprocessing once, and the weights. It contains no code: activations are names
from the fixed table of `jaxnn.activations`. The loader trusts nothing: the names and shapes of all parameters must
follow from the configuration, the preprocessing must fit the network's inputs and outputs, and members one another.

    model       {"config": …, "preprocessing": … or null}                       params/0/w, state/…
    ensemble    {"models": [{"config": …, "preprocessing": index or null}, …],   0/params/0/w, 1/params/0/w, …
                 "weights": […], "preprocessing": index or null, "preprocessings": […], "about": {…}}
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnn import mlp
from jaxnn.preprocessing import Preprocessing, from_spec
from jaxnn.training import configuration, ensemble_model, serialisation
from jaxnn.training.ensemble_model import Ensemble
from jaxnn.training.headers import Spec, Tensors
from jaxnn.training.model import Model
from jaxnn.training.named_arrays import flatten

MODEL, ENSEMBLE = "model", "ensemble"


def save(path: str | os.PathLike[str], model: Model | Ensemble) -> None:
    """Writes a model or an ensemble to one file atomically: an existing file is replaced once the new one is complete.

    The file is a valid safetensors file with a JSON description; see `jaxnn.training.serialisation`.

    Args:
        path: the file, such as "model.safetensors".
        model: the model, whose state may be any pytree of arrays; or an ensemble, whose models of weight 0 are left
            out.

    Raises:
        ValueError: the configuration is invalid or does not fit the parameters or the preprocessing, members do not fit
            together, or a parameter is not finite. Nothing is written.
        OSError: the system refuses; an existing file is unchanged.
    """
    try:
        kind, spec, tree = _described_ensemble(model) if isinstance(model, Ensemble) else _described(model)
    except ValueError as error:
        raise ValueError(f"Cannot save {os.fspath(path)}: {error}") from None
    serialisation.write(path, kind, spec, flatten(tree))


def load(path: str | os.PathLike[str], *, allow_nonfinite: bool = False) -> Model | Ensemble:
    """Reads a model or an ensemble that `save` wrote; safe for files from anyone.

    Args:
        path: the file.
        allow_nonfinite: accept parameters with NaN or infinity, to examine a run that diverged.

    Returns:
        What was saved; parameters as JAX arrays, a model's `state` as the flat dict that `training.unflatten` restores.
        Both predict alike. Where only one network will do, ask `isinstance(loaded, training.Model)`.

    Raises:
        ValueError: the file is damaged or not a model, or its parts do not fit together.
        OSError: the system refuses to read it.
    """
    # An optimiser's state may legitimately contain infinity, such as the best loss before the first step.
    kind, spec, tensors = serialisation.read_one_of(path, (MODEL, ENSEMBLE), allow_nonfinite=True)
    try:
        read = _ensemble_from if kind == ENSEMBLE else _model_from
        loaded = read(spec, tensors, finite=not allow_nonfinite)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is not a usable {kind}: {error}") from None
    networks = {f"{i}/": each for i, each in enumerate(loaded.models)} if isinstance(loaded, Ensemble) else {"": loaded}
    if any(each.params[0].w.dtype != tensors[f"{where}params/0/w"].dtype for where, each in networks.items()):
        warnings.warn(
            f"{os.fspath(path)} contains a float64 model, which was rounded to float32: to keep float64, call "
            'jax.config.update("jax_enable_x64", True) before loading.',
            stacklevel=2,
        )
    return loaded


def _described(model: Model) -> tuple[str, Spec, Any]:
    """The kind, the description and the tree of arrays of a model, after its checks."""
    config = configuration.checked(model.config, model.preprocessing)
    configuration.check_params(flatten(model.params), config, finite=True)
    spec = {
        "config": config,
        "preprocessing": None if model.preprocessing is None else model.preprocessing.to_spec(),
    }
    return MODEL, spec, _tree(model)


def _described_ensemble(ensemble: Ensemble) -> tuple[str, Spec, Any]:
    """The kind, the description and the tree of arrays of an ensemble without its models of weight 0."""
    whole = ensemble_model.checked(ensemble, finite=True)
    taken = np.flatnonzero(whole.shares).tolist()
    weights = np.ones(len(taken)) if ensemble.weights is None else np.asarray(ensemble.weights, np.float64)[taken]
    fitted = [ensemble.preprocessing, *(ensemble.models[i].preprocessing for i in taken)]
    stored = list(dict.fromkeys(each for each in fitted if each is not None))
    place: dict[Preprocessing | None, int] = {each: k for k, each in enumerate(stored)}
    spec = {
        "models": [
            {"config": whole.configs[i], "preprocessing": place.get(ensemble.models[i].preprocessing)} for i in taken
        ],
        "weights": weights.tolist(),
        "preprocessing": place.get(ensemble.preprocessing),
        "preprocessings": [each.to_spec() for each in stored],
        "about": dict(ensemble.about),
    }
    return ENSEMBLE, spec, [_tree(ensemble.models[i]) for i in taken]


def _tree(model: Model) -> dict[str, Any]:
    return {"params": model.params, "state": model.state}


def _model_from(spec: Spec, tensors: Tensors, *, finite: bool) -> Model:
    """A model of its description and arrays, which are not trusted."""
    if set(spec) != {"config", "preprocessing"}:
        raise ValueError("its description is malformed.")
    fitted = None if spec["preprocessing"] is None else from_spec(spec["preprocessing"])
    return _network_from(spec["config"], fitted, tensors, finite=finite)


def _network_from(
    given: Any, fitted: Preprocessing | None, tensors: Mapping[str, np.ndarray], *, finite: bool
) -> Model:
    """A model of its stored configuration and its arrays."""
    config = configuration.checked(given, fitted)
    groups: dict[str, dict[str, np.ndarray]] = {"params": {}, "state": {}}
    for name, array in tensors.items():
        group, _, rest = name.partition("/")
        if group not in groups:
            raise ValueError(f"it has an array {name}, which is not part of a model.")
        groups[group][rest] = array
    configuration.check_params(groups["params"], config, finite=finite)
    weights = {name: jnp.array(array) for name, array in groups["params"].items()}
    params = tuple(mlp.Layer(weights[f"{k}/w"], weights.get(f"{k}/b")) for k in range(len(config["sizes"]) - 1))
    return Model(params, config, fitted, groups["state"] or None)


def _ensemble_from(spec: Spec, tensors: Tensors, *, finite: bool) -> Ensemble:
    """An ensemble of its description and arrays, which are not trusted."""
    if set(spec) != {"models", "weights", "preprocessing", "preprocessings", "about"}:
        raise ValueError("its description is malformed.")
    described, preprocessings = (_items(spec[what], what) for what in ("models", "preprocessings"))
    # No more members than there are arrays, so what follows is in proportion to the file.
    arrays: dict[str, dict[str, np.ndarray]] = {str(i): {} for i in range(min(len(described), len(tensors)))}
    for name, array in tensors.items():
        member, _, rest = name.partition("/")
        if member not in arrays:
            raise ValueError(f"it has an array {name[:60]}, which is not part of its {len(described)} models.")
        arrays[member][rest] = array
    lacking = next((member for member, its in arrays.items() if not its), None)
    if lacking is not None or len(arrays) < len(described):
        raise ValueError(f"models[{lacking or len(arrays)}] of {len(described)} has no arrays.")
    fitted = [from_spec(each) for each in preprocessings]
    models = []
    for i, one in enumerate(described):
        if not isinstance(one, dict) or set(one) != {"config", "preprocessing"}:
            raise ValueError(f"the description of models[{i}] is malformed.")
        try:
            own = _chosen(fitted, one["preprocessing"])
            models.append(_network_from(one["config"], own, arrays[str(i)], finite=finite))
        except (ValueError, TypeError) as error:
            raise ValueError(f"models[{i}]: {error}") from None
    weights = _items(spec["weights"], "weights")
    if not all(type(weight) in (int, float) and weight > 0 for weight in weights):
        raise ValueError("its weights must be numbers > 0.")
    ensemble = Ensemble(
        tuple(models), tuple(map(float, weights)), _chosen(fitted, spec["preprocessing"]), spec["about"]
    )
    ensemble_model.checked(ensemble)
    return ensemble


def _items(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"its {what} must be a list, got {type(value).__name__}.")
    return value


def _chosen(fitted: list[Preprocessing], index: Any) -> Preprocessing | None:
    """The preprocessing of an index from a file, or None for none."""
    if index is None:
        return None
    if type(index) is not int or not 0 <= index < len(fitted):
        raise ValueError(f"preprocessing {repr(index)[:60]} is none of the {len(fitted)} that are stored.")
    return fitted[index]
