"""The README keeps its word: every snippet runs and prints what it shows, every table is the measured one.

Its two set-up commands are run by `.ci/run`, which reads them from the README.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import page
from tests.test_benchmarks import published

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*(?:e-?\d+)?")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def numbers(text):
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def words(text):
    """The text without its numbers and its layout."""
    return NUMBER.sub("#", re.sub(r"[\[\]]", " ", text)).split()


def is_near(found, shown):
    """As CONTRIBUTING.md says: another processor rounds otherwise, and training makes that grow.

    What is shown as next to nothing, such as a gradient at the minimum, is rounding itself.
    """
    if 0 < abs(shown) < 1e-3:
        return 0 <= abs(found) < 1e-3
    return found == pytest.approx(shown, rel=0.02, abs=0.06 if shown == 0 or abs(shown) > 0.3 else None)


@pytest.mark.by_default("training.save*")
@pytest.mark.rounding
@pytest.mark.parametrize("source", blocks("python"), ids=lambda source: source.strip().splitlines()[-3][:40])
def test_python_prints_what_it_shows(source, tmp_path, monkeypatch):
    shown = "\n".join(line[2:] for line in source.splitlines() if line.startswith("# "))
    assert shown, "the snippet shows no output"
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "README.md", "exec"), {})
    assert words(printed.getvalue()) == words(shown)
    for found, expected in zip(numbers(printed.getvalue()), numbers(shown), strict=True):
        assert is_near(found, expected), printed.getvalue()


SESSIONS = [
    (command, shown.splitlines())
    for block in blocks("console")
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE)
]


@pytest.mark.by_default("jaxnn explain")
@pytest.mark.rounding
@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_a_command_prints_what_it_shows(command, shown, tmp_path):
    program, *arguments = command.split()
    assert program == "jaxnn"
    wide = os.environ | {"COLUMNS": "100"}  # tables fit the terminal
    call = [sys.executable, "-m", "jaxnn", *arguments]
    run = subprocess.run(call, cwd=tmp_path, env=wide, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    printed = run.stdout.splitlines()
    gap = shown.index("…")
    head, tail = shown[:gap], shown[gap + 1 :]
    assert [words(line) for line in printed[: len(head)]] == [words(line) for line in head]
    assert [words(line) for line in printed[-len(tail) :]] == [words(line) for line in tail]
    assert numbers(printed[-1]) == pytest.approx(numbers(tail[-1]), abs=0.05)  # the score


def test_the_two_commands_are_there_for_ci_to_run():
    commands = [block.strip() for block in blocks("console") if block.startswith("python3 -m venv")]
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install '.[all]' && .venv/bin/jaxnn demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[all,dev]' && .venv/bin/pytest",
    ]


def test_the_table_of_speed_is_the_measured_one():
    assert page.rewritten(README, published()) == README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
