"""Files are whole or refused: cuts, flipped bits, a hostile corpus, kills, full disks, no permission."""

import hashlib
import io
import json
import os
import pickle
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from numpy.testing import assert_array_equal

from jaxnn.training import storage

SPEC = {"name": "Grüße 😀", "sizes": [3, 2], "rate": 0.1, "nothing": None, "text": '[{"\\' * 40, "deep": {"yes": True}}
TENSORS = {"0/w": np.arange(6, dtype=np.float32).reshape(2, 3), "mu/0.B": np.array(-0.0), "n": np.array(7, np.int32)}


def bits(array):
    """What must not change: type, shape and bytes."""
    return array.dtype, array.shape, array.tobytes()


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        assert bits(found[name]) == bits(np.asarray(expected[name])), name


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "m.safetensors"
    storage.write(path, "model", SPEC, TENSORS)
    return path


# What is written comes back


@pytest.mark.parametrize("dtype", list(storage.DTYPES.values()), ids=list(storage.DTYPES))
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 5)], ids=str)
def test_every_bit_pattern_comes_back(tmp_path, dtype, shape):
    count = int(np.prod(shape))
    noise = np.random.default_rng(0).bytes(count * dtype.itemsize)
    raw = bytes(b & 1 for b in noise) if dtype.kind == "b" else noise
    array = np.frombuffer(raw, dtype).reshape(shape)
    storage.write(tmp_path / "x", "test", {}, {"a": array})
    spec, tensors = storage.read(tmp_path / "x", "test", allow_nonfinite=True)
    assert spec == {}
    same(tensors, {"a": array})


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.float32, np.float64])
def test_payloads_of_nan_and_the_sign_of_zero_survive(tmp_path, dtype):
    width = np.dtype(dtype).itemsize
    unsigned = np.dtype(f"u{width}")
    patterns = np.array([-1, 0, 1 << (8 * width - 1), (1 << (8 * width - 1)) - 3], object) & ((1 << 8 * width) - 1)
    array = patterns.astype(unsigned).view(dtype)
    storage.write(tmp_path / "x", "test", {}, {"a": array})
    back = storage.read(tmp_path / "x", "test", allow_nonfinite=True)[1]["a"]
    assert_array_equal(back.view(unsigned), array.view(unsigned))


def test_layout_and_byte_order_do_not_matter(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = {"fortran": np.asfortranarray(array), "big": array.astype(">f4"), "strided": array[::-1, ::2]}
    storage.write(tmp_path / "x", "test", {}, given)
    back = storage.read(tmp_path / "x", "test")[1]
    same(back, {"fortran": array, "big": array, "strided": array[::-1, ::2].copy()})


def test_the_description_comes_back(file):
    spec, tensors = storage.read(file, "model")
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
    storage.write(again, "model", SPEC, dict(reversed(TENSORS.items())))
    assert again.read_bytes() == file.read_bytes()


def test_the_mask_of_the_process_is_honoured(tmp_path):
    before = os.umask(0o027)
    try:
        storage.write(tmp_path / "x", "test", {}, {})
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(file, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(file)
    storage.write(link, "model", {"new": 1}, {})
    assert link.is_symlink()
    assert storage.read(file, "model")[0] == {"new": 1}


# Damage


def refused(path, content, kind="model"):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=path.name):
        storage.read(path, kind, allow_nonfinite=True)


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
    Case("kind of another type", forge(kind="[]"), "holds a"),
    Case("more keys", forge(more=',"code":"os.system"'), "malformed"),
    Case("spec is a list", forge(spec="[]"), "malformed"),
    Case("10 001 arrays", forge(json.dumps(MANY)[1:-1], data=b""), "at most 10000"),
    Case("unknown dtype", forge(entry(dtype="F4")), "unknown type"),
    Case("dtype of another type", forge(entry(dtype=["F32"])), "unknown type"),
    Case("empty but huge", forge(entry(shape=[0, 2**40], data_offsets=[0, 0]), data=b""), "impossible shape"),
    Case("overflow", forge(entry(shape=[2**33, 2**33])), "impossible shape"),
    Case("40 dimensions", forge(entry(shape=[1] * 40 + [2])), "impossible shape"),
    Case("negative size", forge(entry(shape=[-2])), "no list of sizes"),
    Case("fractional size", forge(entry(shape=[2.0])), "no list of sizes"),
    Case("size true", forge(entry(shape=[True, 2])), "no list of sizes"),
    Case("shape in words", forge(entry(shape="2")), "no list of sizes"),
    Case("wrong place", forge(entry(data_offsets=[0, 4])), "does not fit"),
    Case("three offsets", forge(entry(data_offsets=[0, 8, 8])), "does not fit"),
    Case("more in an entry", forge(entry(path="/etc/passwd")), "other words"),
    Case("entry is a list", forge('"a":[]'), "other words"),
    Case(
        "overlap and hole",
        forge(entry() + ',"b":' + json.dumps(ONE), data=bytes(16)),
        "forged",
    ),
    Case("claims 1 GiB", forge(entry(shape=[2**28], data_offsets=[0, 2**30])), "cut short"),
    Case("trailing bytes", forge(data=bytes(9)), "too many"),
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
    Case("deep", forge(spec='{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "too deep"),
    Case("deep and open", forge(spec='{"a":' + "[" * 500_000), "too deep"),
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
        storage.read(path, "model")
    # A second would do, but that a collection of all other tests' garbage may fall into it.
    assert time.process_time() - started < 5
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=case.match):
            storage.read(path, "model")
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
    spec, tensors = storage.read(tmp_path / "x", "model")
    assert spec == {"a": [1, 2.5, "ü"]}
    same(tensors, {"a": np.array([1, 2], np.float32)})


def test_nan_on_request(tmp_path):
    (tmp_path / "x").write_bytes(forge(data=struct.pack("<2f", 1, float("nan"))))
    assert np.isnan(storage.read(tmp_path / "x", "model", allow_nonfinite=True)[1]["a"][1])


def test_memory_stays_at_twice_the_file(tmp_path):
    storage.write(tmp_path / "x", "test", {}, {"a": np.ones(2**21, np.float32)})
    tracemalloc.start()
    try:
        tensors = storage.read(tmp_path / "x", "test")[1]
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
            storage.read(path, "model")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    with pytest.raises(OSError):  # noqa: PT011 - each system has its own number for it
        storage.read(tmp_path / "s", "model")
    listening.close()
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "absent", "model")


@pytest.mark.parametrize(("size", "match"), [(2**30, "cut short"), (2**31 + 1, "at most 2147483648 are read")])
def test_huge_files_are_refused_unread(file, size, match):
    with open(file, "r+b") as handle:
        handle.truncate(size)  # sparse: it takes no room
    started = time.process_time()
    with pytest.raises(ValueError, match=match):
        storage.read(file, "model")
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
        ({}, {"a": np.array(["x"])}, "cannot hold the array a"),
        ({}, {"a": np.array([None])}, "cannot hold the array a"),
        ({}, {"a": np.ones(2, np.complex128)}, "complex128"),
        ({}, {f"a{i}": np.ones(0) for i in range(10_001)}, "at most 10000"),
        ({}, {"a": np.broadcast_to(np.float32(0), (2**30,))}, "at most 2147483648"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_reader_would_accept_is_not_written(file, spec, tensors, match):
    before = file.read_bytes()
    with pytest.raises(ValueError, match=match) as caught:
        storage.write(file, "model", spec, tensors)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


# Faults of the system while writing


def python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        **options,
    )


def test_kill_while_overwriting(tmp_path):
    """A file that is overwritten all the time is whole whenever its writer dies."""
    code = """
        import sys, itertools
        import numpy as np
        from jaxnn.training import storage
        for k in itertools.count():
            storage.write(sys.argv[1] + "/m", "model", {"k": k}, {"a": np.full(200_000, k, np.int32)})
            storage.write_numbered(sys.argv[1], "run", k, "model", {"k": k}, {"a": np.full(200_000, k, np.int32)})
            print(k, flush=True)
    """
    chance = random.Random(0)
    for _ in range(3):
        writer = python(code, tmp_path)
        for _ in range(3):
            assert writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.02))
        writer.send_signal(signal.SIGKILL)
        finished = max(map(int, writer.communicate(timeout=60)[0].split()), default=2)
        found = storage.newest(tmp_path, "run", "model")
        for spec, tensors in (storage.read(tmp_path / "m", "model"), found[1:]):
            assert spec["k"] >= finished
            assert_array_equal(tensors["a"], np.full(200_000, spec["k"], np.int32))
        assert not list(tmp_path.glob(".run-*.tmp"))


FULL = """
    import os, resource, sys
    import numpy as np
    from jaxnn.training import storage
    folder = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for write in (
        lambda: storage.write(folder + "/m", "model", {}, {"a": np.ones(10**6)}),
        lambda: storage.write_numbered(folder, "run", 3, "model", {}, {"a": np.ones(10**6)}, 1),
    ):
        try:
            write()
        except OSError as error:
            print(error)
"""


def test_full_disk(tmp_path):
    storage.write(tmp_path / "m", "model", SPEC, TENSORS)
    for number in (1, 2):
        storage.write_numbered(tmp_path, "run", number, "model", SPEC, TENSORS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    output, errors = python(FULL, tmp_path).communicate(timeout=60)
    assert errors == ""
    assert output.count("Cannot save (File too large)") == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_at_any_step_leaves_the_earlier_file(file, monkeypatch, step):
    before = file.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left on device"):
        storage.write(file, "model", {"new": 1}, {})
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_an_interrupt_leaves_nothing_behind(file, monkeypatch):
    before = file.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        storage.write(file, "model", {"new": 1}, {})
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_the_content_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (order.append(name), real(*a))[1])
    storage.write(tmp_path / "x", "test", {}, {})
    assert order == ["fsync", "replace", "fsync"]


def test_threads_that_write_one_path(tmp_path):
    def work(k):
        for _ in range(5):
            storage.write(tmp_path / "x", "test", {"k": k}, {"a": np.full(1000, k)})

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    spec, tensors = storage.read(tmp_path / "x", "test")
    assert_array_equal(tensors["a"], np.full(1000, spec["k"]))
    assert os.listdir(tmp_path) == ["x"]


def test_old_litter_is_removed_and_fresh_litter_may_be_at_work(file):
    old, fresh, other = (
        file.with_name(n)
        for n in (f".{file.name}.{'a' * 16}.tmp", f".{file.name}.{'b' * 16}.tmp", f".other.{'a' * 16}.tmp")
    )
    for path in (old, fresh, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    storage.write(file, "model", {}, {})
    assert sorted(os.listdir(file.parent)) == sorted([fresh.name, other.name, file.name])


# Before training


@pytest.mark.parametrize(
    ("place", "error", "match"),
    [
        ("absent/x", FileNotFoundError, "create it"),
        ("m.safetensors/x", NotADirectoryError, "not a folder"),
        ("m.safetensors/deeper/x", OSError, "folder"),
        (".", IsADirectoryError, "add a file name"),
        ("fifo", OSError, "pipe or a device"),
        ("/dev/null", OSError, "pipe or a device"),
        ("/proc/x", OSError, "Cannot write in this folder"),
        ("x" * 300, OSError, "name too long"),
    ],
)
def test_places_where_nothing_can_be_written(file, place, error, match):
    os.mkfifo(file.parent / "fifo")
    before = sorted(os.listdir(file.parent)), file.read_bytes()
    path = file.parent / place
    with pytest.raises(error, match=match):
        storage.check_writable(path)
    with pytest.raises(error):
        storage.write(path, "model", {}, {})
    assert (sorted(os.listdir(file.parent)), file.read_bytes()) == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX only")
def test_a_folder_without_permission():
    """The superuser may write everywhere, so that a process asks that is nobody: it cannot reach pytest's folders, and
    the folder that it may write to shows that the other's permissions are what it stumbles over."""
    code = """
        import os, sys
        from jaxnn.training import storage
        if os.geteuid() == 0:
            os.setuid(65534)
        for path in sys.argv[1:]:
            try:
                storage.check_writable(path)
                print("writable")
            except OSError as error:
                print(type(error).__name__)
    """
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        files = [Path(name) / folder / "m" for folder in ("open", "closed")]
        for file, mode in zip(files, (0o777, 0o555), strict=True):
            file.parent.mkdir()
            file.write_bytes(b"")
            file.parent.chmod(mode)
        output, errors = python(code, *files).communicate(timeout=60)
        assert (output, errors) == ("writable\nPermissionError\n", "")
        assert [os.listdir(file.parent) for file in files] == [["m"], ["m"]]


def test_looking_changes_nothing(file):
    before = file.read_bytes(), file.stat().st_mtime_ns
    storage.check_writable(file)
    storage.check_writable(file.with_name("new"))
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert os.listdir(file.parent) == [file.name]


# Numbered files


def numbered(folder, *numbers, keep=2):
    for number in numbers:
        storage.write_numbered(folder, "run", number, "checkpoint", {"n": number}, TENSORS, keep)


def test_the_last_few_are_kept(tmp_path):
    numbered(tmp_path, 1, 5, 20, 100)
    assert sorted(os.listdir(tmp_path)) == ["run-00000020.ckpt", "run-00000100.ckpt"]
    assert list(storage.numbered(tmp_path, "run")) == [20, 100]
    numbered(tmp_path, 101, keep=1)
    assert sorted(os.listdir(tmp_path)) == ["run-00000101.ckpt"]


def test_numbers_count_as_numbers(tmp_path):
    numbered(tmp_path, 99_999_999, 100_000_000, 100_000_001)
    assert list(storage.numbered(tmp_path, "run")) == [100_000_000, 100_000_001]


def test_the_newest_is_found(tmp_path):
    assert storage.newest(tmp_path, "run", "checkpoint") is None
    assert storage.newest(tmp_path / "absent", "run", "checkpoint") is None
    numbered(tmp_path, 9, 10)
    found = storage.newest(tmp_path, "run", "checkpoint")
    assert (found.path.name, found.spec) == ("run-00000010.ckpt", {"n": 10})
    same(found.tensors, TENSORS)


def test_damaged_files_are_passed_over_by_name(tmp_path):
    numbered(tmp_path, 1, 2, 3, keep=3)
    (tmp_path / "run-00000003.ckpt").write_bytes(b"")
    damaged = tmp_path / "run-00000002.ckpt"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="Passed over") as caught:
        found = storage.newest(tmp_path, "run", "checkpoint")
    assert found.spec == {"n": 1}
    assert ["run-00000003.ckpt" in str(caught[0].message), "run-00000002.ckpt" in str(caught[1].message)] == [True] * 2
    (tmp_path / "run-00000001.ckpt").unlink()
    with (
        pytest.warns(UserWarning, match="Passed over"),
        pytest.raises(ValueError, match=r"Not one of the checkpoints in .* could be read, move them away"),
    ):
        storage.newest(tmp_path, "run", "checkpoint")
    assert len(storage.numbered(tmp_path, "run")) == 2  # and they are still there


def test_a_run_that_goes_back_removes_the_future_that_it_left(tmp_path):
    numbered(tmp_path, 8, 9)
    numbered(tmp_path, 3)
    assert list(storage.numbered(tmp_path, "run")) == [3]
    assert storage.newest(tmp_path, "run", "checkpoint").spec == {"n": 3}


def test_only_a_series_own_files_are_touched(tmp_path):
    others = ["run-2-00000009.ckpt", "run-9.ckpt", "run-00000009.ckpt.bak", "xrun-00000009.ckpt", "notes.txt"]
    others += [f".run-2-00000009.ckpt.{'a' * 16}.tmp", ".run-00000009.ckpt.tmp"]
    orphan = tmp_path / f".run-00000007.ckpt.{'0' * 16}.tmp"
    for name in others:
        (tmp_path / name).touch()
    orphan.touch()
    numbered(tmp_path, 1, 2, 3)
    assert storage.newest(tmp_path, "run", "checkpoint").spec == {"n": 3}
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "run-00000002.ckpt", "run-00000003.ckpt"])


@pytest.mark.parametrize("stem", ["", "../run", "a/b", ".hidden", "a b", "x" * 101])
def test_stems_that_are_no_names(tmp_path, stem):
    with pytest.raises(ValueError, match="stem"):
        storage.write_numbered(tmp_path, stem, 1, "checkpoint", {}, {})
    with pytest.raises(ValueError, match="stem"):
        storage.newest(tmp_path, stem, "checkpoint")


@pytest.mark.parametrize(("number", "keep", "match"), [(-1, 2, "number"), (1, 0, "keep")])
def test_numbers_that_are_none(tmp_path, number, keep, match):
    with pytest.raises(ValueError, match=match):
        storage.write_numbered(tmp_path, "run", number, "checkpoint", {}, {}, keep)


# Trees


class State(NamedTuple):
    step: object
    mu: object
    extra: object = None


def leaves_are_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert type(a) is type(b)
        if hasattr(a, "dtype") and jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            assert a.dtype == b.dtype
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert bits(np.asarray(a)) == bits(np.asarray(b))


TREES = {
    "one leaf": lambda: jnp.arange(3.0),
    "nothing": lambda: (),
    "state": lambda: State(jnp.int32(3), {"w": jnp.ones((2, 3)), "B.0": [jnp.zeros(0), (jnp.bfloat16(-0.0),)]}),
    "numbers": lambda: {"i": 3, "f": -0.0, "b": True, "inf": float("inf")},
    "numpy": lambda: [np.float64(1 / 3), np.array([np.nan, 1]), np.arange(3, dtype=np.int64)],
    "keys": lambda: {"k": jax.random.key(1), "many": jax.random.split(jax.random.key(2, impl="rbg"), 3)},
    "raw key": lambda: State(jax.random.PRNGKey(0), None),
    "empty": lambda: jnp.zeros((0, 7)),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_come_back(tmp_path, name):
    tree = TREES[name]()
    storage.write(tmp_path / "x", "state", {}, storage.flatten(tree))
    flat = storage.read(tmp_path / "x", "state", allow_nonfinite=True)[1]
    leaves_are_same(storage.unflatten(flat, tree), tree)


def test_abstract_leaves_will_do():
    tree = State(jnp.int32(3), {"w": jnp.ones((2, 3), jnp.bfloat16)}, jax.random.key(4))
    abstract = jax.eval_shape(lambda: tree)
    leaves_are_same(storage.unflatten(storage.flatten(tree), abstract), tree)


def test_names_say_where():
    tree = {"opt": State(jnp.int32(0), [jnp.ones(1)], jax.random.key(0))}
    assert sorted(storage.flatten(tree)) == ["opt/extra.prng.threefry2x32", "opt/mu/0", "opt/step"]


def test_double_precision_needs_double_precision(x64):
    tree = {"w": jnp.asarray(1 / 3)}
    flat = storage.flatten(tree)
    assert flat["w"].dtype == np.float64
    leaves_are_same(storage.unflatten(flat, tree), tree)
    with jax.enable_x64(False), pytest.raises(ValueError, match="float64"):
        storage.unflatten(flat, {"w": jnp.asarray(1 / 3)})
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        storage.unflatten(flat, tree)


def test_buffers_are_not_shared():
    """An optimiser may donate its state; what was read stays as it was."""
    flat = {"w": np.ones(1000, np.float32)}
    tree = storage.unflatten(flat, {"w": jnp.zeros(1000)})
    flat["w"][:] = 2
    assert_array_equal(tree["w"], np.ones(1000))


LIKE = {"a": {"w": jnp.ones((2, 3))}, "k": jax.random.key(0)}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"a/w": np.ones((3, 2), np.float32)}, r"a/w should be float32 \(2, 3\) and is float32 \(3, 2\)"),
        ({"a/w": np.ones((2, 3))}, r"a/w should be float32 \(2, 3\) and is float64 \(2, 3\)"),
        ({"a/w": None}, "a/w is missing"),
        ({"k.prng.threefry2x32": None}, "k is missing"),
        ({"k.prng.threefry2x32": None, "k": np.zeros(2, np.uint32)}, "k should"),
        ({"k.prng.threefry2x32": np.zeros(3, np.uint32)}, "k should hold random keys"),
        ({"k.prng.threefry2x32": np.zeros(2, np.float32)}, "k should hold random keys"),
        ({"k.prng.threefry2x32": None, "k.prng.rbg": np.zeros(4, np.uint32)}, "k should be key<fry>"),
        ({"k.prng.threefry2x32": None, "k.prng.os.system": np.zeros(2, np.uint32)}, "k should hold random keys"),
        ({"b": np.ones(1)}, "b was stored"),
    ],
    ids=str,
)
def test_trees_that_do_not_fit(changes, match):
    flat = storage.flatten(LIKE) | changes
    with pytest.raises(ValueError, match=match):
        storage.unflatten({name: array for name, array in flat.items() if array is not None}, LIKE)


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"a": "text"}, "leaf a is of type"),
        ({"a": np.array([None])}, "leaf a is of type object"),
        ({"a": np.ones(2, np.complex128)}, "complex128"),
        ({"a b": 1.0}, "'a b'"),
        ({"a/b": 1.0, "a": {"b": 2.0}}, "Two leaves are called a/b"),
    ],
    ids=str,
)
def test_trees_that_cannot_be_stored(tree, match):
    with pytest.raises(ValueError, match=match):
        storage.flatten(tree)
