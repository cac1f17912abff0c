"""A table of comparisons: its verdict, and the forms that it is read in."""

import json
import os

import pytest

from jaxnn.verify import table
from jaxnn.verify.table import EQUAL, FAILED, HOLDS, UNCHECKED, UNEQUAL, Row, Table


def row(verdict=EQUAL, group="twins", rule="adam", worst=2e-16, mapping="b1=beta_1", **rest):
    fields = {"reference": "keras.Adam", "steps": 200, "expected": "at most 1e-12"} | rest
    return Row(group=group, rule=rule, mapping=mapping, worst=worst, verdict=verdict, **fields)


GOOD = Table((row(), row(UNEQUAL, worst=0.5, why="ε̂"), row(HOLDS)), {"optax": "0.2.8"}, ("A remark.",))
BAD = Table((row(), row(FAILED, rule="sgd", worst=float("inf"), why="no longer one rule")))


@pytest.mark.parametrize(
    ("verdicts", "ok"),
    [
        ((EQUAL, UNEQUAL, HOLDS), True),
        ((EQUAL, FAILED, HOLDS), False),
        ((EQUAL, UNCHECKED), True),
        ((), True),
    ],
)
def test_ok_unless_a_row_failed(verdicts, ok):
    assert Table(tuple(row(verdict) for verdict in verdicts)).ok is ok


def test_what_was_not_checked_is_not_counted_as_passed():
    counts = Table((row(UNCHECKED), row(), row())).counts
    assert counts == {EQUAL: 2, UNCHECKED: 1}


def test_failures_are_the_rows_that_failed():
    assert [failed.rule for failed in BAD.failures] == ["sgd"]


def test_tables_add_up():
    both = GOOD + BAD
    assert both.rows == GOOD.rows + BAD.rows
    assert len(both) == 5
    assert both.versions == {"optax": "0.2.8"}
    assert (GOOD + GOOD).remarks == ("A remark.",)
    assert not both.ok


def test_json_has_every_field_and_no_infinity(tmp_path):
    path = tmp_path / "table.json"
    text = (GOOD + BAD).to_json(path)
    assert path.read_text(encoding="utf-8") == text + "\n"
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["ok"] is False
    assert read["versions"] == {"optax": "0.2.8"}
    assert read["counts"] == {EQUAL: 2, UNEQUAL: 1, HOLDS: 1, FAILED: 1}
    assert set(read["rows"][0]) == {
        "group", "rule", "reference", "mapping", "steps", "worst", "expected", "verdict", "why",
    }  # fmt: skip
    assert [each["worst"] for each in read["rows"]] == [2e-16, 0.5, 2e-16, 2e-16, None]


def test_json_has_the_curves_of_a_picture():
    curves = {"adam": {"jaxnn": ((1, 10), [0.5, float("inf")])}}
    assert json.loads(Table((), curves=curves).to_json())["curves"] == {"adam": {"jaxnn": {"1": 0.5, "10": None}}}


def test_markdown_has_a_table_for_each_group():
    written = Table((row(), row(group="course", mapping="|x|", worst=None)), {"jax": "0.10"}).to_markdown()
    assert written.splitlines()[0] == "**twins**"
    assert "| adam | keras.Adam | b1=beta_1 | 200 | 2e-16 | equal |" in written
    assert r"| adam | keras.Adam | \|x\| | 200 | – | equal |" in written
    assert written.endswith("jax 0.10.")


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_it_fits_the_terminal(width, monkeypatch):
    monkeypatch.setattr(table.shutil, "get_terminal_size", lambda fallback: os.terminal_size((width, 24)))
    words = "b1=beta_1, b2=beta_2, " * 9
    lines = str(
        Table((row(UNEQUAL, mapping=words, why="a reason that is long enough to fold " * 3), row()))
    ).splitlines()
    assert max(map(len, lines)) <= width
    shown = " ".join(" ".join(lines).split())
    for word in (*words.split(), "reason", "fold"):
        assert word in shown
    assert lines[2].endswith("2e-16  unequal")


def test_print_shows_what_failed_and_why():
    shown = str(GOOD + BAD)
    assert "FAILED: sgd against keras.Adam (b1=beta_1): no longer one rule" in shown
    assert "worst inf, expected at most 1e-12" in shown
    assert "A remark." in shown
    assert shown.splitlines()[-1] == f"2 {EQUAL}, 1 {UNEQUAL}, 1 {HOLDS}, 1 {FAILED}"


def test_versions_leave_out_what_is_not_installed():
    assert "numpy" in table.versions("numpy", "no-such-package")
    assert "no-such-package" not in table.versions("numpy", "no-such-package")
