"""What the documentation names is there: every `room.thing` in a code span of a page."""

import importlib
import re
from pathlib import Path

import pytest

import jaxnn
from jaxnn.optimisers import presets

ROOT = Path(__file__).parent.parent
PAGES = {path.relative_to(ROOT): path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])}
SPAN = re.compile(r"`([^`\n]+)`")
# A dotted name that begins with a room, and is not itself the end of a longer one, such as `jax.tree.map`.
NAME = re.compile(rf"(?<![\w./\"'-])(?:jaxnn\.)?((?:{'|'.join(jaxnn.ROOMS)})(?:\.[A-Za-z]\w*)+)(?![\w./-]*/)")
FILES = (".py", ".md", ".csv", ".json", ".png")


def named(text):
    """The dotted names of a page's prose, without its blocks of code, which are executed."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [name for span in SPAN.findall(prose) for name in NAME.findall(span) if not name.endswith(FILES)]


def missing(name):
    """The first part of a dotted name that is not there; None if all are."""
    room, *parts = name.split(".")
    found, path = importlib.import_module(f"jaxnn.{room}"), f"jaxnn.{room}"
    for part in parts:
        path += f".{part}"
        if not hasattr(found, part):
            try:
                found = importlib.import_module(path)
            except ImportError:
                return path
        else:
            found = getattr(found, part)
    return None


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_names_is_there(page):
    text = PAGES[page].read_text(encoding="utf-8")
    assert [path for path in map(missing, named(text)) if path] == []


def test_that_check_sees_what_is_missing_and_what_is_no_name():
    text = "`training.fti(...)`, `jaxnn.mlp.apply`, `jax.tree.map`, `data.csv`, `derivatives.structured.recursion`\n"
    assert named(text) == ["training.fti", "mlp.apply", "derivatives.structured.recursion"]
    assert [missing(name) for name in named(text)] == ["jaxnn.training.fti", None, None]
    assert named("```\ntraining.fti\n```\n") == []


def test_every_preset_that_is_named_is_there():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in PAGES.values())
    names = set(re.findall(r'preset\("([^"]+)"', pages))
    assert len(names) > 4
    assert names - set(presets.PRESETS) <= {"optax.NAME"}  # where NAME stands for any of them
