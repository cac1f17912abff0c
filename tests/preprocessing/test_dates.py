"""Dates in the forms of people and of programs, and what only looks like one."""

import datetime

import pytest

from jaxnn import preprocessing
from jaxnn.preprocessing import dates

DAY = datetime.datetime(2021, 3, 24, 15, 7, 9)
FORMS = (
    "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y", "%m/%d/%y", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y",
    "%d %B %Y",    "%d/%m/%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%I:%M %p", "%H:%M", "%H:%M:%S", "%Y-%m", "%b-%y",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_refused_with_the_remedy(form):
    texts = [(DAY + datetime.timedelta(days=40 * j, minutes=j)).strftime(form) for j in range(12)]
    assert dates.are_dates(texts)
    table = {"when": texts, "x": [j + 0.5 for j in range(12)], "y": [0, 1] * 6}
    with pytest.raises(ValueError, match=r"Column 'when' holds dates.*--drop"):
        preprocessing.fit(table, "y")
    assert preprocessing.fit(table, "y", category="when").columns[0].kind == "category"


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["16:9", "4:3"],
        ["2000-1", "2000-2"],
        ["120/80", "130/85"],
        ["1.5", "2.25"],
        ["1.2.10"],
        ["Jan", "Feb"],
        ["Monday"],
        ["10-20", "20-30"],
        ["24/03/2021", "unknown"],
        ["31/02/2021"],
        ["24/03/2021", "03/24/2021"],
        ["192.168.1.1"],
        ["A-12", "B-7"],
    ],
)
def test_what_is_no_column_of_dates(texts):
    assert not dates.are_dates(texts)


def test_dates_with_a_stray_between_them_are_told():
    texts = [(DAY + datetime.timedelta(days=j)).strftime("%d/%m/%Y") for j in range(40)]
    table = {"when": [*texts[:39], "unknown"], "x": [j + 0.5 for j in range(40)], "y": [0, 1] * 20}
    table = {name: [*column, *column] for name, column in table.items()}
    with pytest.raises(ValueError, match="'when' holds dates, but also 'unknown' in row 40 of 80"):
        preprocessing.fit(table, "y")


def test_days_as_digits_are_told():
    days = [20210101 + 100 * (j % 12) + j % 28 for j in range(60)]
    x = [j * 0.5 for j in range(60)]
    p = preprocessing.fit({"day": days, "x": x, "y": [0, 1] * 30}, "y")
    assert "Column 'day' looks like dates, such as 20210101" in p.notes[0]
    assert preprocessing.fit({"day": days, "x": x, "y": [0, 1] * 30}, "y", number="day").notes == ()
    amounts = [20210101 + 37 * j for j in range(60)]
    assert preprocessing.fit({"amount": amounts, "x": x, "y": [0, 1] * 30}, "y").notes == ()
