"""The file of trials: what is written is read, a kill loses nothing that was written, and damage is named."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from jaxnn.search import Trial, trials

HEADER = {"jaxnn": "0.1.0", "kind": "tune", "data": "digits", "metric": "loss", "seeds": [0, 1], "folds": 5}


def trial(number=0, **fields):
    whole = {
        "choices": {"hidden": [8, 4], "activation": "tanh", "learning_rate": 0.003},
        "scores": (0.5, 0.25, 0.75),
        "epochs": (3, 4, 5),
        "rungs": (0.9, 0.5),
        "metrics": {"accuracy": 0.875},
        "stop": "finished",
        "seconds": 1.5,
    }
    return Trial(number, **{**whole, **fields})


@pytest.fixture
def path(tmp_path):
    """A file with three trials."""
    path = tmp_path / "trials.jsonl"
    assert trials.start(path, HEADER) == ()
    for number in range(3):
        trials.append(path, trial(number))
    return path


def test_what_is_written_is_read(path):
    header, found = trials.read(path)
    assert header == HEADER
    assert found == tuple(trial(number) for number in range(3))
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert trials.start(path, HEADER, resume=True) == found


def test_numbers_that_are_not_finite_are_null(path):
    trials.append(path, trial(3, scores=(math.nan, 1.0, math.inf), rungs=(-math.inf,), metrics={"r2": math.nan}))
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()
    found = trials.read(path)[1][3]
    np.testing.assert_array_equal(found.scores, [math.nan, 1.0, math.nan])
    np.testing.assert_array_equal([*found.rungs, found.metrics["r2"]], [math.nan, math.nan])


def test_numpy_numbers_are_written_as_numbers(path):
    given = trial(3, choices={"learning_rate": np.float64(0.5), "hidden": (np.int64(3),)})
    trials.append(path, given)
    assert trials.read(path)[1][3].choices == {"learning_rate": 0.5, "hidden": [3]}


def test_score_and_error_are_the_mean_and_its_standard_error():
    scores = tuple(np.random.default_rng(0).normal(size=7).tolist())
    assert trial(scores=scores).score == pytest.approx(np.mean(scores))
    assert trial(scores=scores).error == pytest.approx(scipy.stats.sem(scores))
    assert math.isnan(trial(scores=(1.0,)).error)
    for scores in [(), (1.0, math.nan), (1.0, math.inf)]:
        assert math.isnan(trial(scores=scores).score)
        assert math.isnan(trial(scores=scores).error)


# Damage


@pytest.mark.parametrize("keep", [1, 2, 40, -1])
def test_a_torn_last_line_is_dropped_and_removed_on_resuming(path, keep):
    before = path.read_bytes()
    trials.append(path, trial(3))
    whole = path.read_bytes()
    torn = whole[: len(before) + keep] if keep > 0 else whole[:keep]
    path.write_bytes(torn)
    assert [found.number for found in trials.read(path)[1]] == [0, 1, 2]
    assert path.read_bytes() == torn  # reading changes nothing
    assert [found.number for found in trials.start(path, HEADER, resume=True)] == [0, 1, 2]
    assert path.read_bytes() == before
    trials.append(path, trial(3))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("last", [b"\0" * 50 + b"\n", b'{"number": 3, \n', b"\xff\n"])
def test_a_last_line_that_is_no_json_is_torn_too(path, last):
    before = path.read_bytes()
    path.write_bytes(before + last)
    assert len(trials.start(path, HEADER, resume=True)) == 3
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "Line 3 of .* is damaged: it is no object of JSON"),
        (b"[1]", "Line 3 of .* is damaged: it is no object of JSON"),
        (b"", "Line 3 of .* is damaged"),
        (b"{}", "Line 3 of .* is no trial: the fields are number, choices"),
        (json.dumps({**trial(1)._asdict(), "stop": "bored"}).encode(), "is no trial: .*stop is finished, halved"),
        (json.dumps({**trial(1)._asdict(), "scores": 3}).encode(), "Line 3 of .* is no trial: "),
        (json.dumps({**trial(1)._asdict(), "metrics": {"r2": "high"}}).encode(), "Line 3 of .* is no trial: "),
        (json.dumps(trial(0)._asdict()).encode(), "Line 3 of .* is trial 0, which is there already"),
    ],
)
def test_any_other_damaged_line_is_named(path, line, told):
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    path.write_bytes(b"\n".join(lines))
    for call in (lambda: trials.read(path), lambda: trials.start(path, HEADER, resume=True)):
        with pytest.raises(ValueError, match=told):
            call()
    path.write_bytes(path.read_bytes()[:-9])  # with a torn last line as well
    with pytest.raises(ValueError, match=told):
        trials.read(path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"kind": "tune"}', b"\x89PNG\n\x1a\n"])
def test_a_file_without_a_header_is_refused(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"its first line does not describe a run|Line 1 of .* is damaged"):
        trials.start(path, HEADER, resume=True)
    assert path.read_bytes() == content


def test_a_file_of_trials_alone_has_no_header(path):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(ValueError, match="its first line does not describe a run"):
        trials.read(path)


# Resuming


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"metric": "accuracy"}, 'its metric is "loss", but this run\'s is "accuracy"'),
        ({"seeds": (0, 2)}, r"its seeds is \[0, 1\], but this run's is \[0, 2\]"),
        ({"fingerprint": "ab"}, 'its fingerprint is not given, but this run\'s is "ab"'),
    ],
)
def test_another_run_is_not_continued(path, changed, told):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=told):
        trials.start(path, {**HEADER, **changed}, resume=True)
    assert path.read_bytes() == before


def test_another_version_may_continue(path):
    assert len(trials.start(path, {**HEADER, "jaxnn": "9.9", "seeds": (0, 1)}, resume=True)) == 3


def test_a_file_is_never_overwritten(path, tmp_path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"exists already: add --resume .* or give another file as --trials"):
        trials.start(path, HEADER)
    assert path.read_bytes() == before
    assert trials.start(tmp_path / "new.jsonl", HEADER, resume=True) == ()  # nothing to resume yet


def test_what_is_no_trial_is_not_written(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"Unknown stop 'finishd'\. Did you mean 'finished'"):
        trials.append(path, trial(3, stop="finishd"))
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        trials.append(path.with_name("none"), trial(3))


# Kills

WRITER = """
import json, sys
from jaxnn import files
path, first, line = sys.argv[1], int(sys.argv[2]), json.loads(sys.stdin.read())
for number in range(first, 10**6):
    files.append_line(path, json.dumps({**line, "number": number}))
    print(number, flush=True)
"""
KILLS = 8


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill")
def test_a_kill_loses_no_trial_that_was_written(tmp_path):
    path = tmp_path / "trials.jsonl"
    trials.start(path, HEADER)
    long = trial(metrics={f"metric_{i}": i / 7 for i in range(300)})  # a long line is easier to tear
    draw, acknowledged = random.Random(0), []
    for _ in range(KILLS):
        first = len(trials.start(path, HEADER, resume=True))
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        ) as process:
            process.stdin.write(json.dumps(long._asdict()).encode())
            process.stdin.close()
            acknowledged.append(int(process.stdout.readline()))  # it is at work
            time.sleep(draw.uniform(0.0, 0.02))
            process.send_signal(signal.SIGKILL)
            acknowledged += map(int, process.stdout.read().split(b"\n")[:-1])
            assert process.wait(60) == -signal.SIGKILL
        found = [each.number for each in trials.read(path)[1]]
        assert found == list(range(len(found)))
        assert acknowledged == found[: len(acknowledged)]
        assert len(found) - len(acknowledged) <= 1  # written, but killed before it was told
        acknowledged = found
    assert len(found) > KILLS
