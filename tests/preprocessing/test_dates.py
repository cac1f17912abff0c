"""Dates in the forms of people and of programs, and what only looks like one."""

import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jaxnn import preprocessing
from jaxnn.preprocessing import dates

DAY = datetime.datetime(2021, 3, 24, 15, 7, 9)
FORMS = (
    "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y", "%m/%d/%y", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y",
    "%d %B %Y",    "%d/%m/%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%I:%M %p", "%H:%M", "%H:%M:%S", "%Y-%m", "%b-%y",
)  # fmt: skip


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
        ["29.02.2021"],
        ["24:00"],
        ["10:75"],
        ["10:30:75"],
        ["13:00 pm"],
        ["24 Foo 2021"],
        ["192.168.1.1"],
        ["A-12", "B-7"],
    ],
)
def test_what_is_no_column_of_dates(texts):
    assert not dates.are_dates(texts)


N = 120
MOMENTS = [DAY + datetime.timedelta(days=5 * j, minutes=61 * j) for j in range(N)]
OTHERS = {"x": np.random.default_rng(0).normal(size=N), "y": [0, 1] * (N // 2)}


def fit(when, **words):
    return preprocessing.fit({"when": when} | OTHERS, "y", **words)


def stored(p):
    return preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))


def inputs(p, when):
    return dict(zip(p.input_names, p.inputs({"when": when, "x": np.zeros(len(when))}).T, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_as_strptime_reads_it(form):
    texts = [(DAY + datetime.timedelta(days=40 * j, minutes=j)).strftime(form) for j in range(12)]
    expected = [datetime.datetime.strptime(text, form) for text in texts]
    if "%Y" not in form and "%y" not in form:
        expected = [datetime.datetime(1970, 1, 1, each.hour, each.minute, each.second) for each in expected]
    days = [
        (each.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for each in expected
    ]
    dated = dates.recognise(texts)
    assert dated is not None
    np.testing.assert_allclose(dates.days_of(texts, dated.form), days, rtol=1e-15)


def test_dates_become_the_time_elapsed_and_points_on_circles():
    """Against pandas: each part by its calendar, the angle by the formula of the docstring."""
    stamps = pd.Series(pd.to_datetime(MOMENTS))
    p = fit([f"{moment:%d.%m.%Y %H:%M:%S}" for moment in MOMENTS])
    found = inputs(p, stamps)
    assert list(found)[:9] == ["when", *(f"when {part} {wave}" for part in dates.PERIODS for wave in ("sin", "cos"))]
    elapsed = (stamps - stamps.min()) / pd.Timedelta(days=1)
    np.testing.assert_allclose(found["when"], (elapsed - elapsed.mean()) / elapsed.std(ddof=0), rtol=1e-9)
    hour = stamps.dt.hour + stamps.dt.minute / 60 + stamps.dt.second / 3600
    turns = {
        "month": (stamps.dt.month - 1) / 12,
        "day": (stamps.dt.day - 1) / 31,
        "weekday": stamps.dt.day_of_week / 7,
        "hour": hour / 24,
    }
    for part, turn in turns.items():
        np.testing.assert_allclose(found[f"when {part} sin"], np.sin(2 * np.pi * turn), atol=1e-9)
        np.testing.assert_allclose(found[f"when {part} cos"], np.cos(2 * np.pi * turn), atol=1e-9)


SAME = {
    "ISO": [moment.isoformat(" ") for moment in MOMENTS],
    "an offset": [f"{moment:%Y-%m-%dT%H:%M:%S}+02:00" for moment in MOMENTS],
    "Python": MOMENTS,
    "numpy": np.array(MOMENTS, "M8[ns]"),
    "pandas": pd.Series(MOMENTS),
    "a time zone": pd.Series(MOMENTS).dt.tz_localize("Europe/Berlin", nonexistent="shift_forward"),
    "polars": pl.Series(MOMENTS),
    "words": [f"{moment:%b %d, %Y %I:%M:%S %p}" for moment in MOMENTS],
}


@pytest.mark.parametrize("case", SAME)
def test_whatever_a_column_of_dates_came_as_it_is_the_same(case):
    kept = [j for j, moment in enumerate(MOMENTS) if not (moment.hour == 2 and moment.month == 3)]  # clocks go forward
    expected, p = fit(SAME["ISO"]), fit(SAME[case])
    assert p.columns[0]._replace(form="ISO") == expected.columns[0]
    given = expected.inputs({"when": SAME["ISO"]} | OTHERS)
    np.testing.assert_array_equal(p.inputs({"when": SAME[case]} | OTHERS)[kept], given[kept])
    np.testing.assert_array_equal(stored(p).inputs({"when": SAME["ISO"]} | OTHERS), given)  # ISO beside any form


def test_parts_that_do_not_vary_in_training_are_no_inputs():
    months = [f"{2010 + j // 12}-{j % 12 + 1:02d}-01" for j in range(N)]
    assert fit(months).columns[0].parts == ("month",)  # the weekday of the first of a month means nothing
    assert fit([f"{2001 + j}-07-01" for j in range(N)]).columns[0].parts == ()
    assert fit([f"{j % 24:02d}:{j % 60:02d}" for j in range(N)]).columns[0].parts == ("hour",)
    week = [f"2024-05-{j % 7 + 6:02d}" for j in range(N)]
    assert fit(week).columns[0].parts == ("day", "weekday")
    assert fit([f"2024-05-{6 + (j >= 50):02d}" for j in range(N)], rows=np.arange(50)).columns[0].kind == "unused"


@pytest.mark.parametrize(
    ("texts", "form", "told"),
    [
        (["01/02/2023", "04/02/2023", "02/03/2023"], "%m/%d/%Y", "month first"),
        (["01/02/2023", "04/02/2023", "02/03/2023", "01/04/2023"], "%d/%m/%Y", "day first"),  # then in order of time
        (["01-03-2023", "04-02-2023", "02-05-2023"], "%d-%m-%Y", "day first"),
        (["01/02/2023", "13/02/2023", "02/03/2023"], "%d/%m/%Y", None),
        (["01.02.2023", "03.02.2023", "02.03.2023"], "%d.%m.%Y", None),
    ],
)
def test_day_and_month(texts, form, told):
    if told == "day first" and "/" in texts[0]:
        texts = sorted(texts, key=lambda text: (text[3:5], text[:2]))
    elif told:
        texts = texts[::-1][1:] + texts[-1:]  # in no order under either reading
    p = fit((texts * N)[:N])
    assert p.columns[0].form == form
    (note,) = p.notes
    assert ("which no cell contradicts" in note) == (told is not None)
    assert (told or "") in note


def test_a_later_cell_that_is_no_such_date_is_told_with_its_row():
    p = stored(fit([f"{moment:%d.%m.%Y}" for moment in MOMENTS]))
    for wrong in ("2021/03/24", "soon", "31.02.2022"):
        with pytest.raises(ValueError, match=f"'when' holds '{wrong}' in row 2 of 3.*written like 31.01.2023"):
            inputs(p, ["24.03.2021", wrong, "2021-03-24"])
    with pytest.raises(ValueError, match="'when' holds '5' in row 1 of 1"):
        inputs(p, [5.0])
    with pytest.raises(ValueError, match="'when' holds '12:30:00' in row 1 of 1"):
        inputs(p, [datetime.time(12, 30)])


def test_missing_dates_stand_at_the_mean_and_at_the_centre_of_the_circles():
    texts = [None if j % 7 == 3 else f"{moment:%Y-%m-%d}" for j, moment in enumerate(MOMENTS)]
    p = fit(texts)
    found = p.inputs({"when": [None, "2021-03-24"], "x": [0.0, 0.0]})
    assert p.input_names[7:9] == ("when is missing", "x")
    np.testing.assert_allclose(found[0, :8], [0] * 7 + [1], atol=1e-15)
    assert found[1, 7] == 0


def test_a_stray_word_between_dates_is_missing_and_other_strays_are_told():
    texts = [f"{moment:%d/%m/%Y}" for moment in MOMENTS]
    p = fit([*texts[:39], "unknown", *texts[40:]])
    assert (p.columns[0].kind, p.columns[0].absent) == ("date", ("unknown",))
    assert "'when' holds dates, but also 'unknown' in row 40 of 120, read as missing" in p.notes[0]
    assert inputs(stored(p), ["unknown"])["when is missing"] == 1
    with pytest.raises(ValueError, match=r"'when' holds dates, but also '31/02/2021' in row 40 of 120.*--drop when"):
        fit([*texts[:39], "31/02/2021", *texts[40:]])


def test_the_callers_word_keeps_dates_as_categories():
    texts = [f"2021-03-{j % 5 + 1:02d}" for j in range(N)]
    p = fit(texts, category="when")
    assert p.columns[0].categories == tuple(sorted(set(texts)))
    assert p.notes == ()


def test_days_as_digits_are_dates_where_all_or_the_name_say_so():
    digits = [int(f"{moment:%Y%m%d}") for moment in MOMENTS]
    p = fit(digits)
    assert p.columns[0].form == "%Y%m%d"
    expected = fit([f"{moment:%Y-%m-%d}" for moment in MOMENTS])
    table = {"when": digits} | OTHERS
    np.testing.assert_array_equal(
        stored(p).inputs(table), expected.inputs({"when": np.array(MOMENTS, "M8[D]")} | OTHERS)
    )
    np.testing.assert_array_equal(p.inputs({"when": list(map(str, digits))} | OTHERS), p.inputs(table))
    assert fit(digits, number="when").columns[0].kind == "number"
    two = {"code": [20210101, 20210102] * (N // 2)} | OTHERS
    assert preprocessing.fit(two, "y").columns[0].kind == "number"
    assert preprocessing.fit({"day": two["code"]} | OTHERS, "y").columns[0].kind == "date"
    array = np.column_stack([digits, OTHERS["x"]])
    assert preprocessing.fit_arrays(array, OTHERS["y"]).columns[0].kind == "number"
    amounts = [20210101 + 37 * j for j in range(N)]
    assert fit(amounts).columns[0].kind == "number"


def test_a_day_at_the_start_of_the_count_is_no_time_of_day():
    years = [f"{1970 + j % 12}-01-01" for j in range(N)]
    assert "'1970-01-01' as 1970-01-01;" in fit(years).notes[0]
    assert "'00:30' as 00:30:00;" in fit([f"{j % 24:02d}:30" for j in range(N)]).notes[0]


def test_durations_are_numbers_of_days():
    lengths = [datetime.timedelta(hours=6 * j) for j in range(N)]
    expected = fit([j / 4 for j in range(N)], number="when")
    for given in (lengths, np.array(lengths, "m8[ms]"), pd.Series(lengths)):
        assert fit(given, number="when") == expected


def test_far_dates_are_told_as_dates():
    p = fit([f"{moment:%Y-%m-%d}" for moment in MOMENTS])
    (told,) = preprocessing.remarks(p, {"when": ["1999-12-31", "2021-04-01"], "x": [0.0, 0.0]})
    assert "'when' in 1, such as 1999-12-31 (2021-03-24 to 2022-11-14 in training)" in told
    clipped = p.inputs({"when": ["1999-12-31"], "x": [0.0]}, clip=True)[0, 0]
    assert clipped == inputs(p, ["2021-03-24"])["when"][0]


@pytest.mark.parametrize(
    "change",
    [
        {"form": "%q"},
        {"form": None},
        {"parts": ["year"]},
        {"parts": ["day", "day"]},
        {"parts": "day"},
        {"parts": ["month", "day", "weekday", "hour", "hour"]},
        {"least": None},
        {"most": 1e30},
        {"mean": float("nan")},
        {"scale": 0.0},
        {"absent": [1]},
        {"absent": ["a"] * 11},
        {"notation": {"decimal": ".", "group": "", "unit": ""}},
        {"categories": ["a"]},
    ],
)
def test_hostile_descriptions(change):
    spec = fit([f"{moment:%Y-%m-%d}" for moment in MOMENTS]).to_spec()
    assert preprocessing.from_spec(spec).columns[0].kind == "date"
    columns = [spec["columns"][0] | change, *spec["columns"][1:]]
    with pytest.raises(ValueError, match="stored"):
        preprocessing.from_spec(spec | {"columns": columns})
