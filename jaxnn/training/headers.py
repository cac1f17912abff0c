"""The JSON header of a saved file, checked claim by claim: it comes from a stranger.

Every name, type, shape and place is checked before an array is read, and what is refused is told in one line.
"""

import itertools
import json
import math
import re
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

VERSION = 1
MAX_FILE_BYTES = 2**31
MAX_HEADER_BYTES = 2**20
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 32  # numpy's own limit before version 2
MAX_JSON_DEPTH = 32
MAX_JSON_DIGITS = 20  # as many as an unsigned 64-bit number has

DTYPES = {
    "BOOL": np.dtype(bool),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16),
    "I32": np.dtype(np.int32),
    "U32": np.dtype(np.uint32),
    "I64": np.dtype(np.int64),
    "U64": np.dtype(np.uint64),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
}
NAME = re.compile(r"[A-Za-z0-9_/.]{1,512}")

# A string that does not end takes the rest of the text, so that the search is over in one pass whatever the text.
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)

Spec = dict[str, Any]
Tensors = dict[str, np.ndarray]


def checked(header: bytes, size: int, kind: str) -> Spec:
    """The description in the header of a file, after every claim in it has been checked.

    Args:
        header: the bytes of the header, of which nothing is believed.
        size: of the whole file, in bytes.
        kind: what the file must hold.

    Raises:
        ValueError: a claim is none that an honest file makes; the message continues the file's name.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError(
            f"has a header of {len(header)} bytes; at most {MAX_HEADER_BYTES} are accepted: describe less in it."
        )
    entries = _strict_json(header)
    metadata = entries.pop("__metadata__")
    if set(metadata) != {"jaxnn"}:
        raise ValueError("has foreign metadata; give a file that jaxnn saved.")
    envelope = _strict_json(metadata["jaxnn"])
    if envelope.get("version") != VERSION:
        raise ValueError(
            f"is of format version {_short(envelope.get('version'))} and this jaxnn reads version {VERSION}; "
            "use the jaxnn that wrote it."
        )
    if envelope.get("kind") != kind:
        raise ValueError(f"holds a {_short(envelope.get('kind'))}, where a {kind!r} is asked for; give such a file.")
    if set(envelope) != {"sha256", "version", "kind", "spec"} or type(envelope["spec"]) is not dict:
        raise ValueError("has a malformed description; copy it again, or make it anew.")
    if len(entries) > MAX_TENSORS:
        raise ValueError(f"has {len(entries)} arrays; at most {MAX_TENSORS} are accepted.")
    total = sum(_claimed_bytes(name, entry) for name, entry in entries.items())
    if 8 + len(header) + total != size:
        raise ValueError(
            f"is cut short or has bytes too many: {size} where its header speaks of "
            f"{8 + len(header) + total}. Copy it again, or make it anew."
        )
    return envelope["spec"]


def _short(claimed: Any) -> str:
    """What a file claims, in no more room than a message has."""
    return repr(claimed)[:60]


def _claimed_bytes(name: str, entry: Any) -> int:
    """The bytes of the array called `name`, by its entry in the header, in which nothing may be odd."""
    if not NAME.fullmatch(name):
        raise ValueError(f"has an array called {name[:40]!r}; names are of letters, digits and '_/.', 512 at most.")
    if type(entry) is not dict or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"describes the array {name} in other words than dtype, shape, data_offsets.")
    dtype, shape = DTYPES.get(str(entry["dtype"])), entry["shape"]
    if dtype is None:
        raise ValueError(f"has the array {name} of an unknown type; known: {', '.join(DTYPES)}.")
    offsets = entry["data_offsets"]
    for numbers in (shape, offsets):
        if type(numbers) is not list or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"has the array {name} with a shape or place that is no list of sizes.")
    # An empty array of shape (0, 2⁴⁰) has no bytes of its own and still breaks whoever computes with its shape.
    if len(shape) > MAX_DIMENSIONS or math.prod(max(n, 1) for n in shape) > MAX_FILE_BYTES:
        raise ValueError(f"has the array {name} of an impossible shape; copy it again, or make it anew.")
    claimed = math.prod(shape) * dtype.itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != claimed:
        raise ValueError(f"gives the array {name} a place that does not fit its shape and type.")
    return claimed


def _strict_json(text: str | bytes) -> dict[str, Any]:
    """A JSON object from a stranger: no key twice, no NaN, no huge number, no deep nesting, no broken text."""

    def refuse(what: str) -> NoReturn:
        raise ValueError(what)

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= MAX_JSON_DIGITS else refuse("a number too large")

    def real(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else refuse("a number too large")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        return table if len(table) == len(pairs) else refuse("the same key twice")

    try:
        text = text.decode() if isinstance(text, bytes) else text
        # json.loads recurses, so that depth has to be known before it is called.
        brackets = re.findall(r"[\[\]{}]", _JSON_STRING.sub("", text))
        depths = itertools.accumulate(1 if b in "[{" else -1 for b in brackets)
        if max(depths, default=0) > MAX_JSON_DEPTH:
            refuse("lists or objects nested too deep")
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda token: refuse(f"the number {token}"),
        )
        # Half a surrogate pair is no text: it would fail later, where it is printed.
        json.dumps(value, ensure_ascii=False).encode()
        if type(value) is not dict:
            refuse("no object")
        return value
    except (ValueError, TypeError) as error:
        raise ValueError(f"is not accepted, as its description has {error}; make it anew.") from None
