"""How many examples fit into the memory that the recursion may take."""

from typing import Literal, TypeAlias

from jaxnn import chunks, mlp
from jaxnn.derivatives.structured.blocks import distant_pairs, rows

Part: TypeAlias = Literal["whole", "blocks", "diagonal"]

CACHED = 8 * 2**20  # bytes: chunks larger than a processor's cache were no faster, at any size that was tried


def rows_at_once(params: mlp.Params, part: Part, examples: int, block_bytes: int | None, itemsize: int) -> int:
    """How many examples to take at a time.

    Args:
        params: of the network.
        part: of the Hessian that is asked for.
        examples: in the whole batch.
        block_bytes: what the arrays with an axis of examples may take together; None for 8 MiB, or a quarter of the
            result where that is more, so it is not read and written once for every few examples.
        itemsize: bytes of a number.

    Returns:
        At least 1; chunks are of about the same length.
    """
    if block_bytes is None:
        sizes = [rows(layer) * layer.w.shape[1] for layer in params]
        result = {"whole": sum(sizes) ** 2, "blocks": sum(p**2 for p in sizes), "diagonal": sum(sizes)}[part]
        block_bytes = max(CACHED, result * itemsize // 4)
    return chunks.even(examples, block_bytes // (itemsize * numbers_per_example(params, part)))


def numbers_per_example(params: mlp.Params, part: Part) -> int:
    """How many numbers the recursion and the products make for every example, at most."""
    d, n = [rows(layer) for layer in params], [layer.w.shape[1] for layer in params]
    layers = range(len(params))
    found = sum(3 * n[l] ** 2 + 2 * d[l] + 4 * n[l] for l in layers)
    if part != "diagonal":
        found += sum(d[l] * (d[l] + 1) // 2 for l in layers)
    if part == "whole":
        found += sum(d[l] * d[l + 1] + 3 * n[l] * n[l + 1] + n[l] ** 2 for l in layers[:-1])
        found += sum((d[m] * n[m] + n[m] + d[m]) * n[l] for m, l in distant_pairs(len(params)))
    return found
