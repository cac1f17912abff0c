"""The activations of `jaxnn.activations` as graphs of ONNX.

They are written with operators that runtimes have in both precisions: onnxruntime lacks Elu, Selu, LeakyRelu and
Softplus of doubles.
"""

from collections.abc import Callable
from typing import TypeAlias

from jaxnn.export.onnx_graph import Graph

# Of a graph, the name of z in it, and a function that adds a number in the dtype of z: the name of σ(z).
Formula: TypeAlias = Callable[[Graph, str, Callable[[float], str]], str]


def _leaky(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    return graph.op("Max", z, graph.op("Mul", z, number(0.01)))


def _exponential_side(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    return graph.op("Sub", graph.op("Exp", graph.op("Min", z, number(0))), number(1))


def _elu(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    return graph.op("Where", graph.op("Greater", z, number(0)), z, _exponential_side(graph, z, number))


def _selu(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    below = graph.op("Mul", _exponential_side(graph, z, number), number(1.6732632423543772))
    elu = graph.op("Where", graph.op("Greater", z, number(0)), z, below)
    return graph.op("Mul", elu, number(1.0507009873554805))


def _gelu(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    cube = graph.op("Mul", graph.op("Mul", z, z), z)
    u = graph.op("Mul", graph.op("Add", z, graph.op("Mul", cube, number(0.044715))), number(0.7978845608028654))
    return graph.op("Mul", graph.op("Mul", z, number(0.5)), graph.op("Add", graph.op("Tanh", u), number(1)))


def _softplus(graph: Graph, z: str, number: Callable[[float], str]) -> str:
    rest = graph.op("Add", graph.op("Exp", graph.op("Neg", graph.op("Abs", z))), number(1))
    return graph.op("Add", graph.op("Max", z, number(0)), graph.op("Log", rest))


ACTIVATIONS: dict[str, Formula] = {
    "sigmoid": lambda graph, z, number: graph.op("Sigmoid", z),
    "tanh": lambda graph, z, number: graph.op("Tanh", z),
    "relu": lambda graph, z, number: graph.op("Relu", z),
    "leaky_relu": _leaky,
    "absolute_value": lambda graph, z, number: graph.op("Abs", z),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": lambda graph, z, number: graph.op("Mul", z, graph.op("Sigmoid", z)),
    "softplus": _softplus,
    "identity": lambda graph, z, number: z,
    "softmax": lambda graph, z, number: graph.op("Softmax", z, axis=1),
}
