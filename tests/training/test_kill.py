"""kill -9 at random moments: a run that is resumed each time ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent
PATIENCE = 60  # seconds, for what takes a few


@pytest.fixture
def launch(tmp_path):
    """Starts the run in a folder; nothing outlives the test."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(SCRIPTS.parents[1]),
    }
    started = []

    def start(script, folder, out):
        process = subprocess.Popen([sys.executable, str(SCRIPTS / script), str(folder), str(out)], env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.timeout(600)  # up to twenty-odd processes, each of which loads jax
@pytest.mark.slow
@pytest.mark.parametrize(("script", "kills"), [("long_run.py", 10), ("long_ensemble.py", 5)])
def test_killed_and_resumed_the_bytes_are_the_same(tmp_path, launch, script, kills):
    launch = partial(launch, script)
    (tmp_path / "whole").mkdir()
    assert launch(tmp_path / "whole", tmp_path / "whole.out").wait(PATIENCE) == 0

    folder, out = tmp_path / "killed", tmp_path / "killed.out"
    folder.mkdir()
    draw = random.Random(0)
    killed = 0
    while killed < kills:
        process = launch(folder, out)
        marker = folder / "epochs"
        before = marker.read_text() if marker.exists() else ""
        limit = time.monotonic() + PATIENCE
        while process.poll() is None and (not marker.exists() or marker.read_text() == before):
            assert time.monotonic() < limit
            time.sleep(0.005)  # until it trains
        time.sleep(draw.uniform(0.0, 1.5 / kills))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
            killed += 1
        else:
            pytest.fail(f"the run ended after {killed} kills, before it could be killed {kills} times")
    assert not out.exists()
    assert launch(folder, out).wait(PATIENCE) == 0
    assert out.read_bytes() == (tmp_path / "whole.out").read_bytes()
