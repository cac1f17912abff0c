"""The page of findings in other libraries: each snippet is short, says which release it describes, and still holds."""

import ast
import importlib.util
import os
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is first imported

PAGE = Path(__file__).parent.parent / "docs" / "upstream.md"
MODULES = {"optax": "optax", "torch": "torch", "keras": "keras", "scikit-learn": "sklearn"}
PARAGRAPHS = ["What happens", "Expected", "Effect", "Remedy", "Issue"]
HEADING = re.compile(r"(?P<number>\d+)\. (?P<title>.+) \((?P<libraries>.+)\)")


class Snippet(NamedTuple):
    """One fence of the page."""

    heading: str
    library: str  # as on the package index
    release: str  # the one that the figures were measured with
    code: str
    line: int  # of the page, where the code begins


def sections():
    """The findings, as (heading, text from the heading to the next)."""
    findings = PAGE.read_text(encoding="utf-8").partition("\n## Conventions")[0]
    return [tuple(part.split("\n", 1)) for part in re.split(r"^### ", findings, flags=re.MULTILINE)[1:]]


def snippets():
    text = PAGE.read_text(encoding="utf-8")
    for heading, body in sections():
        for code in re.findall(r"^```python\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL):
            named = re.search(r"import .*  # (\S+) (\S+)$", code, flags=re.MULTILINE)
            library, release = named.groups() if named else ("", "")
            yield Snippet(heading, library, release, code, text[: text.index(code)].count("\n") + 1)


SNIPPETS = list(snippets())
each = pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: f"{s.heading.split('.')[0]}-{s.library}")


def run(snippet):
    """Runs the snippet in a namespace of its own; a failure under another release is told as a change upstream."""
    numbered = "\n" * (snippet.line - 1) + snippet.code  # so that a traceback shows the page's line
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the other library's, on the very misuse that is shown
            exec(compile(numbered, PAGE, "exec"), {"__name__": "snippet"})
    except Exception as error:
        installed = version(snippet.library).partition("+")[0]  # torch's build is no part of its release
        if installed == snippet.release:
            raise
        pytest.fail(
            f"{snippet.library} changed upstream: section {snippet.heading!r}, measured with {snippet.release}, no "
            f"longer holds in {installed} ({error!r}). Measure again and revise docs/upstream.md, or drop the section."
        )


@pytest.mark.by_default("1-*", "6-*", "20-*")
@pytest.mark.parametrize(
    "snippet",
    [s for s in SNIPPETS if s.library in MODULES and importlib.util.find_spec(MODULES[s.library])],
    ids=lambda s: f"{s.heading.split('.')[0]}-{s.library}",
)
def test_the_snippet_holds_today(snippet):
    run(snippet)


def test_a_failure_says_whether_upstream_changed():
    gone = SNIPPETS[0]._replace(code="assert 1 == 2\n")
    with pytest.raises(pytest.fail.Exception, match=r"optax changed upstream: .*, measured with 0\.0\.1, no"):
        run(gone._replace(release="0.0.1"))
    with pytest.raises(AssertionError):
        run(gone._replace(release=version("optax")))


@each
def test_the_snippet_is_short_and_ends_in_an_assertion(snippet):
    assert len(snippet.code.splitlines()) <= 10
    assert max(map(len, snippet.code.splitlines())) <= 120
    last = ast.parse(snippet.code).body[-1]
    while isinstance(last, ast.For):
        last = last.body[-1]
    assert isinstance(last, ast.Assert)
    assert not (isinstance(last.test, ast.Constant) and last.test.value)


@each
def test_the_snippet_names_the_release_that_the_heading_names(snippet):
    libraries = HEADING.fullmatch(snippet.heading)["libraries"].split(", ")
    assert f"{snippet.library} {snippet.release}" in libraries
    assert snippet.library in MODULES


@each
def test_the_snippet_leaves_no_trace(snippet):
    """They run in one process, with the other tests: nothing that lasts may be set."""
    assert not re.search(r"enable_x64|jax\.config|set_default|set_floatx|manual_seed|environ", snippet.code)


def test_every_section_is_complete_and_has_a_snippet_for_each_of_its_libraries():
    assert [HEADING.fullmatch(heading)["number"] for heading, _ in sections()] == [
        str(number + 1) for number in range(len(sections()))
    ]
    for heading, body in sections():
        shown = {f"{s.library} {s.release}" for s in SNIPPETS if s.heading == heading}
        assert shown == set(HEADING.fullmatch(heading)["libraries"].split(", ")), heading
        assert re.findall(r"^\*\*(.+?)\.\*\*", body, flags=re.MULTILINE) == PARAGRAPHS, heading


def test_the_releases_at_the_top_are_those_of_the_sections():
    top = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    for library, release in {(s.library, s.release) for s in SNIPPETS}:
        assert f"{library} {release}" in top


def test_an_issue_is_cited_as_owner_name_and_number_or_none_was_found():
    for heading, body in sections():
        issue = body.partition("**Issue.**")[2].partition("\n\n")[0]
        assert re.search(r"[\w-]+/[\w-]+#\d+", issue) or "None found" in issue, heading
