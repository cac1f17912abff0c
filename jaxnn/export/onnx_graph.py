"""A graph of ONNX while it is being made: nodes, constants and inputs, each with a name of its own."""

from types import ModuleType
from typing import Any

import numpy as np

ROWS = "rows"  # the dimension that is any number


class Graph:
    """Nodes in the order in which they are computed."""

    def __init__(self, onnx: ModuleType, names: Any) -> None:
        """An empty graph in which nodes have other names than `names`."""
        self.onnx, self.reserved = onnx, set(names)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds a node; returns the name of its output."""
        name = self._name(kind)
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Adds an array; returns its name."""
        name = self._name("constant")
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def input(self, name: str, dtype: Any, width: int | None = None) -> str:
        """Adds an input of shape (rows,) or (rows, width)."""
        self.inputs.append(self._described(name, dtype, width))
        return name

    def output(self, source: str, name: str, dtype: Any, width: int | None = None) -> None:
        """Makes `source` an output called `name`."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [source], [name], name=self._name("Identity")))
        self.outputs.append(self._described(name, dtype, width))

    def cast(self, source: str, dtype: Any) -> str:
        """The same numbers in another dtype."""
        return self.op("Cast", source, to=self._type(dtype))

    def rows_with_any(self, mask: str) -> str:
        """(rows,): whether any of the booleans (rows, width) is true."""
        count = self.op("ReduceSum", self.cast(mask, np.float32), self.constant([1], np.int64), keepdims=0)
        return self.op("Greater", count, self.constant(0, np.float32))

    def not_within(self, numbers: str, bound: float, dtype: Any) -> str:
        """Which numbers are NaN or larger than the bound."""
        return self.op("Not", self.op("LessOrEqual", self.op("Abs", numbers), self.constant(bound, dtype)))

    def as_columns(self, rows: str) -> str:
        """(rows,) -> (rows, 1)."""
        return self.op("Unsqueeze", rows, self.constant([1], np.int64))

    def _type(self, dtype: Any) -> int:
        if dtype is str:
            return self.onnx.TensorProto.STRING
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def _described(self, name: str, dtype: Any, width: int | None) -> Any:
        shape: list[str | int] = [ROWS] if width is None else [ROWS, width]
        return self.onnx.helper.make_tensor_value_info(name, self._type(dtype), shape)

    def _name(self, kind: str) -> str:
        number = len(self.nodes) + len(self.constants)
        while (name := f"{kind}_{number}") in self.reserved:
            number += 1
        self.reserved.add(name)
        return name
