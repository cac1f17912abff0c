"""The format of saved models and checkpoints: arrays and a JSON description under one SHA-256.

A file is a valid safetensors file, so any tool that reads safetensors opens it. Its metadata has one entry, `jaxnn`:

    {"sha256": digest of every other byte of the file, "version": 1, "kind": "model", "spec": {…}}

There is no pickle, and nothing in a file names code. The reader trusts nothing: every claim in the header is checked
(`headers`) before the arrays are read, every byte is covered by the digest, and memory stays at about twice the size of
the file. The digest proves that the file is the one that was written, not who wrote it.

Reference: the safetensors format, https://github.com/huggingface/safetensors#format.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy

from jaxnn import files
from jaxnn.files import PathLike
from jaxnn.training import headers
from jaxnn.training.headers import DTYPES, MAX_FILE_BYTES, MAX_HEADER_BYTES, VERSION, Spec, Tensors

OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, such as numpy, torch and keras write",
    b"\x80": "a pickle, which can run code when it is opened",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"\x1f\x8b": "a gzip archive",
}

# The digest is at a fixed place and covers all bytes but its own.
_PREFIX = rb'{"__metadata__":{"jaxnn":"{\"sha256\":\"'
_DIGEST = slice(8 + len(_PREFIX), 8 + len(_PREFIX) + 64)


def read(path: PathLike, kind: str, *, allow_nonfinite: bool = False) -> tuple[Spec, Tensors]:
    """Reads a file that `write` wrote; safe for files from anyone.

    Args:
        path: the file.
        kind: the kind of file expected, as given to `write`.
        allow_nonfinite: accept arrays with NaN or infinity.

    Returns:
        The description and the arrays, bit for bit as they were written.

    Raises:
        ValueError: the file is damaged, larger than 2 GiB, of another kind, version or format, or has an invalid
            header.
        OSError: the system refuses to read it.
    """
    _, spec, tensors = read_one_of(path, (kind,), allow_nonfinite=allow_nonfinite)
    return spec, tensors


def read_one_of(path: PathLike, kinds: Sequence[str], *, allow_nonfinite: bool = False) -> tuple[str, Spec, Tensors]:
    """The kind, the description and the arrays of a file that may be of several kinds; otherwise like `read`."""
    try:
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise ValueError(f"has {size} bytes; at most {MAX_FILE_BYTES} are accepted. Use a file saved by jaxnn.")
            header = _read_header(file, size)
            kind, spec = headers.checked(header, size, kinds)
            tensors = _checked_arrays(file, size, header)
        _check_values(tensors, allow_nonfinite)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} {error}") from None
    return kind, spec, tensors


def _open(path: PathLike) -> BinaryIO:
    """Opens a regular file for reading, and nothing else."""
    # Without O_NONBLOCK, opening a pipe that nobody writes to would hang.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("is a folder, a pipe or a device, not a file; give the path of a file.")
    return os.fdopen(descriptor, "rb")


def _read_header(file: BinaryIO, size: int) -> bytes:
    """The JSON header that opens a file of `size` bytes; nothing beyond it is read."""
    start = file.read(8)
    if not start:
        raise ValueError("is empty; copy the file again, or save it again.")
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, MAX_HEADER_BYTES):
        other = [name for magic, name in OTHER_FORMATS.items() if start.startswith(magic)]
        what = f"is {other[0]}" if other else "is truncated or in another format"
        raise ValueError(f"{what}, not a jaxnn file; use a file saved by jaxnn.")
    header = file.read(length)
    if not header.startswith(_PREFIX):
        raise ValueError("was not written by jaxnn, or is damaged; use a file saved by jaxnn.")
    return header


def _digest(content: bytes | bytearray) -> bytes:
    """The SHA-256, in hexadecimal, of all bytes but those of the digest itself."""
    view = memoryview(content)
    digest = hashlib.sha256(view[: _DIGEST.start])
    digest.update(view[_DIGEST.stop :])
    return digest.hexdigest().encode()


def _checked_arrays(file: BinaryIO, size: int, header: bytes) -> Tensors:
    """The arrays of a file whose header has been checked, after its digest has been checked too."""
    file.seek(0)
    content = file.read(size + 1)
    if len(content) != size or content[8 : 8 + len(header)] != header:
        raise ValueError("changed while it was being read; try again when no other process writes to it.")
    if _digest(content) != content[_DIGEST]:
        raise ValueError("is damaged: its content does not match its SHA-256. Copy the file again, or save it again.")
    try:
        entries = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:  # arrays that overlap, or leave holes
        raise ValueError(f"is damaged or forged: {error}.") from None
    return {
        name: np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in sorted(entries)
    }


def _check_values(tensors: Tensors, allow_nonfinite: bool) -> None:
    """Raises ValueError for values that arrays of their type should not have."""
    for name, array in tensors.items():
        if array.dtype == bool and array.size and array.view(np.uint8).max() > 1:
            raise ValueError(f"has bytes other than 0 and 1 in the booleans {name}; save it again.")
        if not allow_nonfinite and not is_finite(array):
            raise ValueError(f"has NaN or infinity in {name}; save it again from a run that did not diverge.")


def is_finite(array: np.ndarray) -> bool:
    """Whether no entry is NaN or infinite; integers and booleans are finite."""
    return array.dtype.kind in "biu" or bool(np.isfinite(array).all())


def write(path: PathLike, kind: str, spec: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a file atomically: whatever happens, the path has either the earlier file or the new one.

    Args:
        path: the file; replaced if it exists. A link is followed.
        kind: the kind of file, one word; `read` must be given the same.
        spec: a description as JSON: keys are strings, numbers finite. Tuples are read back as lists.
        tensors: arrays by name; names consist of letters, digits and `_/.`.

    Raises:
        ValueError: `read` would not accept the description or the arrays.
        OSError: the system refuses; an earlier file is unchanged.
    """
    try:
        content = encode(kind, spec, tensors)
    except ValueError as error:
        raise ValueError(f"Cannot save {Path(os.path.realpath(path))}: the file {error}") from None
    files.write(path, content)


def encode(kind: str, spec: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytearray:
    """The bytes of the file, after the checks that a reader would make."""
    size = sum(array.nbytes for array in tensors.values()) + MAX_HEADER_BYTES
    if size > MAX_FILE_BYTES:
        raise ValueError(f"would have {size} bytes; at most {MAX_FILE_BYTES} are accepted.")
    arrays = {}
    for name, array in tensors.items():
        dtype = array.dtype.newbyteorder("=")
        if dtype not in DTYPES.values():
            raise ValueError(f"cannot store the array {name} of type {dtype}; known types: {', '.join(DTYPES)}.")
        # The library copies the bytes as they are in memory.
        arrays[name] = np.asarray(array, dtype, order="C")
    try:
        envelope = json.dumps(
            {"sha256": "0" * 64, "version": VERSION, "kind": kind, "spec": dict(spec)},
            allow_nan=False,
            separators=(",", ":"),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot store this description as JSON: {error}.") from None
    content = bytearray(safetensors.numpy.save(arrays, {"jaxnn": envelope}))
    length = int.from_bytes(content[:8], "little")
    headers.checked(bytes(content[8 : 8 + length]), len(content), (kind,))
    content[_DIGEST] = _digest(content)
    return content
