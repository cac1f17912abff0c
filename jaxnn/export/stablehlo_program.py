"""StableHLO: the network on its prepared inputs as a program that XLA compiles, for any number of rows.

`jax.export` makes it. A file is an envelope as of a saved model (`training.serialisation`: a SHA-256, limits, no
pickle) around the program and a description: the versions, the model's configuration and its preprocessing.
`load_stablehlo` reads it.

The envelope tells what was damaged, not who wrote it. A program is code: the reader refuses one that calls out of
StableHLO or has other inputs and outputs than the description says, so what is left can compute, and no more.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.export
import numpy as np

from jaxnn import activations, checks, mlp
from jaxnn.export.network import network_of, params_of
from jaxnn.preprocessing import Preprocessing, from_spec
from jaxnn.training import Ensemble, Model, configuration, serialisation
from jaxnn.version import __version__

KIND = "stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")
KEYS = {"jaxnn", "jax", "platforms", "dtype", "config", "preprocessing"}
CALL, ALLOWED = "custom_call", "stablehlo.custom_call @shape_assertion("  # which jax writes for the number of rows


class Program(NamedTuple):
    """A network that was read from a file.

    Attributes:
        outputs: inputs (n, n_in), n ≥ 1 -> raw outputs (n, n_out); may be called within a program of jax.
        config: of the model, as `training.Model` has it.
        preprocessing: what makes its inputs, and predictions of its outputs; None if arrays are the inputs.
        platforms: where it can run.
    """

    outputs: Callable[[Any], jax.Array]
    config: dict[str, Any]
    preprocessing: Preprocessing | None
    platforms: tuple[str, ...]


def stablehlo(model: Model | Ensemble, platforms: Sequence[str] = PLATFORMS) -> bytes:
    """A network as the content of a file that `load_stablehlo` reads.

    Args:
        model: a trained network.
        platforms: where it shall run, of "cpu", "cuda", "rocm" and "tpu".

    Raises:
        ValueError: a platform is unknown, or the model is an ensemble or invalid.
        ImportError: flatbuffers is not installed.
    """
    checks.require("flatbuffers", extra="stablehlo", purpose="to export to StableHLO")
    if isinstance(platforms, str) or not platforms:
        raise ValueError(f'platforms must be names such as ("cpu", "cuda"), got {platforms!r}.')
    for platform in platforms:
        checks.one_of(platform, dict.fromkeys((*PLATFORMS, "rocm")), "platform")
    network = network_of(model, "StableHLO")
    params = params_of(network.layers, network.dtype)
    names = tuple(activations.TABLE[name] for name in network.activations)
    rows = jax.export.symbolic_shape("rows")[0]
    x = jax.ShapeDtypeStruct((rows, network.sizes[0]), params[0].w.dtype)
    exported = jax.export.export(jax.jit(lambda x: mlp.apply(params, x, activation=names)), platforms=platforms)(x)
    spec = {
        "jaxnn": __version__,
        "jax": jax.__version__,
        "platforms": list(platforms),
        "dtype": str(params[0].w.dtype),
        "config": configuration.checked(model.config, model.preprocessing),
        "preprocessing": None if network.fitted is None else network.fitted.to_spec(),
    }
    return bytes(serialisation.encode(KIND, spec, {"program": np.frombuffer(exported.serialize(), np.uint8)}))


def load_stablehlo(path: str | os.PathLike[str]) -> Program:
    """Reads what `stablehlo` wrote.

    Args:
        path: the file.

    Raises:
        ValueError: the file is damaged, is no such program, or its parts do not fit together.
        OSError: the system refuses to read it.
        ImportError: flatbuffers is not installed.
    """
    checks.require("flatbuffers", extra="stablehlo", purpose="to read StableHLO")
    spec, tensors = serialisation.read(path, KIND)
    try:
        return _program(spec, tensors)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is not a usable program: {error}") from None


def _program(spec: dict[str, Any], tensors: dict[str, np.ndarray]) -> Program:
    """The program of its description and bytes, which are not trusted."""
    if set(spec) != KEYS or set(tensors) != {"program"} or tensors["program"].dtype != np.uint8:
        raise ValueError("its description is malformed.")
    fitted = None if spec["preprocessing"] is None else from_spec(spec["preprocessing"])
    config = configuration.checked(spec["config"], fitted)
    try:
        exported = jax.export.deserialize(bytearray(tensors["program"].tobytes()))
        text = exported.mlir_module()
    except Exception as error:  # whatever a forged buffer meets in the reader of another library
        raise ValueError(
            f"jax {jax.__version__} cannot read the program, which jax {str(spec['jax'])[:20]} wrote: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    if text.count(CALL) != text.count(ALLOWED) or exported.ordered_effects or exported.unordered_effects:
        raise ValueError("its program calls out of StableHLO, which one of jaxnn never does.")
    arrays = (*exported.in_avals, *exported.out_avals)
    found = [(*map(str, each.shape[:1]), *each.shape[1:], str(each.dtype)) for each in arrays]
    sizes, dtype = config["sizes"], spec["dtype"]
    if found != [("rows", sizes[0], dtype), ("rows", sizes[-1], dtype)]:
        raise ValueError(f"its program has other inputs and outputs, {found}, than its description.")
    if list(exported.platforms) != spec["platforms"]:
        raise ValueError("its program is for other platforms than its description.")
    return Program(exported.call, config, fitted, tuple(exported.platforms))
