"""Models that travel: a trained network for where Python or jaxnn is not, and networks of other libraries as models.

onnx                the whole model, from raw columns to predictions, as an ONNX graph
c                   the whole model as one file of C99
stablehlo           the network on its prepared inputs, compiled by XLA anywhere; `load_stablehlo` reads it
torch_state_dict    the parameters under PyTorch's names, for the network that `torch_sequential` writes down
from_torch          a model of a `state_dict` or an `nn.Sequential`
from_sklearn        a model of a fitted MLPClassifier or MLPRegressor

The first three return what is to be written to a file.
"""

from jaxnn.export.c_source import c
from jaxnn.export.onnx_model import onnx
from jaxnn.export.sklearn_networks import from_sklearn
from jaxnn.export.stablehlo_program import Program, load_stablehlo, stablehlo
from jaxnn.export.torch_names import from_torch, torch_sequential, torch_state_dict

__all__ = [
    "Program",
    "c",
    "from_sklearn",
    "from_torch",
    "load_stablehlo",
    "onnx",
    "stablehlo",
    "torch_sequential",
    "torch_state_dict",
]
