"""Checks the JSON header of a saved file, which may come from anyone.

Every name, type, shape and offset is checked before an array is read; an invalid one raises a one-line error.
"""

import itertools
import json
import math
import re
from collections.abc import Sequence
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

# An unterminated string matches the rest of the text, so the search takes one pass whatever the text is.
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)

Spec = dict[str, Any]
Tensors = dict[str, np.ndarray]


def checked(header: bytes, size: int, kinds: Sequence[str]) -> tuple[str, Spec]:
    """Checks a file's header and returns its kind and the description in it.

    Args:
        header: the bytes of the header, which are not trusted.
        size: the size of the whole file, in bytes.
        kinds: the kinds of file expected, as given to `write`.

    Raises:
        ValueError: the header is not valid; the message is a continuation of the file's name.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError(
            f"has a header of {len(header)} bytes; at most {MAX_HEADER_BYTES} are accepted: shorten the description."
        )
    entries = strict_json(header)
    metadata = entries.pop("__metadata__")
    if set(metadata) != {"jaxnn"}:
        raise ValueError("has metadata that jaxnn does not write; use a file saved by jaxnn.")
    envelope = strict_json(metadata["jaxnn"])
    if envelope.get("version") != VERSION:
        raise ValueError(
            f"has format version {_short(envelope.get('version'))}, but this version of jaxnn reads version {VERSION}; "
            "use the version of jaxnn that wrote it."
        )
    kind = envelope.get("kind")
    if kind not in kinds:
        wanted, named = (" or ".join(map(_with_article, each)) for each in (map(repr, kinds), kinds))
        raise ValueError(f"contains {_with_article(_short(kind))}, not {wanted}; use a file that contains {named}.")
    if set(envelope) != {"sha256", "version", "kind", "spec"} or type(envelope["spec"]) is not dict:
        raise ValueError("has a malformed description; copy the file again, or save it again.")
    if len(entries) > MAX_TENSORS:
        raise ValueError(f"has {len(entries)} arrays; at most {MAX_TENSORS} are accepted.")
    total = sum(_claimed_bytes(name, entry) for name, entry in entries.items())
    if 8 + len(header) + total != size:
        raise ValueError(
            f"is truncated or too long: it has {size} bytes, and its header describes "
            f"{8 + len(header) + total}. Copy the file again, or save it again."
        )
    return str(kind), envelope["spec"]


def _with_article(noun: str) -> str:
    """The noun, quoted or not, after "a" or "an"."""
    vowel = noun.lstrip("'").startswith(tuple("aeiou"))
    return f"an {noun}" if vowel else f"a {noun}"


def _short(claimed: Any) -> str:
    """A value from a file, shortened to fit into a message."""
    return repr(claimed)[:60]


def _claimed_bytes(name: str, entry: Any) -> int:
    """The size in bytes of the array called `name`, after its entry in the header has been checked."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"has an array called {name[:40]!r}; names must be 1 to 512 letters, digits or characters of '_/.'."
        )
    if type(entry) is not dict or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(
            f"must describe the array {name} by exactly dtype, shape and data_offsets; use a file saved by jaxnn."
        )
    dtype, shape = DTYPES.get(str(entry["dtype"])), entry["shape"]
    if dtype is None:
        raise ValueError(f"has the array {name} of an unknown type; known types: {', '.join(DTYPES)}.")
    offsets = entry["data_offsets"]
    for numbers in (shape, offsets):
        if type(numbers) is not list or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"has the array {name} with a shape or offsets that are not a list of whole numbers ≥ 0.")
    # An empty array of shape (0, 2⁴⁰) takes no bytes but would still break code that computes with its shape.
    if len(shape) > MAX_DIMENSIONS or math.prod(max(n, 1) for n in shape) > MAX_FILE_BYTES:
        raise ValueError(f"has the array {name} of an impossible shape; copy the file again, or save it again.")
    claimed = math.prod(shape) * dtype.itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != claimed:
        raise ValueError(
            f"has offsets of the array {name} that do not match its shape and type; copy the file again, or save it"
            " again."
        )
    return claimed


def strict_json(text: str | bytes) -> dict[str, Any]:
    """Parses untrusted JSON: no duplicate keys, NaN, huge numbers, deep nesting or invalid text."""

    def refuse(what: str) -> NoReturn:
        raise ValueError(what)

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= MAX_JSON_DIGITS else refuse("a number that is too large")

    def real(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else refuse("a number that is too large")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        return table if len(table) == len(pairs) else refuse("the same key twice")

    try:
        text = text.decode() if isinstance(text, bytes) else text
        # json.loads recurses, so the depth must be checked before it is called.
        brackets = re.findall(r"[\[\]{}]", _JSON_STRING.sub("", text))
        depths = itertools.accumulate(1 if b in "[{" else -1 for b in brackets)
        if max(depths, default=0) > MAX_JSON_DEPTH:
            refuse("lists or objects that are nested too deeply")
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda token: refuse(f"the number {token}"),
        )
        # Half a surrogate pair is not valid text: it would fail later, when printed.
        json.dumps(value, ensure_ascii=False).encode()
        if type(value) is not dict:
            refuse("a value that is not an object")
        return value
    except (ValueError, TypeError) as error:
        raise ValueError(f"is not accepted because its description has {error}; save it again.") from None
