"""Runs of their own process that are ended from outside, and a compilation cache that others could write to."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jaxlib
import numpy as np
import pytest

from jaxnn import training
from jaxnn.cli import cache, main
from jaxnn.search import trials

LONG = ("--hidden", "8", "--epochs", "100000000", "--patience", "0")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    """So that the processes of these tests compile a program once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(tmp_path, shared_cache):
    """Starts the command line in an empty folder, where nothing outlives the test."""
    started = []

    def command(*argv, cached=shared_cache):
        environment = os.environ | {"JAXNN_CACHE": str(cached)}
        process = subprocess.Popen(
            [sys.executable, "-m", "jaxnn", *map(str, argv)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate(timeout=60)


def wait_for(condition, process, seconds=60):
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, f"nothing happened within {seconds} s"
        time.sleep(0.05)


@pytest.mark.timeout(300)  # its waits come to 120 s, and it should be the one to say which was too long
@pytest.mark.by_default("2-130")
@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_keeps_what_was_learnt(start, tmp_path, number, status):
    process = start("train", "iris", *LONG, "--out", "m.safetensors", "--checkpoint", "run")
    wait_for(lambda: list(tmp_path.glob("run/*.ckpt")), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert "the network trained so far is saved in m.safetensors, run" in out
    assert out.splitlines()[-1].startswith("test accuracy ")
    assert training.load(tmp_path / "m.safetensors").config["about"]["stop"].startswith("interrupted by")


@pytest.mark.slow
@pytest.mark.timeout(300)  # as above: 180 s
@pytest.mark.usefixtures("in_the_background")
def test_in_the_background_the_run_goes_on_at_sigint_and_sigterm_ends_it(start, tmp_path):
    process = start("train", "iris", *LONG, "--out", "m.safetensors", "--checkpoint", "run")
    wait_for(lambda: list(tmp_path.glob("run/*.ckpt")), process)
    process.send_signal(signal.SIGINT)
    newest = max(tmp_path.glob("run/*.ckpt"))
    wait_for(lambda: max(tmp_path.glob("run/*.ckpt")) > newest, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "the network trained so far is saved in m.safetensors, run" in out
    assert training.load(tmp_path / "m.safetensors").config["about"]["stop"].startswith("interrupted by SIGTERM")


@pytest.mark.slow
def test_a_run_that_was_killed_and_resumed_writes_the_same_bytes(start, tmp_path):
    argv = ("train", "iris", "--hidden", "8", "--epochs", "6000", "--patience", "0", "--dropout", "0.1")
    whole = start(*argv, "--out", "whole.safetensors")
    killed = start(*argv, "--out", "resumed.safetensors", "--checkpoint", "run")
    wait_for(lambda: list(tmp_path.glob("run/*.ckpt")), killed)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "resumed.safetensors").exists()
    resumed = start(*argv, "--out", "resumed.safetensors", "--checkpoint", "run", "--resume")
    for process in (whole, resumed):
        assert process.wait(120) == 0
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "resumed.safetensors").read_bytes()


def test_a_reader_who_stops_reading_hears_no_complaint(model):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "jaxnn", "show", str(model)]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_the_cache_folder_is_private(tmp_path):
    folder = tmp_path / "new" / "cache"
    assert cache.fault_of(folder) is None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache.fault_of(folder) is None


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_cache_folder_that_others_can_enter_is_not_used(tmp_path, mode):
    tmp_path.chmod(mode)
    assert "chmod 700" in cache.fault_of(tmp_path)


def test_a_cache_folder_that_cannot_be_made_is_not_used(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be created" in cache.fault_of(tmp_path / "file")
    assert "cannot be created" in cache.fault_of(tmp_path / "file" / "cache")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"JAXNN_CACHE": "off", "XDG_CACHE_HOME": "/x"}, None),
        ({"JAXNN_CACHE": "/mine", "XDG_CACHE_HOME": "/x"}, "/mine"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/jaxnn"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/jaxnn"),
        ({}, "/home/ada/.cache/jaxnn"),
    ],
)
def test_where_the_cache_belongs(monkeypatch, environment, expected):
    monkeypatch.setenv("HOME", "/home/ada")
    found = cache.folder(environment)
    assert (None if found is None else str(found)) == expected


@pytest.mark.slow
def test_the_command_line_fills_its_cache_and_an_import_does_not(start, tmp_path):
    folder = tmp_path / "cache"
    process = start("train", "xor", "--hidden", "none", "--epochs", "1", "--quiet", cached=folder)
    assert process.wait(60) == 0, process.stderr.read()
    filled = folder.exists() and any("advance" in path.name for path in folder.iterdir())
    assert filled == (jaxlib.version.__version_info__ >= cache.RELIABLE)
    told = subprocess.run(
        [sys.executable, "-c", "import jaxnn, jax, jaxnn.training; print(jax.config.jax_compilation_cache_dir)"],
        env=os.environ | {"JAXNN_CACHE": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == "None"


@pytest.mark.slow
def test_a_failure_of_the_cache_is_told_and_the_run_goes_on(start, tmp_path):
    (tmp_path / "file").write_text("")
    process = start("train", "xor", "--hidden", "none", "--epochs", "1", "--quiet", cached=tmp_path / "file")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert np.isfinite(float(out.split()[-1]))
    if jaxlib.version.__version_info__ < cache.RELIABLE:  # where none is wanted, nothing fails
        assert err == ""
    else:
        assert err.startswith("jaxnn: no compilation cache: ")
        assert err.count("\n") == 1


AT_WORK = """
import gc, os, signal, sys, time
from jaxnn import cli

def work(options):
    print("told")
    for name in {names}:
        gc.callbacks.append(lambda *_: os.kill(os.getpid(), getattr(signal, name)))
        gc.collect()  # Python loses an exception that is raised in here
    time.sleep(60)

cli.show.run = work
sys.exit(cli.main(["show", "m"]))
"""


def at_work(*names):
    """How a command ends that is at work, outside training, when these signals come."""
    command = [sys.executable, "-c", AT_WORK.format(names=names)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_outside_training_ends_the_process_wherever_it_falls(name, status):
    assert at_work(name) == (status, "told\n", f"jaxnn: interrupted by {name}.\n")


@pytest.mark.usefixtures("in_the_background")
def test_in_the_background_sigterm_alone_ends_the_process():
    assert at_work("SIGINT", "SIGTERM") == (143, "told\n", "jaxnn: interrupted by SIGTERM.\n")


def test_handlers_are_put_back_and_other_threads_do_without(run, model):
    def mine(number, frame):
        """Nothing."""

    former = signal.signal(signal.SIGTERM, mine)
    try:
        assert run("show", model).status == 0
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, former)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(main, ["show", str(model)]).result() == 0


SWEEP = (
    "sweep",
    "iris",
    "--grid",
    "hidden=4,5,6,7,8,9",
    "--batch-size",
    "16",
    "--patience",
    "0",
    "--validation",
    "0.3",
)


def trials_in(path):
    """The numbers of the trials that a file holds; a last line without an end does not count."""
    lines = path.read_text().split("\n")[1:-1] if path.exists() else []
    return [json.loads(line)["number"] for line in lines]


@pytest.mark.timeout(300)  # as above: 180 s
@pytest.mark.slow
@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep_whose_trials_are_kept(start, tmp_path, number, status):
    path = tmp_path / "sweep.jsonl"
    endless = (
        "sweep",
        "iris",
        "--grid",
        "epochs=1,100000000",
        "--hidden",
        "4",
        "--patience",
        "0",
        "--batch-size",
        "16",
    )
    process = start(*endless, "--out", "m.safetensors")
    wait_for(lambda: trials_in(path), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert out == ""
    name = signal.Signals(number).name
    last = err.splitlines()[-1]
    assert last == f"jaxnn: interrupted by {name}; sweep.jsonl holds 1 finished trial: add --resume to go on."
    assert trials_in(path) == [0]
    assert path.read_bytes().endswith(b"}\n")
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.timeout(900)  # several processes, each of which loads jax
@pytest.mark.slow
def test_a_sweep_that_was_killed_and_resumed_has_the_trials_of_one_that_was_not(start, tmp_path):
    argv = (*SWEEP, "--epochs", "40")
    whole = start(*argv, "--trials", "whole.jsonl")
    assert whole.wait(120) == 0, whole.stderr.read()
    path = tmp_path / "killed.jsonl"
    known = []
    for more in (1, 2):  # it is killed when so many further trials have ended
        process = start(*argv, "--trials", path.name, "--resume")
        wait_for(lambda known=known, more=more: len(trials_in(path)) >= len(known) + more, process, seconds=120)
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        ended = trials_in(path)
        assert ended[: len(known)] == known  # none is lost, and none is trained again
        assert len(set(ended)) == len(ended)
        known = ended
    assert len(known) < 6
    resumed = start(*argv, "--trials", path.name, "--resume")
    assert resumed.wait(120) == 0, resumed.stderr.read()
    assert sorted(trials_in(path)) == list(range(6))
    assert trials_in(path)[: len(known)] == known
    found, expected = (trials.read(tmp_path / name) for name in ("killed.jsonl", "whole.jsonl"))
    assert found[0] == expected[0]
    for one, other in zip(*(sorted(each[1]) for each in (found, expected)), strict=True):
        # Each form is trained as one program in both, so nothing is added up otherwise.
        assert one._replace(seconds=0.0) == other._replace(seconds=0.0)
    told = [process.stdout.read().replace("killed.jsonl", "whole.jsonl") for process in (resumed, whole)]
    assert told[0] == told[1]
