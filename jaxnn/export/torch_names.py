"""PyTorch's names for the parameters of a network, in both directions; torch itself is not needed.

The network is an `nn.Sequential` of linear layers and activations in turn, which `torch_sequential` writes down:

    nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))      "0.weight" (8, 4), "0.bias" (8,), "2.weight" …

A weight of PyTorch is (n_out, n_in), ours (n_in, n_out). What is before and after the network (the scaling of columns,
probabilities) is no part of it: `Preprocessing.inputs` makes its inputs.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.export.network import network_of, params_of
from jaxnn.preprocessing import Preprocessing
from jaxnn.training import Ensemble, Model, configuration
from jaxnn.training.named_arrays import flatten

MODULES = {  # as `activations.TABLE` has them; torch.nn has no module for the absolute value
    "sigmoid": "Sigmoid()",
    "tanh": "Tanh()",
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU(0.01)",
    "elu": "ELU()",
    "selu": "SELU()",
    "gelu": 'GELU(approximate="tanh")',
    "silu": "SiLU()",
    "softplus": "Softplus()",
    "identity": "Identity()",
    "softmax": "Softmax(dim=-1)",
}
SETTINGS: dict[str, dict[str, Any]] = {  # attributes of a module that our activation has no choice of
    "LeakyReLU": {"negative_slope": 0.01},
    "ELU": {"alpha": 1.0},
    "GELU": {"approximate": "tanh"},
    "Softplus": {"beta": 1},
    "Softmax": {"dim": -1},
}
NO_PART = ("Dropout", "Flatten")  # of prediction on rows


def torch_state_dict(model: Model | Ensemble) -> dict[str, np.ndarray]:
    """The parameters of a model under PyTorch's names, for `load_state_dict` after `torch.from_numpy`.

    Raises:
        ValueError: the model has an activation that torch.nn has no module for, or is an ensemble.
    """
    state = {}
    for k, (w, b) in enumerate(network_of(model, "torch.nn", MODULES).layers):
        state[f"{2 * k}.weight"] = np.ascontiguousarray(w.T)
        if b is not None:
            state[f"{2 * k}.bias"] = b
    return state


def torch_sequential(model: Model | Ensemble) -> str:
    """The `nn.Sequential` whose parameters `torch_state_dict` gives, as Python.

    Raises:
        ValueError: as for `torch_state_dict`.
    """
    network = network_of(model, "torch.nn", MODULES)
    modules = []
    for (w, b), name in zip(network.layers, (*network.activations, None), strict=True):
        modules.append(f"nn.Linear({w.shape[0]}, {w.shape[1]}{', bias=False' if b is None else ''})")
        modules += [] if name is None else [f"nn.{MODULES[name]}"]
    return f"nn.Sequential({', '.join(modules)})"


def from_torch(
    given: Any,
    *,
    activation: str | Sequence[str] | None = None,
    problem: str | None = None,
    preprocessing: Preprocessing | None = None,
    sizes: Sequence[int] | None = None,
) -> Model:
    """A model of a trained network of PyTorch.

    Args:
        given: an `nn.Sequential` of linear layers and activations, or a `state_dict`, of tensors or of arrays, whose
            linear layers follow one another. Its outputs are raw: no softmax at the end.
        activation: a name of `activations.TABLE`, or one for each hidden layer; None reads them from the modules.
        problem: "classes", "numbers", "counts", or None for raw outputs.
        preprocessing: what makes its inputs, if that is jaxnn's.
        sizes: n_in, hidden, …, n_out, if other layers are to be refused.

    Raises:
        ValueError: layers are not linear, do not fit together or are not of these sizes; or a module has no
            counterpart.
    """
    modules = None if isinstance(given, Mapping) else _modules(given)
    state = given if modules is None else given.state_dict()
    layers = _layers({name: _as_array(value) for name, value in state.items()})
    if sizes is not None:
        _check_sizes(layers, sizes)
    if activation is None:
        activation = _activations(modules, len(layers) - 1)
    found = [layers[0][1].shape[1], *(w.shape[0] for _, w, _ in layers)]
    biased = {b is not None for _, _, b in layers}
    if len(biased) > 1:
        without = next(name for name, _, b in layers if b is None)
        raise ValueError(f"The layer {without!r} has no bias and others have one: give it a bias of zeros.")
    config = {
        "sizes": found,
        "activation": activation if isinstance(activation, str) else list(activation),
        "bias": biased.pop(),
        "problem": problem,
    }
    config = configuration.checked(config, preprocessing)
    params = params_of([(w.T, b) for _, w, b in layers], layers[0][1].dtype)
    configuration.check_params(flatten(params), config, finite=True)
    return Model(params, config, preprocessing)


Linear = tuple[str, np.ndarray, np.ndarray | None]  # the name, the weight (n_out, n_in), the bias


def _as_array(value: Any) -> np.ndarray:
    """A tensor, wherever it is, or an array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _refuse_other_dtypes(name: str, array: np.ndarray) -> None:
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"{name!r} is {array.dtype}, and float32 or float64 is needed: convert it first, as by .float()."
        )


def _layers(state: Mapping[str, np.ndarray]) -> list[Linear]:
    """The linear layers of a state dict, in its order."""
    layers: list[Linear] = []
    for name, array in state.items():
        stem, _, what = name.rpartition(".")
        if what == "weight" and array.ndim == 2:
            bias_name = f"{stem}.bias" if stem else "bias"
            bias = state.get(bias_name)
            if bias is not None and bias.shape != array.shape[:1]:
                raise ValueError(
                    f"Layer {name!r} has shape {array.shape}, but its bias has {bias.shape}, not {array.shape[:1]}."
                )
            _refuse_other_dtypes(name, array)
            if bias is not None:
                _refuse_other_dtypes(bias_name, bias)
            layers.append((name, array, bias))
        elif what != "bias" or f"{stem}.weight" not in state:
            raise ValueError(
                f"{name!r} of shape {array.shape} is no part of a linear layer: only networks of nn.Linear and"
                " activations can be taken over."
            )
    if not layers:
        raise ValueError("The state dict has no linear layers: it needs names such as '0.weight' and '0.bias'.")
    for (former, above, _), (name, w, _) in pairwise(layers):
        if w.shape[1] != above.shape[0]:
            raise ValueError(
                f"Layer {name!r} of shape {w.shape} takes {w.shape[1]} inputs, but {former!r} before it, of shape"
                f" {above.shape}, has {above.shape[0]} outputs: only layers that follow one another can be taken over."
            )
    return layers


def _check_sizes(layers: Sequence[Linear], sizes: Sequence[int]) -> None:
    wanted = [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    for (name, w, _), shape in zip(layers, wanted, strict=False):
        if w.shape != shape:
            raise ValueError(f"Layer {name!r} has shape {w.shape}, but sizes {tuple(sizes)} need {shape}.")
    if len(layers) != len(wanted):
        raise ValueError(
            f"The state dict has {len(layers)} linear layers, but sizes {tuple(sizes)} need {len(wanted)}."
        )


def _modules(given: Any) -> list[Any]:
    """The modules of an `nn.Sequential` without what has no part in prediction."""
    if type(given).__name__ != "Sequential" or not hasattr(given, "state_dict"):
        raise ValueError(
            f"A state dict or an nn.Sequential is needed, got {type(given).__name__}: give its state_dict(), and"
            " activation=."
        )
    return [module for module in given if type(module).__name__ not in NO_PART]


def _activations(modules: Sequence[Any] | None, hidden: int) -> list[str]:
    """The names of the activations between linear layers that stand in turn with them."""
    if modules is None:
        if not hidden:
            return []
        raise ValueError('A state dict does not say its activations: give activation=, such as "relu".')
    name_of = {text.partition("(")[0]: name for name, text in MODULES.items()}
    names: list[str] = []
    linear = 0
    for module in modules:
        kind = type(module).__name__
        if kind == "Linear":
            names += ["identity"] * (linear - len(names))
            linear += 1
            continue
        name = checks.one_of(kind, name_of, "activation of torch.nn")
        for setting, value in SETTINGS.get(kind, {}).items():
            if getattr(module, setting) != value:
                raise ValueError(
                    f"nn.{kind} has {setting}={getattr(module, setting)!r}; jaxnn's {name!r} has {value!r} only."
                )
        if len(names) >= linear or linear > hidden:
            raise ValueError(
                f"nn.{kind} does not stand between two linear layers: outputs must be raw, so leave it out."
            )
        names.append(name)
    return names
