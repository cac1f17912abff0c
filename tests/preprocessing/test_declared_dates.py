"""Columns that the caller declares dates are read as such, in the form that was named, or refused with the cell."""

import datetime
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


@pytest.mark.parametrize(
    ("written", "declared", "todo"),
    [
        ("%m/%d/%Y", "c=%d/%m/%Y", "declare that all are like 01/31/2023 (date='c=%m/%d/%Y'; --date c=%m/%d/%Y)"),
        ("%Y%m%d", "c=%d/%m/%Y", "declare that all are like 20230131 (date='c=%Y%m%d'; --date c=%Y%m%d)"),
        ("%b %d, %Y", "c=ISO", "declare that all are like Jan 31, 2023 (date='c=%b %d, %Y'; --date 'c=%b %d, %Y')"),
        ("%G-W%V", "c", "write dates like 2023-01-31, or leave out the declaration (date='c'; --date c)"),
        ("%s", "c", "write dates like 2023-01-31, or leave out the declaration (date='c'; --date c)"),
    ],
)
def test_what_to_do_depends_on_how_the_cells_are_written(written, declared, todo):
    every = [datetime.date(2021, 1, 1) + datetime.timedelta(days=5 * j) for j in range(N)]
    texts = [str(86_400 * day.toordinal()) if written == "%s" else day.strftime(written) for day in every]
    with pytest.raises(ValueError, match="is declared a date") as raised:
        fit(texts, declared)
    assert str(raised.value).endswith(f": {todo}.")
    assert "missing" not in str(raised.value)


def test_one_cell_that_is_no_date_is_fixed_or_missing():
    with pytest.raises(ValueError, match=r"fix it, or declare it .*; --missing 31/31/2021\)\.$"):
        fit([*EARLY[:7], "31/31/2021", *EARLY[8:]], ["c"])


@pytest.mark.parametrize("form", ["%d %B %Y", " %d  %b %Y"])
def test_names_may_be_spelled_out_and_spaces_do_not_count(form):
    assert fit([f"{1 + j % 28} January 2021" for j in range(N)], f"c={form}").columns[0].form == "%d %b %Y"


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S.%f %z"])
def test_iso_may_be_spelled_out(form):
    p = fit([f"2021-01-{1 + j % 28:02d}T10:{j:02d}:00Z" for j in range(N)], f"c={form}")
    assert p.columns[0].form == "ISO"


def test_a_column_is_declared_in_one_form():
    with pytest.raises(ValueError, match=r"'c' is declared a date in two forms, %d/%m/%Y and %m/%d/%Y: choose one"):
        fit(EARLY, ["c=%d/%m/%Y", "c=%m/%d/%Y"])
    for declared in (["c=%d/%m/%Y", "c"], ["c", "c=%d/%m/%Y"]):
        assert fit(EARLY, declared).columns[0].form == "%d/%m/%Y"


def test_of_a_misspelt_column_the_form_is_not_a_part():
    table = {"seen": EARLY} | OTHERS
    with pytest.raises(ValueError, match=r"Unknown date column 'sen'\. Did you mean 'seen'"):
        preprocessing.fit(table, "y", date="sen=%d/%m/%Y")
    with pytest.raises(ValueError, match="Unknown date column 'a=b'"):
        preprocessing.fit(table, "y", date="a=b")
    with pytest.raises(ValueError, match="Unknown form of dates '%d=%m=%Y'"):
        preprocessing.fit(table, "y", date="seen=%d=%m=%Y")
    with pytest.raises(ValueError, match=r"Unknown form of dates '%d\.%q\.%Y'\. Did you mean '%d\.%m\.%Y'"):
        preprocessing.fit(table, "y", date="seen=%d.%q.%Y")


def test_a_column_may_have_an_equals_sign_in_its_name():
    p = preprocessing.fit({"c=%d/%m/%Y": EARLY} | OTHERS, "y", date=["c=%d/%m/%Y"])
    assert p.columns[0].form == "%m/%d/%Y"


def test_a_source_passes_it_on():
    source = experiments.source({"c": EARLY[1:] + EARLY[:1]} | OTHERS, target="y", date="c=%d/%m/%Y")
    (row,) = (row for row in experiments.explain_columns(source).rows if row.column == "c")
    assert row.read_as == "date"
    assert "'02/06/2021' as 2021-06-02" in row.decided
