"""The published tables of verification say what the code says, verdict by verdict."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import page, verification
from jaxnn import optimisers, verify
from jaxnn.verify import table
from jaxnn.verify.first_order import libraries

ROOT = Path(__file__).parent.parent
REPORT = json.loads((ROOT / "docs/verification.json").read_text(encoding="utf-8"))
PUBLISHED = verification.table(REPORT)
HERE = ("optax", "sklearn")  # what the default suite has; tests/peers has the other libraries' rows


def verdicts(rows):
    return Counter((row.group, row.rule, row.reference, row.verdict) for row in rows)


def of(groups, libraries=None):
    """The published rows of some groups; those held against another library only for the libraries given."""
    chosen = [row for row in PUBLISHED if row.group.partition(",")[0] in groups]
    return [row for row in chosen if libraries is None or row.reference.partition(".")[0] in libraries]


def test_nothing_failed_and_everything_was_checked():
    assert PUBLISHED.ok
    assert table.UNCHECKED not in PUBLISHED.counts


def test_there_is_enough_of_it():
    assert PUBLISHED.counts[table.EQUAL] >= 60
    assert PUBLISHED.counts[table.UNEQUAL] >= 20


def test_it_was_made_with_the_releases_that_the_table_of_twins_states():
    for library in libraries.LIBRARIES.values():
        assert REPORT["versions"][library.package].partition("+")[0] == library.tabulated


@pytest.mark.slow
def test_update_rules():
    found = verify.optimisers(against=HERE)
    assert verdicts(found) == verdicts(of(["oracle"]) + of(["twins", "accuracy"], (*HERE, "floor")))
    assert found.ok


@pytest.mark.slow
def test_gradients():
    assert verdicts(verify.gradients()) == verdicts(of(["gradients"]))


@pytest.mark.slow
def test_the_course():
    assert verdicts(verify.course()) == verdicts(of(["course"]))


def test_presets_have_their_rows():
    published = {row.rule for row in of(["oracle", "twins"]) if "." in row.rule}
    assert published == set(optimisers.PRESETS)


@pytest.mark.parametrize("name", ["docs/verification.md", "README.md"])
def test_pages_show_the_report(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert page.rewritten(text, REPORT) == text
