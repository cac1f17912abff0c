"""Files that are whole or refused: arrays and a JSON description under one SHA-256, written all at once or not at all.

A file is a valid safetensors file, so any tool that reads safetensors opens it. Its metadata has one entry, `jaxnn`:

    {"sha256": digest of every other byte of the file, "version": 1, "kind": "model", "spec": {…}}

There is no pickle, and nothing in a file names code. The reader trusts nothing: every claim in the header is checked
before the arrays are read, every byte is covered by the digest, and memory stays at about twice the size of the file.
The digest proves that the file is the one that was written, not who wrote it.

A write goes to a temporary file in the same folder, reaches the disk (fsync), and then takes the name in one step
(rename), so that a crash, a kill or a full disk leaves the earlier file as it was. Numbered files keep the last few:
where the newest is damaged, the one before it still serves.

References: the safetensors format, https://github.com/huggingface/safetensors#format; for the order fsync, rename,
fsync of the folder: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import math
import os
import re
import secrets
import stat
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxnn import checks

VERSION = 1
MAX_FILE_BYTES = 2**31
MAX_HEADER_BYTES = 2**20
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 32  # numpy's own limit before version 2
MAX_JSON_DEPTH = 32
MAX_JSON_DIGITS = 20  # as many as an unsigned 64-bit number has
ABANDONED_SECONDS = 3600  # no write takes an hour: an older temporary file belongs to a dead process

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
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, as numpy, torch and keras write them",
    b"\x80": "a pickle, which can run code when it is opened",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"\x1f\x8b": "a gzip archive",
}
NAME = re.compile(r"[A-Za-z0-9_/.]{1,512}")

# A string that does not end takes the rest of the text, so that the search is over in one pass whatever the text.
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)

# The digest stands at a fixed place, and covers all bytes but its own.
_PREFIX = rb'{"__metadata__":{"jaxnn":"{\"sha256\":\"'
_DIGEST = slice(8 + len(_PREFIX), 8 + len(_PREFIX) + 64)

PathLike = str | os.PathLike[str]
Spec = dict[str, Any]
Tensors = dict[str, np.ndarray]


class Stored(NamedTuple):
    """What `newest` found.

    Attributes:
        path: the file.
        spec: its JSON description.
        tensors: its arrays, by name.
    """

    path: Path
    spec: Spec
    tensors: Tensors


# Reading


def read(path: PathLike, kind: str, *, allow_nonfinite: bool = False) -> tuple[Spec, Tensors]:
    """Reads a file that `write` wrote, whoever it comes from.

    Args:
        path: the file.
        kind: what it must hold, as given to `write`.
        allow_nonfinite: accept arrays with NaN or infinity.

    Returns:
        The description and the arrays, bit for bit as they were written.

    Raises:
        ValueError: the file is damaged, larger than 2 GiB, of another kind, version or format, or claims what no
            honest file does.
        OSError: the system refuses to read it.
    """
    try:
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise ValueError(f"has {size} bytes, at most {MAX_FILE_BYTES} are read; give a file that jaxnn saved.")
            header = _read_header(file, size)
            spec = _checked_header(header, size, kind)
            tensors = _checked_arrays(file, size, header)
        _check_values(tensors, allow_nonfinite)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} {error}") from None
    return spec, tensors


def _open(path: PathLike) -> BinaryIO:
    """Opens a regular file for reading, and nothing else."""
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("is a folder, a pipe or a device, not a file; give the path of a file.")
    return os.fdopen(descriptor, "rb")


def _read_header(file: BinaryIO, size: int) -> bytes:
    """The JSON header that opens a file of `size` bytes; nothing beyond it is read."""
    start = file.read(8)
    if not start:
        raise ValueError("is empty; copy it again, or make it anew.")
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, MAX_HEADER_BYTES):
        other = [name for magic, name in OTHER_FORMATS.items() if start.startswith(magic)]
        what = f"is {other[0]}" if other else "is cut short or in another format"
        raise ValueError(f"{what}, not a jaxnn file; give a file that jaxnn saved.")
    header = file.read(length)
    if not header.startswith(_PREFIX):
        raise ValueError("was not written by jaxnn, or is damaged; give a file that jaxnn saved.")
    return header


def _checked_header(header: bytes, size: int, kind: str) -> Spec:
    """The description in the header of a file of `size` bytes, after every claim in it has been checked."""
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


def _digest(content: bytes | bytearray) -> bytes:
    """The SHA-256, in hexadecimal, of all bytes but those where the digest itself stands."""
    view = memoryview(content)
    digest = hashlib.sha256(view[: _DIGEST.start])
    digest.update(view[_DIGEST.stop :])
    return digest.hexdigest().encode()


def _checked_arrays(file: BinaryIO, size: int, header: bytes) -> Tensors:
    """The arrays of a file whose header has been checked, after its digest has been checked too."""
    file.seek(0)
    content = file.read(size + 1)
    if len(content) != size or content[8 : 8 + len(header)] != header:
        raise ValueError("changed while it was read; try again when nothing writes to it.")
    if _digest(content) != content[_DIGEST]:
        raise ValueError("is damaged: its content does not match its SHA-256. Copy it again, or make it anew.")
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
            raise ValueError(f"has the truth values {name} with bytes other than 0 and 1; make it anew.")
        if not allow_nonfinite and not is_finite(array):
            raise ValueError(f"has NaN or infinity in {name}; save it again from a run that did not diverge.")


def is_finite(array: np.ndarray) -> bool:
    """Whether no entry is NaN or infinite; whole numbers and truth values are finite."""
    return array.dtype.kind in "biu" or bool(np.isfinite(array).all())


# Writing


def write(path: PathLike, kind: str, spec: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a file all at once: whatever happens meanwhile, the path holds the earlier file or the new one.

    Args:
        path: the file; replaced if it exists. A link is followed.
        kind: what the file holds, in one word; `read` asks for the same.
        spec: a description that JSON can hold: keys are strings, numbers finite. Tuples return as lists.
        tensors: arrays by name; names are of letters, digits and `_/.`.

    Raises:
        ValueError: the description or the arrays are not such as `read` accepts.
        OSError: the system refuses; the earlier file is as it was.
    """
    path = Path(os.path.realpath(path))
    try:
        content = _encode(kind, spec, tensors)
    except ValueError as error:
        raise ValueError(f"Cannot save {path}: the file {error}") from None
    _refuse_unwritable(path)
    _remove_temporaries(path.parent, re.escape(path.name), older_than=ABANDONED_SECONDS)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f"Cannot save ({error.strerror}); no file was damaged. Make room or choose another place",
            str(path),
        ) from error


def _encode(kind: str, spec: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytearray:
    """The bytes of the file, after the checks that a reader would make."""
    size = sum(array.nbytes for array in tensors.values()) + MAX_HEADER_BYTES
    if size > MAX_FILE_BYTES:
        raise ValueError(f"would have {size} bytes; at most {MAX_FILE_BYTES} are accepted.")
    arrays = {}
    for name, array in tensors.items():
        dtype = array.dtype.newbyteorder("=")
        if dtype not in DTYPES.values():
            raise ValueError(f"cannot hold the array {name} of type {dtype}; known: {', '.join(DTYPES)}.")
        # The library takes the bytes as they lie in memory.
        arrays[name] = np.asarray(array, dtype, order="C")
    try:
        envelope = json.dumps(
            {"sha256": "0" * 64, "version": VERSION, "kind": kind, "spec": dict(spec)},
            allow_nan=False,
            separators=(",", ":"),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot hold this description as JSON: {error}.") from None
    content = bytearray(safetensors.numpy.save(arrays, {"jaxnn": envelope}))
    length = int.from_bytes(content[:8], "little")
    _checked_header(bytes(content[8 : 8 + length]), len(content), kind)
    content[_DIGEST] = _digest(content)
    return content


def _sync_folder(folder: Path) -> None:
    """Brings a rename to the disk; where folders cannot be opened (Windows), the system sees to it."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: PathLike) -> None:
    """Finds out before hours of training whether a file could be written there. Nothing is changed.

    Args:
        path: the file to be written later; it may exist.

    Raises:
        OSError: it could not; the message says why and what to do.
    """
    path = Path(os.path.realpath(path))
    _refuse_unwritable(path)
    trial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OSError(
            error.errno,
            f"Cannot write in this folder ({error.strerror}); choose another place",
            str(path.parent),
        ) from None
    trial.unlink()


def _refuse_unwritable(path: Path) -> None:
    """Raises OSError where no file can be: in a folder that is none, or in the place of something else."""
    if not path.parent.exists():
        raise FileNotFoundError(
            errno.ENOENT, "There is no such folder; create it or choose another place", str(path.parent)
        )
    if not path.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "This is a file, not a folder; choose another place", str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder; add a file name to the path", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "This is a pipe or a device, not a file; choose another place", str(path))


# Numbered files: the last few states of one run


def write_numbered(
    folder: PathLike,
    stem: str,
    number: int,
    kind: str,
    spec: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    keep: int = 2,
) -> Path:
    """Writes `folder/stem-00000042.ckpt` and then removes all but the last `keep`.

    Files with larger numbers are removed too: they are states of a run that this one did not continue, and `newest`
    would prefer them. One run at a time may use a stem.

    Args:
        folder: where the files are; it must exist.
        stem: the name that a run's files share.
        number: the place in the series, 0 or more, such as the step.
        kind: as for `write`.
        spec: as for `write`.
        tensors: as for `write`.
        keep: how many to keep; with 2, one damaged file costs one interval of work, not all.

    Returns:
        The path of the file.

    Raises:
        ValueError: as for `write`; or `number`, `keep` or `stem` is not acceptable.
        OSError: the system refuses; the earlier files are all there.
    """
    checks.whole(0, number=number)
    checks.whole(1, keep=keep)
    _check_stem(stem)
    path = Path(folder) / f"{stem}-{number:08d}.ckpt"
    write(path, kind, spec, tensors)
    series = numbered(folder, stem)
    keepers = sorted(n for n in series if n <= number)[-keep:]
    for other, old in series.items():
        if other not in keepers:
            old.unlink(missing_ok=True)
    return path


def numbered(folder: PathLike, stem: str) -> dict[int, Path]:
    """The files that `write_numbered` left, by number, least first; damaged ones are among them.

    Raises:
        OSError: the system refuses to list the folder; a folder that does not exist has no files.
    """
    _check_stem(stem)
    pattern = re.compile(re.escape(stem) + r"-([0-9]{8,})\.ckpt")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    found = {int(match[1]): Path(folder) / match[0] for match in map(pattern.fullmatch, names) if match}
    return dict(sorted(found.items()))


def newest(folder: PathLike, stem: str, kind: str, *, allow_nonfinite: bool = False) -> Stored | None:
    """The newest file of a series that is whole, or None. Temporary files of a killed run are removed.

    A damaged file is passed over with a warning that names it. If all are, that is an error: to begin again from
    nothing would be to remove them.

    Args:
        folder: where the files are.
        stem: the name that the run's files share.
        kind: as for `read`.
        allow_nonfinite: as for `read`.

    Raises:
        ValueError: there are files, and not one could be read.
        OSError: the system refuses to list the folder or to read a file; a folder that does not exist has no files.
    """
    series = numbered(folder, stem)
    _remove_temporaries(Path(folder), re.escape(stem) + r"-[0-9]+\.ckpt", older_than=0)
    for path in reversed(series.values()):
        try:
            return Stored(path, *read(path, kind, allow_nonfinite=allow_nonfinite))
        except ValueError as error:
            warnings.warn(f"Passed over a checkpoint: {error}", stacklevel=2)
            last = error
    if series:
        raise ValueError(f"Not one of the checkpoints in {folder} could be read, move them away to begin again: {last}")
    return None


def _check_stem(stem: str) -> None:
    """Raises ValueError unless a file name may start so."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stem) or stem.startswith("."):
        raise ValueError(f"stem must be letters, digits and '_.-', not starting with '.', 100 at most, got {stem!r}.")


def _remove_temporaries(folder: Path, name_pattern: str, *, older_than: int) -> None:
    """Removes what killed writes of the files matching the pattern left, if `older_than` seconds old."""
    pattern = re.compile(rf"\.{name_pattern}\.[0-9a-f]{{16}}\.tmp")
    # Litter that cannot be removed is no reason to lose what is to be written or read.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name) and time.time() - entry.stat().st_mtime >= older_than:
                os.unlink(entry.path)


# Trees of arrays


def flatten(tree: Any) -> Tensors:
    """The leaves of a pytree as numpy arrays, named by their place: `0/w`, `opt_state/mu/1/b`.

    A typed random key becomes its data, under its name with the generator's added: `key.prng.threefry2x32`.
    A tree that is a single leaf is called `root`.

    Args:
        tree: a pytree of arrays and Python numbers.

    Raises:
        ValueError: a leaf is not numeric, or a name would have other characters than letters, digits and `_/.`.
    """
    flat: Tensors = {}
    for name, leaf in _named_leaves(tree)[0]:
        if _is_key(leaf):
            array = np.asarray(jax.random.key_data(leaf))
            name = f"{name}.prng.{jax.random.key_impl(leaf)}"
        else:
            array = np.asarray(leaf)
        if array.dtype not in DTYPES.values():
            raise ValueError(f"The leaf {name} is of type {array.dtype}, which cannot be stored.")
        if not NAME.fullmatch(name):
            raise ValueError(
                f"The leaf {name!r} has a key with other characters than letters, digits and '_/.'; rename it."
            )
        if name in flat:
            raise ValueError(f"Two leaves are called {name}; rename the key that contains '/'.")
        flat[name] = array
    return flat


def unflatten(flat: Mapping[str, np.ndarray], like: Any) -> Any:
    """The tree that `flatten` took apart.

    Args:
        flat: arrays by name.
        like: a tree of the same structure, shapes and dtypes; abstract leaves (`jax.eval_shape`) will do.

    Returns:
        A tree like `like`, bit for bit what was flattened: numpy arrays and Python numbers where `like` has them,
        else JAX arrays, each in a buffer of its own.

    Raises:
        ValueError: names, shapes or dtypes differ; the message names the leaf, what was expected and what was found.
    """
    remaining = dict(flat)
    named, structure = _named_leaves(like)
    leaves = []
    for name, leaf in named:
        found = name
        if _is_key(leaf):
            found = next((n for n in remaining if n.startswith(f"{name}.prng.")), name)
        if found not in remaining:
            stored = ", ".join(itertools.islice(flat, 3)) or "nothing"
            raise ValueError(f"The leaf {name} is missing: another structure was stored ({stored}, …).")
        leaves.append(_restore(name, remaining.pop(found), leaf, impl=found.removeprefix(f"{name}.prng.")))
    if remaining:
        raise ValueError(f"The leaf {next(iter(remaining))} was stored and has no place in the expected structure.")
    return jax.tree.unflatten(structure, leaves)


def _restore(name: str, array: np.ndarray, like: Any, *, impl: str) -> Any:
    """One leaf, in the kind of its counterpart."""
    if _is_key(like):
        try:
            key = jax.random.wrap_key_data(jnp.array(array), impl=impl)
        except (ValueError, TypeError):
            raise ValueError(
                f"The leaf {name} should hold random keys {like.shape} and is {array.dtype} {array.shape}."
            ) from None
        _same(name, key, like)
        return key
    if isinstance(like, bool | int | float | complex) and not isinstance(like, np.generic):
        _same(name, array, np.asarray(like))
        return array.item()
    _same(name, array, like)
    if isinstance(like, np.ndarray | np.generic):
        return array.copy() if isinstance(like, np.ndarray) else array[()]
    restored = jnp.array(array)
    if restored.dtype != array.dtype:
        raise ValueError(
            f"The leaf {name} is {array.dtype}, which JAX has switched off: "
            'jax.config.update("jax_enable_x64", True) before loading keeps it.'
        )
    return restored


def _same(name: str, found: Any, expected: Any) -> None:
    """Raises ValueError unless shapes and dtypes agree."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(
            f"The leaf {name} should be {expected.dtype} {expected.shape} and is "
            f"{found.dtype} {found.shape}: it belongs to another configuration."
        )


def _is_key(leaf: Any) -> bool:
    """Whether a leaf is an array of typed random keys."""
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _named_leaves(tree: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The leaves with their names, and the structure."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") or "root" for path, _ in leaves]
    return list(zip(names, [leaf for _, leaf in leaves], strict=True)), structure
