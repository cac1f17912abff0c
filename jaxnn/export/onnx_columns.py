"""Raw columns as a graph of ONNX: standardised, one-hot, filled in and marked, as `Preprocessing.inputs` does it.

Numbers and booleans are one matrix of doubles, in which NaN is missing. A category is a text; "" is missing. What
Python refuses with an error, a graph can only mark: `refused` tells the rows.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from jaxnn.export.network import codes_of, needed_columns
from jaxnn.export.onnx_graph import Graph
from jaxnn.preprocessing import Column, Preprocessing
from jaxnn.preprocessing.learnt import LARGEST


class Read(NamedTuple):
    """Names in the graph.

    Attributes:
        inputs: of the network, float64 (rows, n_in).
        refused: whether a row has a value that the model does not accept, bool (rows,).
    """

    inputs: str
    refused: str


def read(graph: Graph, fitted: Preprocessing, *, as_matrix: bool) -> Read:
    """Adds the columns to the graph."""
    needed = needed_columns(fitted)
    numeric = [column for column in needed if column.kind != "category"]
    # Blocks side by side, and for each input of the network the place where it stands.
    blocks, names, refused = [], [], []
    if numeric:
        matrix = _matrix(graph, fitted, numeric, as_matrix=as_matrix)
        standardised, missing, wrong = _numbers(graph, fitted, numeric, matrix)
        blocks += [standardised, graph.cast(missing, np.float64)]
        names += [(column.name, "value") for column in numeric] + [(column.name, "missing") for column in numeric]
        refused.append(wrong)
    for column in needed:
        if column.kind == "category":
            hot, missing = _category(graph, fitted, column)
            blocks += [hot, graph.cast(missing, np.float64)]
            names += [(column.name, name) for name in column.input_names[: len(column.categories) + column.other]]
            names.append((column.name, "missing"))
            if column.missing == "refused":
                refused.append(graph.rows_with_any(missing))
    place = {name: j for j, name in enumerate(names)}
    order = [place[column.name, part] for column in fitted.columns for part in _parts(column)]
    side_by_side = graph.op("Concat", *blocks, axis=1)
    inputs = graph.op("Gather", side_by_side, graph.constant(order, np.int64), axis=1)
    return Read(inputs, reduce(lambda one, other: graph.op("Or", one, other), refused or [_never(graph, inputs)]))


def _parts(column: Column) -> list[str]:
    """The inputs of a column, by the names that their places have."""
    if column.kind == "category":
        parts = list(column.input_names[: len(column.categories) + column.other])
    else:
        parts = ["value"] if column.kind in ("number", "boolean") else []
    return [*parts, "missing"] if column.missing == "marked" else parts


def _never(graph: Graph, inputs: str) -> str:
    """False for every row."""
    return graph.rows_with_any(graph.op("Not", graph.op("Equal", inputs, inputs)))


def _matrix(graph: Graph, fitted: Preprocessing, numeric: list[Column], *, as_matrix: bool) -> str:
    """The raw numbers, float64 (rows, len(numeric))."""
    if not as_matrix:
        columns = [graph.as_columns(graph.input(column.name, np.float64)) for column in numeric]
        return graph.op("Concat", *columns, axis=1)
    place = {column.name: j for j, column in enumerate(fitted.columns)}
    used = graph.constant([place[column.name] for column in numeric], np.int64)
    return graph.op("Gather", graph.input("x", np.float64, len(fitted.columns)), used, axis=1)


def _numbers(graph: Graph, fitted: Preprocessing, numeric: list[Column], raw: str) -> tuple[str, str, str]:
    """Standardised numbers and which are missing, (rows, len(numeric)), and which rows are refused."""

    def of_each(values: list[bool] | list[float]) -> str:
        return graph.constant([values])

    kinds = [column.kind for column in numeric]
    missing = graph.op("IsNaN", raw)
    for codes in _codes(fitted, numeric):
        missing = graph.op("Or", missing, graph.op("Equal", raw, of_each(codes)))
    # A boolean is 0 or 1 and not standardised; the mean stands in for a missing one, as it does for a number.
    mean = of_each([column.mean if column.kind == "number" else 0.0 for column in numeric])
    scale = of_each([column.scale if column.kind == "number" else 1.0 for column in numeric])
    filled = of_each([column.mean if column.kind == "boolean" else 0.0 for column in numeric])
    standardised = graph.op("Where", missing, filled, graph.op("Div", graph.op("Sub", raw, mean), scale))
    far = graph.op("And", graph.not_within(standardised, LARGEST, np.float64), of_each([k != "unused" for k in kinds]))
    neither = graph.op("Mul", standardised, graph.op("Sub", standardised, graph.constant(1.0, np.float64)))
    neither = graph.op("And", graph.op("Not", missing), graph.not_within(neither, 0.0, np.float64))
    neither = graph.op("And", neither, of_each([kind == "boolean" for kind in kinds]))
    gone = graph.op("And", missing, of_each([column.missing == "refused" for column in numeric]))
    wrong = graph.op("Or", graph.op("Or", far, neither), gone)
    return standardised, missing, graph.rows_with_any(wrong)


def _codes(fitted: Preprocessing, numeric: list[Column]) -> list[list[float]]:
    """One such number of each column at a time; NaN, which equals nothing, where a column has no more."""
    each = [codes_of(fitted, column) for column in numeric]
    most = max(map(len, each))
    return [[codes[j] if j < len(codes) else np.nan for codes in each] for j in range(most)]


def _category(graph: Graph, fitted: Preprocessing, column: Column) -> tuple[str, str]:
    """The one-hot inputs of a category, float64 (rows, n), and whether it is missing, bool (rows, 1)."""
    n = len(column.categories)
    code_of = {category: j for j, category in enumerate(column.categories)}
    code_of = {"": n + 1} | code_of | dict.fromkeys((*fitted.missing, *column.absent), n + 1)
    codes = graph.op(
        "LabelEncoder",
        graph.input(column.name, str),
        domain="ai.onnx.ml",
        keys_strings=list(code_of),
        values_int64s=list(code_of.values()),
        default_int64=n,
    )
    codes = graph.as_columns(codes)
    hot = graph.op("Equal", codes, graph.constant([range(n + column.other)], np.int64))
    return graph.cast(hot, np.float64), graph.op("Equal", codes, graph.constant([[n + 1]], np.int64))
