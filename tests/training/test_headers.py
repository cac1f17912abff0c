"""Hostile files, whose digest is right and whose header lies."""

import hashlib
import io
import json
import os
import pickle
import random
import struct
import time
import tracemalloc
import zipfile
from typing import NamedTuple

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from jaxnn.training import serialisation
from tests.training.saved import TENSORS, same

# Malice: files with a digest that is right


class Case(NamedTuple):
    name: str
    content: bytes
    match: str


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def forge(
    entries='"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}',
    *,
    data=bytes(8),
    spec="{}",
    version="1",
    kind='"model"',
    more="",
):
    """A file of arbitrary content whose SHA-256 is right, by the format's description and not by our code."""
    inner = '{"sha256":"%s","version":' + version + ',"kind":' + kind + ',"spec":' + spec + more + "}"
    outer = '{"__metadata__":{"jaxnn":%s}' + ("," + entries if entries else "") + "}"
    header = (outer % json.dumps(inner % ("0" * 64))).encode("utf-8", "surrogateescape")
    length = struct.pack("<Q", len(header))
    digest = hashlib.sha256(length + header.replace(b"0" * 64, b"", 1) + data).hexdigest()
    return length + header.replace(b"0" * 64, digest.encode(), 1) + data


def entry(**changes):
    return '"a":' + json.dumps(ONE | changes)


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(2**24))
    return stream.getvalue()


MANY = {f"a{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(10_001)}
CORPUS = [
    Case("nothing", b"", "empty"),
    Case("rubbish", random.Random(0).randbytes(1000), "another format"),
    Case("pickle", pickle.dumps({"a": os.getcwd}), "pickle"),
    Case("zip bomb", zipped(), "zip"),
    Case("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    Case("plain safetensors", safetensors.numpy.save(TENSORS), "not written by jaxnn"),
    Case("foreign metadata", safetensors.numpy.save(TENSORS, {"format": "pt"}), "not written by jaxnn"),
    Case("header of 2^60 bytes", struct.pack("<Q", 2**60) + bytes(1000), "another format"),
    Case("header over 1 MB", forge(spec='{"a":"' + "x" * 2**20 + '"}'), "another format"),
    Case("version 2", forge(version="2"), "version 2"),
    Case("version in words", forge(version='"1"'), "version '1'"),
    Case("another kind", forge(kind='"checkpoint"'), "'checkpoint'"),
    Case("kind of another type", forge(kind="[]"), "contains a"),
    Case("more keys", forge(more=',"code":"os.system"'), "malformed"),
    Case("spec is a list", forge(spec="[]"), "malformed"),
    Case("10 001 arrays", forge(json.dumps(MANY)[1:-1], data=b""), "at most 10000"),
    Case("unknown dtype", forge(entry(dtype="F4")), "unknown type"),
    Case("dtype of another type", forge(entry(dtype=["F32"])), "unknown type"),
    Case("empty but huge", forge(entry(shape=[0, 2**40], data_offsets=[0, 0]), data=b""), "impossible shape"),
    Case("overflow", forge(entry(shape=[2**33, 2**33])), "impossible shape"),
    Case("40 dimensions", forge(entry(shape=[1] * 40 + [2])), "impossible shape"),
    Case("negative size", forge(entry(shape=[-2])), "not a list of whole numbers"),
    Case("fractional size", forge(entry(shape=[2.0])), "not a list of whole numbers"),
    Case("size true", forge(entry(shape=[True, 2])), "not a list of whole numbers"),
    Case("shape in words", forge(entry(shape="2")), "not a list of whole numbers"),
    Case("wrong place", forge(entry(data_offsets=[0, 4])), "do not match"),
    Case("three offsets", forge(entry(data_offsets=[0, 8, 8])), "do not match"),
    Case("more in an entry", forge(entry(path="/etc/passwd")), "exactly dtype, shape and data_offsets"),
    Case("entry is a list", forge('"a":[]'), "exactly dtype, shape and data_offsets"),
    Case(
        "overlap and hole",
        forge(entry() + ',"b":' + json.dumps(ONE), data=bytes(16)),
        "forged",
    ),
    Case("claims 1 GiB", forge(entry(shape=[2**28], data_offsets=[0, 2**30])), "truncated"),
    Case("trailing bytes", forge(data=bytes(9)), "too long"),
    Case("name with a NUL", forge('"../x\\u0000":' + json.dumps(ONE)), "called"),
    Case("name with a space", forge('"a b":' + json.dumps(ONE)), "called"),
    Case("empty name", forge('"":' + json.dumps(ONE)), "called"),
    Case("long name", forge(f'"{"a" * 513}":' + json.dumps(ONE)), "called"),
    Case("name twice", forge(entry() + "," + entry()), "same key twice"),
    Case("key twice in the spec", forge(spec='{"a":1,"a":2}'), "same key twice"),
    Case("NaN", forge(spec='{"a":NaN}'), "NaN"),
    Case("Infinity", forge(spec='{"a":-Infinity}'), "Infinity"),
    Case("1e400", forge(spec='{"a":1e400}'), "too large"),
    Case("huge int", forge(spec='{"a":' + "9" * 4000 + "}"), "too large"),
    Case("deep", forge(spec='{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "too deeply"),
    Case("deep and open", forge(spec='{"a":' + "[" * 500_000), "too deeply"),
    Case("quotes without end", forge(spec='"' + '\\"' * 100_000), "Unterminated|delimiter"),
    Case("half a surrogate pair", forge(spec='{"a":"\\ud800"}'), "surrogates"),
    Case("no text", forge(entries="\udcff"), "decode"),
    Case("truth values of 2", forge(entry(dtype="BOOL", data_offsets=[0, 2]), data=b"\1\2"), "other than 0 and 1"),
    Case("NaN weights", forge(data=struct.pack("<2f", 1, float("nan"))), "NaN or infinity in a"),
    Case("infinite weights", forge(data=struct.pack("<2f", 1, float("-inf"))), "NaN or infinity in a"),
]


@pytest.mark.parametrize(  # those that take seconds are slow
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] * (case.name in ("10 001 arrays", "deep and open")))
        for case in CORPUS
    ],
)
def test_hostile_files(tmp_path, case):
    path = tmp_path / "hostile"
    path.write_bytes(case.content)
    started = time.process_time()
    with pytest.raises(ValueError, match=case.match) as caught:
        serialisation.read(path, "model")
    # A second would do, but that a collection of all other tests' garbage may fall into it.
    assert time.process_time() - started < 5
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=case.match):
            serialisation.read(path, "model")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    # 4 MiB for what Python and pytest do meanwhile (linecache reads sources, for one); a header, of at most 1 MiB,
    # becomes objects of 20 times its size at worst.
    assert peak < 2 * len(case.content) + 20 * min(len(case.content), 2**20) + 2**22


def test_the_forger_makes_files_that_are_accepted(tmp_path):
    """Otherwise the corpus would be refused for its digest alone."""
    (tmp_path / "x").write_bytes(forge(spec='{"a":[1,2.5,"ü"]}', data=struct.pack("<2f", 1, 2)))
    spec, tensors = serialisation.read(tmp_path / "x", "model")
    assert spec == {"a": [1, 2.5, "ü"]}
    same(tensors, {"a": np.array([1, 2], np.float32)})


def test_nan_on_request(tmp_path):
    (tmp_path / "x").write_bytes(forge(data=struct.pack("<2f", 1, float("nan"))))
    assert np.isnan(serialisation.read(tmp_path / "x", "model", allow_nonfinite=True)[1]["a"][1])
