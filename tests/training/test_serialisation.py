"""Files are whole or refused: cuts, flipped bits, what is no regular file, what no reader would accept."""

import hashlib
import json
import os
import socket
import time
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from numpy.testing import assert_array_equal

from jaxnn.training import headers, serialisation
from tests.training.saved import SPEC, TENSORS, same


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "m.safetensors"
    serialisation.write(path, "model", SPEC, TENSORS)
    return path


# What is written comes back


@pytest.mark.parametrize("dtype", list(headers.DTYPES.values()), ids=list(headers.DTYPES))
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 5)], ids=str)
def test_every_bit_pattern_comes_back(tmp_path, dtype, shape):
    count = int(np.prod(shape))
    noise = np.random.default_rng(0).bytes(count * dtype.itemsize)
    raw = bytes(b & 1 for b in noise) if dtype.kind == "b" else noise
    array = np.frombuffer(raw, dtype).reshape(shape)
    serialisation.write(tmp_path / "x", "test", {}, {"a": array})
    spec, tensors = serialisation.read(tmp_path / "x", "test", allow_nonfinite=True)
    assert spec == {}
    same(tensors, {"a": array})


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.float32, np.float64])
def test_payloads_of_nan_and_the_sign_of_zero_survive(tmp_path, dtype):
    width = np.dtype(dtype).itemsize
    unsigned = np.dtype(f"u{width}")
    patterns = np.array([-1, 0, 1 << (8 * width - 1), (1 << (8 * width - 1)) - 3], object) & ((1 << 8 * width) - 1)
    array = patterns.astype(unsigned).view(dtype)
    serialisation.write(tmp_path / "x", "test", {}, {"a": array})
    back = serialisation.read(tmp_path / "x", "test", allow_nonfinite=True)[1]["a"]
    assert_array_equal(back.view(unsigned), array.view(unsigned))


def test_layout_and_byte_order_do_not_matter(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = {"fortran": np.asfortranarray(array), "big": array.astype(">f4"), "strided": array[::-1, ::2]}
    serialisation.write(tmp_path / "x", "test", {}, given)
    back = serialisation.read(tmp_path / "x", "test")[1]
    same(back, {"fortran": array, "big": array, "strided": array[::-1, ::2].copy()})


def test_the_description_comes_back(file):
    spec, tensors = serialisation.read(file, "model")
    assert spec == SPEC
    same(tensors, TENSORS)


def test_other_tools_read_the_file(file):
    same(safetensors.numpy.load_file(file), TENSORS)
    with safetensors.safe_open(file, "np") as opened:
        envelope = json.loads(opened.metadata()["jaxnn"])
    assert envelope["spec"] == SPEC
    assert (envelope["version"], envelope["kind"]) == (1, "model")
    others = file.read_bytes().replace(envelope["sha256"].encode(), b"")
    assert hashlib.sha256(others).hexdigest() == envelope["sha256"]


def test_the_same_content_makes_the_same_file(file, tmp_path):
    again = tmp_path / "again"
    serialisation.write(again, "model", SPEC, dict(reversed(TENSORS.items())))
    assert again.read_bytes() == file.read_bytes()


# Damage


def refused(path, content, kind="model"):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=path.name):
        serialisation.read(path, kind, allow_nonfinite=True)


def test_cut_at_every_byte(file, tmp_path):
    content = file.read_bytes()
    for length in range(len(content)):
        refused(tmp_path / "cut", content[:length])


@pytest.mark.slow
def test_one_flipped_bit_in_every_byte(file, tmp_path):
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        refused(tmp_path / "flipped", bytes(damaged))


def test_the_digest_has_one_spelling(file, tmp_path):
    content = file.read_bytes()
    start = content.index(b"sha256") + len(r"sha256\":\"")
    digest = content[start : start + 64]
    refused(tmp_path / "capitals", content.replace(digest, digest.upper()))


@pytest.mark.parametrize("more", [b"\0", b"x" * 1000])
def test_bytes_too_many(file, tmp_path, more):
    refused(tmp_path / "long", file.read_bytes() + more)


def test_two_bytes_that_change_places(file, tmp_path):
    content = bytearray(file.read_bytes())
    content[-8], content[-9] = content[-9], content[-8]
    assert content != file.read_bytes()
    refused(tmp_path / "swapped", bytes(content))


def test_memory_stays_at_twice_the_file(tmp_path):
    serialisation.write(tmp_path / "x", "test", {}, {"a": np.ones(2**21, np.float32)})
    tracemalloc.start()
    try:
        tensors = serialisation.read(tmp_path / "x", "test")[1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert tensors["a"].sum() == 2**21
    assert peak < 2.1 * 2**23


def test_what_is_no_regular_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, "/dev/zero"):
        with pytest.raises(ValueError, match="not a file"):
            serialisation.read(path, "model")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    with pytest.raises(OSError):  # noqa: PT011 - each system has its own number for it
        serialisation.read(tmp_path / "s", "model")
    listening.close()
    with pytest.raises(FileNotFoundError):
        serialisation.read(tmp_path / "absent", "model")


@pytest.mark.parametrize(("size", "match"), [(2**30, "truncated"), (2**31 + 1, "at most 2147483648 are accepted")])
def test_huge_files_are_refused_unread(file, size, match):
    with open(file, "r+b") as handle:
        handle.truncate(size)  # sparse: it takes no room
    started = time.process_time()
    with pytest.raises(ValueError, match=match):
        serialisation.read(file, "model")
    assert time.process_time() - started < 2  # likewise


# What cannot be read is not written


@pytest.mark.parametrize(
    ("spec", "tensors", "match"),
    [
        ({"a": float("nan")}, {}, "JSON"),
        ({"a": {1, 2}}, {}, "JSON"),
        ({"a": 10**30}, {}, "too large"),
        ({"a": "x" * 2**20}, {}, "at most 1048576"),
        ({"a": "\ud800"}, {}, "surrogates"),
        ({}, {"a b": np.ones(2)}, "called 'a b'"),
        ({}, {"__metadata__": np.ones(2)}, "same key twice"),
        ({}, {"a": np.array(["x"])}, "cannot store the array a"),
        ({}, {"a": np.array([None])}, "cannot store the array a"),
        ({}, {"a": np.ones(2, np.complex128)}, "complex128"),
        ({}, {f"a{i}": np.ones(0) for i in range(10_001)}, "at most 10000"),
        ({}, {"a": np.broadcast_to(np.float32(0), (2**30,))}, "at most 2147483648"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_reader_would_accept_is_not_written(file, spec, tensors, match):
    before = file.read_bytes()
    with pytest.raises(ValueError, match=match) as caught:
        serialisation.write(file, "model", spec, tensors)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]
