"""Writes are whole or not there: faults at every step, kills, threads, places where nothing can be written."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from jaxnn import files
from jaxnn.training import History
from jaxnn.verify.table import Table


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"earlier")
    return path


def test_the_mask_of_the_process_is_honoured(tmp_path):
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "x", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666], ids=oct)
def test_a_file_keeps_its_permissions(file, mode):
    file.chmod(mode)
    files.write(file, b"new")
    assert file.stat().st_mode & 0o777 == mode


def test_a_text_is_written_as_it_is(tmp_path):
    files.write(tmp_path / "x", "Grüße\r\n😀\n")
    assert (tmp_path / "x").read_bytes() == "Grüße\r\n😀\n".encode()


def test_a_link_stays_a_link(file, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(file)
    files.write(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_at_any_step_leaves_the_earlier_file(file, monkeypatch, step):
    before = file.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left on device"):
        files.write(file, b"new")
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_an_interrupt_leaves_nothing_behind(file, monkeypatch):
    before = file.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(file, b"new")
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_the_content_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (order.append(name), real(*a))[1])
    files.write(tmp_path / "x", b"new")
    assert order == ["fsync", "replace", "fsync"]


def test_threads_that_write_one_path(tmp_path):
    def work(k):
        for _ in range(5):
            files.write(tmp_path / "x", bytes([k]) * 100_000)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    content = (tmp_path / "x").read_bytes()
    assert content == content[:1] * 100_000
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
    files.write(file, b"new")
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
        files.check_writable(path)
    with pytest.raises(error):
        files.write(path, b"new")
    assert (sorted(os.listdir(file.parent)), file.read_bytes()) == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX only")
def test_a_folder_without_permission():
    """The superuser may write everywhere, so that a process asks that is nobody: it cannot reach pytest's folders, and
    the folder that it may write to shows that the other's permissions are what it stumbles over."""
    code = """
        import os, sys
        from jaxnn import files
        if os.geteuid() == 0:
            os.setuid(65534)
        for path in sys.argv[1:]:
            try:
                files.check_writable(path)
                print("writable")
            except OSError as error:
                print(type(error).__name__)
    """
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        places = [Path(name) / folder / "m" for folder in ("open", "closed")]
        for file, mode in zip(places, (0o777, 0o555), strict=True):
            file.parent.mkdir()
            file.write_bytes(b"")
            file.parent.chmod(mode)
        run = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, places)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
            timeout=60,
            check=False,
        )
        assert (run.stdout, run.stderr) == ("writable\nPermissionError\n", "")
        assert [os.listdir(file.parent) for file in places] == [["m"], ["m"]]


def test_looking_changes_nothing(file):
    before = file.read_bytes(), file.stat().st_mtime_ns
    files.check_writable(file)
    files.check_writable(file.with_name("new"))
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert os.listdir(file.parent) == [file.name]


# Who writes


def history(path):
    column = np.ones(1)
    History(column, None, {}, column, column, column).write(path)


def picture(path):
    from jaxnn import plots

    plots.save(plots.learning_curves(loss=[1.0]), path)


@pytest.mark.parametrize(
    "write", [history, lambda path: Table(()).to_json(path), picture], ids=["history", "table", ""]
)
def test_every_writer_leaves_the_earlier_file_where_the_disk_is_full(tmp_path, monkeypatch, write):
    path = tmp_path / "it.png"
    path.write_bytes(b"earlier")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"Cannot save \(No space left on device\); no file was damaged"):
        write(path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(tmp_path) == [path.name]


def test_a_line_is_added_at_the_end_through_a_link(tmp_path):
    path, link = tmp_path / "lines", tmp_path / "link"
    path.write_bytes(b"one\n")
    link.symlink_to(path)
    files.append_line(link, "zwei ☺")
    assert path.read_bytes() == "one\nzwei ☺\n".encode()


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_line_that_cannot_be_added_leaves_the_file_as_it_was(file, monkeypatch, step):
    whole_write = os.write

    def half(descriptor, content):
        return whole_write(descriptor, content[: len(content) // 2])

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, half if step == "write" else fail)
    with pytest.raises(OSError, match=r"Cannot add a line \(No space left on device\); no line was damaged"):
        files.append_line(file, "a line")
    assert file.read_bytes() == b"earlier"


def test_a_line_has_no_break_and_a_file_to_be_in(file):
    for text in ("two\nlines", "two\rlines"):
        with pytest.raises(ValueError, match="must have no line break"):
            files.append_line(file, text)
    with pytest.raises(FileNotFoundError):
        files.append_line(file.with_name("none"), "a line")
    assert os.listdir(file.parent) == [file.name]


def test_lines_of_several_threads_do_not_mix(tmp_path):
    path = tmp_path / "lines"
    path.touch()
    texts = [f"{letter}" * 5000 for letter in "abcdef"]
    threads = [
        threading.Thread(target=lambda text=text: [files.append_line(path, text) for _ in range(5)]) for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(path.read_text().splitlines()) == sorted(texts * 5)
