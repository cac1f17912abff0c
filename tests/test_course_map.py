"""The map of the course leads somewhere from every page: to code, a test, an example and its picture."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from jaxnn import optimisers

ROOT = Path(__file__).parent.parent
MAP = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
HEADS, _, *ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")] for line in MAP.splitlines() if line.startswith("|")
]
# Pages with content: the others are titles, outlines, references and a repetition.
PAGES = {*range(2, 60), 61, 62, *range(66, 72)} - {30}


def column(row, name):
    return row[HEADS.index(name)]


def pages_of(cell):
    for part in cell.split(","):
        first, _, last = part.strip().partition("-")
        yield from range(int(first), int(last or first) + 1)


def links(cell):
    return re.findall(r"\]\(([^)]+)\)", cell)


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture(params=ROWS, ids=[f"{row[0]}: {row[1][:30]}" for row in ROWS])
def row(request):
    return request.param


def test_every_page_with_content_is_there():
    assert {page for row in ROWS for page in pages_of(column(row, "pages"))} == PAGES


def test_no_cell_is_empty(row):
    assert len(row) == len(HEADS) == 6
    assert all(row)


def test_the_code_is_there(row):
    assert names(column(row, "code"))
    for name in names(column(row, "code")):
        room, _, thing = name.partition(".")
        assert hasattr(importlib.import_module(f"jaxnn.{room}"), thing), name


def test_the_tests_are_there(row):
    assert names(column(row, "checked by"))
    for name in names(column(row, "checked by")):
        file, _, test = name.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}, name


def test_the_pages_of_mathematics_are_there(row):
    assert links(column(row, "mathematics"))
    for link in links(column(row, "mathematics")):
        kind, name = Path(link).parent, Path(link).stem
        if kind == Path("generated/rules"):  # written when the documentation is built, from these modules
            assert name in optimisers.TABLE
        elif kind == Path("generated/api"):
            assert importlib.import_module(f"jaxnn.{name}").__doc__
        else:
            assert (ROOT / "docs" / link).exists()


def test_the_example_is_there_and_draws(row):
    (link,) = links(column(row, "example"))
    source = (ROOT / "examples" / f"{Path(link).stem}.py").read_text(encoding="utf-8")
    assert "write(" in source
    assert "assert" in source


def test_every_example_is_on_the_map():
    mapped = {Path(link).stem for row in ROWS for link in links(column(row, "example"))}
    assert mapped == {path.stem for path in (ROOT / "examples").glob("[0-9]*.py")}
