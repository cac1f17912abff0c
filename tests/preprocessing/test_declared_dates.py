"""Columns that the caller declares dates are read as such, in the form that was named, or refused with the cell."""

import json

import numpy as np
import pytest

from jaxnn import experiments, preprocessing
from jaxnn.preprocessing import dates

N = 60
OTHERS = {"x": np.random.default_rng(0).normal(size=N), "y": [0, 1] * (N // 2)}
EARLY = [f"{1 + j % 12:02d}/{1 + 5 * j % 12:02d}/2021" for j in range(N)]  # no day above 12


def fit(column, date, **words):
    return preprocessing.fit({"c": column} | OTHERS, "y", date=date, **words)


def elapsed(p, text):
    column = p.columns[0]
    return p.inputs({"c": [text], "x": [0.0]})[0, 0] * column.scale + column.mean


@pytest.mark.parametrize(("form", "day"), [("%d/%m/%Y", "2021-03-02"), ("%m/%d/%Y", "2021-02-03")])
def test_the_form_that_is_named_decides_between_day_and_month(form, day):
    p = fit(EARLY, [f"c={form}"])
    assert p.columns[0].form == form
    again = preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))
    (expected,) = dates.days([day], "ISO")
    assert elapsed(again, "02/03/2021") == pytest.approx(expected)
    assert "contradicts" not in " ".join(p.notes)


def test_a_note_says_how_to_name_the_other_form():
    (note,) = (note for note in fit(EARLY, []).notes if "read as dates" in note)
    assert "(if the day is first: date='c=%d/%m/%Y'; --date c=%d/%m/%Y)" in note


def test_two_days_as_digits_are_dates_if_they_are_declared():
    numbers = [20230131, 20230201] * (N // 2)
    assert fit(numbers, []).columns[0].kind == "number"
    assert (fit(numbers, "c").columns[0].kind, fit(numbers, "c").columns[0].form) == ("date", "%Y%m%d")
    assert fit([str(number) for number in numbers], ["c"]).columns[0].form == "%Y%m%d"


def test_a_stray_word_is_missing_and_any_other_cell_is_told():
    p = fit([*EARLY[:7], "unknown", *EARLY[8:]], ["c=%d/%m/%Y"])
    assert p.columns[0].absent == ("unknown",)
    assert "'c' holds dates, but also 'unknown' in row 8 of 60, read as missing" in p.notes[0]
    with pytest.raises(
        ValueError, match=r"'c' is declared a date, but '31/31/2021' in row 8 of 60 is not a date .* --missing"
    ):
        fit([*EARLY[:7], "31/31/2021", *EARLY[8:]], ["c"])
    with pytest.raises(
        ValueError, match=r"but '01/01/2021' in row 1 of 60 \(and 59 more\) is not a date .* like 2023-01-31"
    ):
        fit(EARLY, ["c=ISO"])
    with pytest.raises(ValueError, match="is declared a date, but 'a' in row 1"):
        fit(["a", "b"] * (N // 2), ["c"])
    with pytest.raises(ValueError, match="is declared a date, but holds values that are true or false"):
        fit([True, False] * (N // 2), ["c"])
    with pytest.raises(ValueError, match="is declared a date, but '3' in row 1"):
        fit([3, 4] * (N // 2), ["c"])


def test_what_is_declared_must_be_there_and_one_thing():
    with pytest.raises(ValueError, match="date column"):
        fit(EARLY, ["d"])
    with pytest.raises(ValueError, match=r"Unknown form of dates '%q'\..*such as %d/%m/%Y"):
        fit(EARLY, ["c=%q"])
    with pytest.raises(ValueError, match="declared both a category and a date"):
        fit(EARLY, ["c"], category=["c"])
    with pytest.raises(ValueError, match="target 'y' is declared a date"):
        fit(EARLY, ["y"])


def test_a_column_may_have_an_equals_sign_in_its_name():
    p = preprocessing.fit({"c=%d/%m/%Y": EARLY} | OTHERS, "y", date=["c=%d/%m/%Y"])
    assert p.columns[0].form == "%m/%d/%Y"


def test_a_source_passes_it_on():
    source = experiments.source({"c": EARLY[1:] + EARLY[:1]} | OTHERS, target="y", date="c=%d/%m/%Y")
    (row,) = (row for row in experiments.explain_columns(source).rows if row.column == "c")
    assert row.read_as == "date"
    assert "'02/06/2021' as 2021-06-02" in row.decided
