"""`jaxnn export`: writes a saved model in a form that others read."""

import argparse
from typing import Any

from jaxnn.cli import arguments

TARGETS = ("onnx", "stablehlo", "torch", "c")

HELP = "write a saved model as ONNX, StableHLO, C or a state dict of PyTorch"
DESCRIPTION = """\
Writes a saved model for where Python or jaxnn is not:

  onnx       the whole model, from the columns of a table to predictions and probabilities
  c          the whole model as one file of C99, without allocation, for microcontrollers
  stablehlo  the network on its prepared inputs, for cpu, cuda and tpu; jaxnn.export.load_stablehlo reads it
  torch      the network's parameters under PyTorch's names, as safetensors

ONNX and C take no dates, and none of them an ensemble; torch has no absolute_value."""
EXAMPLE = """\
examples:
  jaxnn export stroke.safetensors --to onnx --out stroke.onnx
  jaxnn export stroke.safetensors --to c --out stroke.c"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn export`."""
    parser.add_argument("model", metavar="MODEL", help="file written by `jaxnn train --out` or by training.save")
    parser.add_argument(
        "--to",
        type=arguments.name_from(TARGETS, "target"),
        required=True,
        metavar="TARGET",
        help=f"what to write: {', '.join(TARGETS)}",
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="the file to write")
    parser.add_argument(
        "--opset",
        type=arguments.whole(1),
        metavar="N",
        help="only with --to onnx: the version of ONNX's operator set to write (default: 17)",
    )


def run(options: Any) -> int:
    """Exports; returns the exit status."""
    from jaxnn import files, training
    from jaxnn.cli import outputs
    from jaxnn.cli.text import fact

    if options.opset is not None and options.to != "onnx":
        raise ValueError(f"--opset is for --to onnx, and {options.to} was asked for: leave it out.")
    outputs.check(options, reads={"MODEL": options.model})
    model = training.load(options.model)
    content, told = _content(model, options)
    files.write(options.out, content)
    for name, text in told.items():
        fact(name, text)
    fact("wrote", f"{options.out}, {len(content):,} bytes")
    return 0


def _content(model: Any, options: Any) -> tuple[bytes, dict[str, str]]:
    """The content of the file, and what to say about it."""
    from jaxnn import export

    if options.to == "onnx":
        chosen = {} if options.opset is None else {"opset": options.opset}
        classes = model.config.get("problem") == "classes"
        return export.onnx(model, **chosen), {"outputs": "prediction, probabilities" if classes else "prediction"}
    if options.to == "c":
        return export.c(model).encode(), {"functions": "model_predict, model_outputs; the file's head says how"}
    if options.to == "stablehlo":
        return export.stablehlo(model), {"platforms": "cpu, cuda, tpu"}
    import safetensors.numpy

    network = export.torch_sequential(model)
    return safetensors.numpy.save(export.torch_state_dict(model), {"network": network}), {"network": network}
