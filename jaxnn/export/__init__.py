"""Models that travel: a trained network for where Python or JAX is not."""

from jaxnn.export.c_source import c
from jaxnn.export.onnx_model import onnx

__all__ = ["c", "onnx"]
