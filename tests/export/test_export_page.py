"""The page on exports: its program runs, its options and functions are there."""

import re
from pathlib import Path

from jaxnn import export
from jaxnn.cli.export import TARGETS

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def test_the_program_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(program, {})
    assert (tmp_path / "stroke.onnx").exists()


def test_the_table_has_every_target():
    rows = re.findall(r"^\| `(\w+)` \| `export\.(\w+)` \|", PAGE, re.MULTILINE)
    assert {target for target, _ in rows} == set(TARGETS)
    assert all(hasattr(export, function) for _, function in rows)
