"""ONNX: the whole model, from raw columns to predictions, as one graph for any number of rows.

inputs      one for each column that the model uses, by its name, of shape (rows,): float64 for numbers and booleans
            (0 or 1), where NaN is missing; a text for categories, where "" is missing. Without preprocessing, or with
            `as_matrix`, one input `x` of shape (rows, columns).
outputs     `prediction`, a label as it stood in the table or a number in its own units, (rows,); of classes also
            `probabilities`, float64 (rows, classes). A model without a problem has `outputs`, (rows, n_out).

The network computes in the dtype of its parameters, what is before and after it in float64, as `Model.predict` does.
A graph cannot refuse: where `predict` raises an error, probabilities and numbers are NaN, and the label is "" or -2⁶³
(class codes: -1).

Reference: the specification of ONNX, https://onnx.ai/onnx/repo-docs/IR.html and Operators.html beside it.
"""

import json
from types import ModuleType
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.export import onnx_columns
from jaxnn.export.network import Network, network_of, refuse_dates
from jaxnn.export.onnx_activations import ACTIVATIONS
from jaxnn.export.onnx_graph import Graph
from jaxnn.training import Ensemble, Model
from jaxnn.version import __version__
from jaxnn.wording import listed

OPSET = 17  # of 2022
LEAST_OPSET = 13  # before, axes were attributes
ML_OPSET = 2  # of the domain ai.onnx.ml, whose LabelEncoder reads texts since
OUTPUTS = ("prediction", "probabilities", "outputs")
LOWEST = -(2**63)  # stands for no label where labels are whole numbers


def onnx(model: Model | Ensemble, *, opset: int = OPSET, as_matrix: bool = False) -> bytes:
    """A model as the content of an `.onnx` file.

    Args:
        model: a trained network.
        opset: the version of ONNX's operators.
        as_matrix: one input `x` with all columns of the training table in their order, in place of one for each.

    Raises:
        ValueError: the opset is none that can be written, or the model has what ONNX cannot express.
        ImportError: onnx is not installed.
    """
    library = checks.require("onnx", extra="onnx", purpose="to export to ONNX")
    _check_opset(library, opset)
    network = network_of(model, "ONNX", ACTIVATIONS)
    refuse_dates(network.fitted, "ONNX")
    if as_matrix:
        _refuse_categories(network)
    columns = () if network.fitted is None else network.fitted.columns
    graph = Graph(library, {"x", *OUTPUTS, *(column.name for column in columns)})
    inputs, refused = _inputs(graph, network, as_matrix=as_matrix)
    outputs = _outputs(graph, network, graph.cast(inputs, network.dtype))
    wrong = graph.not_within(outputs, float(np.finfo(network.dtype).max), network.dtype)
    _answers(graph, network, outputs, graph.op("Or", refused, graph.rows_with_any(wrong)))
    return _written(library, graph, network, opset)


def _check_opset(library: ModuleType, opset: int) -> None:
    checks.whole(1, opset=opset)
    newest = library.defs.onnx_opset_version()
    if not LEAST_OPSET <= opset <= newest:
        old_or_new = "old" if opset < LEAST_OPSET else "new"
        raise ValueError(
            f"Opset {opset} is too {old_or_new}: onnx {library.__version__} and jaxnn write {LEAST_OPSET} to {newest};"
            f" leave it out for {OPSET}."
        )


def _refuse_categories(network: Network) -> None:
    names = [column.name for column in (network.fitted.columns if network.fitted else ()) if column.kind == "category"]
    if names:
        raise ValueError(
            f"The model has category columns ({listed(names, 10)}), which a matrix of numbers cannot hold: leave out"
            " as_matrix, and give each column as an input."
        )


def _inputs(graph: Graph, network: Network, *, as_matrix: bool) -> onnx_columns.Read:
    if network.fitted is not None:
        return onnx_columns.read(graph, network.fitted, as_matrix=as_matrix)
    x = graph.input("x", network.dtype, network.sizes[0])
    wrong = graph.not_within(x, float(np.finfo(network.dtype).max), network.dtype)
    return onnx_columns.Read(x, graph.rows_with_any(wrong))


def _outputs(graph: Graph, network: Network, h: str) -> str:
    """The raw outputs (rows, n_out)."""
    for (w, b), name in zip(network.layers, (*network.activations, "identity"), strict=True):
        z = graph.op("Gemm", h, graph.constant(w), *([] if b is None else [graph.constant(b)]))
        h = ACTIVATIONS[name](graph, z, lambda number: graph.constant(number, network.dtype))
    return h


def _answers(graph: Graph, network: Network, outputs: str, refused: str) -> None:
    """The outputs of the graph."""
    fitted, n_out = network.fitted, network.sizes[-1]
    o, nan = graph.cast(outputs, np.float64), graph.constant(np.nan, np.float64)
    each_refused = graph.as_columns(refused)
    prediction, probabilities, raw = (_unlike(name, graph) for name in OUTPUTS)
    if network.problem is None:
        graph.output(graph.op("Where", each_refused, nan, o), raw, np.float64, n_out)
        return
    if network.problem == "classes":
        codes = graph.op("ArgMax", outputs, axis=1, keepdims=0)
        codes = graph.op("Where", refused, graph.constant(n_out, np.int64), codes)
        labels, dtype = _labels(network)
        graph.output(graph.op("Gather", graph.constant(labels), codes), prediction, dtype)
        p = graph.op("Where", each_refused, nan, graph.op("Softmax", o, axis=1))
        graph.output(p, probabilities, np.float64, n_out)
        return
    numbers = graph.op("Exp", o) if network.problem == "counts" else o
    if fitted is not None:
        scaled = graph.op("Mul", numbers, graph.constant(fitted.target.scale, np.float64))
        numbers = graph.op("Add", scaled, graph.constant(fitted.target.mean, np.float64))  # 0 for counts
        numbers = graph.op("Squeeze", numbers, graph.constant([1], np.int64))
    answer = graph.op("Where", refused if fitted is not None else each_refused, nan, numbers)
    graph.output(answer, prediction, np.float64, None if fitted is not None else n_out)


def _unlike(name: str, graph: Graph) -> str:
    """The name of an output; with underscores at its end if a column has it."""
    taken = {each.name for each in graph.inputs}
    while name in taken:
        name += "_"
    return name


def _labels(network: Network) -> tuple[np.ndarray, Any]:
    """The labels by their codes, and one more for a row that is refused."""
    if network.fitted is None:
        return np.array([*range(network.sizes[-1]), -1], np.int64), np.int64
    classes = network.fitted.target.classes
    if isinstance(classes[0], str):
        return np.array([*classes, ""], object), str
    if isinstance(classes[0], float):
        return np.array([*classes, np.nan], np.float64), np.float64
    return np.array([*map(int, classes), LOWEST], np.int64), np.int64


def _written(library: ModuleType, graph: Graph, network: Network, opset: int) -> bytes:
    """The bytes of the model, after ONNX's own checks."""
    helper = library.helper
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    fitted = network.fitted
    name = "outputs" if fitted is None else fitted.target_name or "target"
    made = helper.make_graph(graph.nodes, name, graph.inputs, graph.outputs, graph.constants)
    model = helper.make_model(
        made,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),  # the newest would shut out runtimes of some years
        producer_name="jaxnn",
        producer_version=__version__,
    )
    if fitted is not None:
        told = {"class_names": json.dumps(fitted.class_names), "columns": json.dumps(fitted.to_spec()["columns"])}
        helper.set_model_props(model, told)
    library.checker.check_model(model, full_check=True)
    return model.SerializeToString()
