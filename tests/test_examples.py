"""Every example runs, its asserts hold, it draws its picture, and it is short enough to read."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("[0-9]*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_draws_its_picture(example, tmp_path):
    assert len(example.read_text(encoding="utf-8").splitlines()) < 80
    picture = tmp_path / "picture.png"
    run = subprocess.run([sys.executable, str(example), str(picture)], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f"wrote {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
