"""The configuration of a saved model: how to compute with its parameters, in JSON's types and without code.

`checked` fills it in and refuses what cannot be meant; `check_params` holds parameters against it.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxnn import activations, checks, optimisers
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PROBLEMS
from jaxnn.training import serialisation
from jaxnn.types import OptimiserLike

NETWORK = "mlp"  # the only kind there is; a file names it, so a release that knew others could tell them apart
CONFIG = {
    "network": "mlp",
    "sizes": "n_in, hidden, …, n_out",
    "activation": "a name in activations.TABLE, or a list with one per hidden layer",
    "bias": "whether the layers have biases",
    "problem": "a name in problems.PROBLEMS, or null",
    "optimiser": "its name and numbers, as optimisers.spec writes them",
    "about": "notes, any JSON",
}


def checked(config: Any, fitted: Preprocessing | None = None) -> dict[str, Any]:
    """A configuration with all its keys, in JSON's types.

    Args:
        config: as in `training.Model`.
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
    whole = {
        "network": config.get("network", NETWORK),
        "sizes": [int(size) for size in sizes],
        "activation": config.get("activation", "relu"),
        "bias": config.get("bias", True),
        "problem": config.get("problem"),
        "about": config.get("about", {}),
    }
    if config.get("optimiser") is not None:
        whole["optimiser"] = _optimiser_spec(config["optimiser"])
    if whole["network"] != NETWORK:
        raise ValueError(f"Unknown network {_short(whole['network'])}: the only one is {NETWORK!r}.")
    if type(whole["bias"]) is not bool:
        raise ValueError(f"config['bias'] must be true or false, got {_short(whole['bias'])}.")
    _check_activation(whole)
    if fitted is not None:
        whole["problem"] = _problem_that_fits(whole, fitted)
    if whole["problem"] is not None:
        checks.one_of(whole["problem"], PROBLEMS, "problem")
        problem, n_out = PROBLEMS[whole["problem"]], whole["sizes"][-1]
        if n_out < problem.least_outputs:
            raise ValueError(
                f"config['sizes'] ends in {n_out}, but a network for {problem.name} needs {problem.outputs_needed}."
            )
    return whole


def check_params(arrays: Mapping[str, Any], config: dict[str, Any], *, finite: bool = False) -> None:
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


def activation_names(config: dict[str, Any]) -> tuple[str, ...]:
    """One name for each hidden layer of a checked configuration."""
    given = config["activation"]
    return tuple(given) if isinstance(given, list) else (given,) * (len(config["sizes"]) - 2)


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


def _problem_that_fits(config: dict[str, Any], fitted: Preprocessing) -> str:
    """The problem of the preprocessing; ValueError if the network's problem, inputs or outputs do not match."""
    if config["problem"] not in (None, fitted.problem):
        raise ValueError(
            f"config['problem'] is {_short(config['problem'])}, but the preprocessing is for {fitted.problem!r}."
        )
    n_in, n_out = config["sizes"][0], config["sizes"][-1]
    if len(fitted.input_names) != n_in:
        raise ValueError(f"The preprocessing makes {len(fitted.input_names)} inputs, but the network takes {n_in}.")
    wanted = PROBLEMS[fitted.problem].n_outputs(fitted)
    if wanted != n_out:
        raise ValueError(f"The preprocessing expects {wanted} outputs, but the network has {n_out}.")
    return fitted.problem


def _short(value: Any) -> str:
    """A value of unknown size, shortened to fit into a message."""
    return repr(value)[:60]
