"""Numbered files: the last few are kept, and kills and full disks cost one at most."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxnn.training import checkpoint_files, serialisation
from tests.training.saved import SPEC, TENSORS, same


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
        from jaxnn.training import checkpoint_files, serialisation
        for k in itertools.count():
            spec, tensors = {"k": k}, {"a": np.full(200_000, k, np.int32)}
            serialisation.write(sys.argv[1] + "/m", "model", spec, tensors)
            checkpoint_files.write_numbered(sys.argv[1], "run", k, "model", spec, tensors)
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
        found = checkpoint_files.newest(tmp_path, "run", "model")
        for spec, tensors in (serialisation.read(tmp_path / "m", "model"), found[1:]):
            assert spec["k"] >= finished
            assert_array_equal(tensors["a"], np.full(200_000, spec["k"], np.int32))
        assert not list(tmp_path.glob(".run-*.tmp"))


FULL = """
    import os, resource, sys
    import numpy as np
    from jaxnn.training import checkpoint_files, serialisation
    folder = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for write in (
        lambda: serialisation.write(folder + "/m", "model", {}, {"a": np.ones(10**6)}),
        lambda: checkpoint_files.write_numbered(folder, "run", 3, "model", {}, {"a": np.ones(10**6)}, 1),
    ):
        try:
            write()
        except OSError as error:
            print(error)
"""


def test_full_disk(tmp_path):
    serialisation.write(tmp_path / "m", "model", SPEC, TENSORS)
    for number in (1, 2):
        checkpoint_files.write_numbered(tmp_path, "run", number, "model", SPEC, TENSORS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    output, errors = python(FULL, tmp_path).communicate(timeout=60)
    assert errors == ""
    assert output.count("Cannot save (File too large)") == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# Numbered files


def numbered(folder, *numbers, keep=2):
    for number in numbers:
        checkpoint_files.write_numbered(folder, "run", number, "checkpoint", {"n": number}, TENSORS, keep)


def test_the_last_few_are_kept(tmp_path):
    numbered(tmp_path, 1, 5, 20, 100)
    assert sorted(os.listdir(tmp_path)) == ["run-00000020.ckpt", "run-00000100.ckpt"]
    assert list(checkpoint_files.numbered(tmp_path, "run")) == [20, 100]
    numbered(tmp_path, 101, keep=1)
    assert sorted(os.listdir(tmp_path)) == ["run-00000101.ckpt"]


def test_numbers_count_as_numbers(tmp_path):
    numbered(tmp_path, 99_999_999, 100_000_000, 100_000_001)
    assert list(checkpoint_files.numbered(tmp_path, "run")) == [100_000_000, 100_000_001]


def test_the_newest_is_found(tmp_path):
    assert checkpoint_files.newest(tmp_path, "run", "checkpoint") is None
    assert checkpoint_files.newest(tmp_path / "absent", "run", "checkpoint") is None
    numbered(tmp_path, 9, 10)
    found = checkpoint_files.newest(tmp_path, "run", "checkpoint")
    assert (found.path.name, found.spec) == ("run-00000010.ckpt", {"n": 10})
    same(found.tensors, TENSORS)


def test_damaged_files_are_passed_over_by_name(tmp_path):
    numbered(tmp_path, 1, 2, 3, keep=3)
    (tmp_path / "run-00000003.ckpt").write_bytes(b"")
    damaged = tmp_path / "run-00000002.ckpt"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="Skipped a damaged checkpoint") as caught:
        found = checkpoint_files.newest(tmp_path, "run", "checkpoint")
    assert found.spec == {"n": 1}
    assert ["run-00000003.ckpt" in str(caught[0].message), "run-00000002.ckpt" in str(caught[1].message)] == [True] * 2
    (tmp_path / "run-00000001.ckpt").unlink()
    with (
        pytest.warns(UserWarning, match="Skipped a damaged checkpoint"),
        pytest.raises(ValueError, match=r"None of the checkpoints in .* could be read; move them away"),
    ):
        checkpoint_files.newest(tmp_path, "run", "checkpoint")
    assert len(checkpoint_files.numbered(tmp_path, "run")) == 2  # and they are still there


def test_a_run_that_goes_back_removes_the_future_that_it_left(tmp_path):
    numbered(tmp_path, 8, 9)
    numbered(tmp_path, 3)
    assert list(checkpoint_files.numbered(tmp_path, "run")) == [3]
    assert checkpoint_files.newest(tmp_path, "run", "checkpoint").spec == {"n": 3}


def test_only_a_series_own_files_are_touched(tmp_path):
    others = ["run-2-00000009.ckpt", "run-9.ckpt", "run-00000009.ckpt.bak", "xrun-00000009.ckpt", "notes.txt"]
    others += [f".run-2-00000009.ckpt.{'a' * 16}.tmp", ".run-00000009.ckpt.tmp"]
    orphan = tmp_path / f".run-00000007.ckpt.{'0' * 16}.tmp"
    for name in others:
        (tmp_path / name).touch()
    orphan.touch()
    numbered(tmp_path, 1, 2, 3)
    assert checkpoint_files.newest(tmp_path, "run", "checkpoint").spec == {"n": 3}
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "run-00000002.ckpt", "run-00000003.ckpt"])


@pytest.mark.parametrize("stem", ["", "../run", "a/b", ".hidden", "a b", "x" * 101])
def test_stems_that_are_no_names(tmp_path, stem):
    with pytest.raises(ValueError, match="stem"):
        checkpoint_files.write_numbered(tmp_path, stem, 1, "checkpoint", {}, {})
    with pytest.raises(ValueError, match="stem"):
        checkpoint_files.newest(tmp_path, stem, "checkpoint")


@pytest.mark.parametrize(("number", "keep", "match"), [(-1, 2, "number"), (1, 0, "keep")])
def test_numbers_that_are_none(tmp_path, number, keep, match):
    with pytest.raises(ValueError, match=match):
        checkpoint_files.write_numbered(tmp_path, "run", number, "checkpoint", {}, {}, keep)
