"""A few stray words between numbers are missing values, told with their rows; codes and many strays are refused."""

import json

import numpy as np
import pytest

from jaxnn import preprocessing
from jaxnn.preprocessing import strays

N = 200
RNG = np.random.default_rng(0)
NUMBERS = [f"{value:.2f}" for value in RNG.normal(100, 20, N)]
OTHERS = {"x": RNG.normal(size=N), "y": [0, 1] * (N // 2)}


def fit(column, **words):
    return preprocessing.fit({"c": column} | OTHERS, "y", **words)


def with_strays(*placed, column=NUMBERS):
    given = dict(placed)
    return [given.get(j, text) for j, text in enumerate(column)]


@pytest.mark.parametrize("words", [("unknown",), ("-",), ("n/a*", "none"), ("#DIV/0!",), ("not measured", "--")])
@pytest.mark.parametrize("declared", [{}, {"number": "c"}])
def test_stray_words_are_missing_here_and_in_the_next_table(words, declared):
    column = with_strays((30, words[0]), (70, words[-1]))
    p = fit(column, **declared)
    gaps = fit([float(text) if text not in words else np.nan for text in column], number="c")
    assert p.columns[0]._replace(notation=None, absent=()) == gaps.columns[0]
    assert p.columns[0].absent == words
    assert f"but also {' and '.join(map(repr, words))} in row 31 of 200 (and 1 more), read as missing" in p.notes[0]
    again = preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))
    assert again == p
    later = {"c": [words[0], "95.5"], "x": [0.0, 0.0]}
    np.testing.assert_array_equal(again.inputs(later), gaps.inputs(later | {"c": [np.nan, 95.5]}))
    with pytest.raises(ValueError, match="holds the text 'perhaps' in row 1 of 1"):
        again.inputs({"c": ["perhaps"], "x": [0.0]})


def test_a_word_is_missing_in_its_own_column_only():
    town = ["unknown" if j % 3 else "Ulm" for j in range(N)]
    p = preprocessing.fit({"c": with_strays((30, "unknown")), "town": town} | OTHERS, "y")
    assert p.columns[1].categories == ("Ulm", "unknown")


@pytest.mark.parametrize(
    "placed",
    [
        [(30, "T")],  # a letter may be a code
        [(30, "<5")],
        [(30, "3+")],
        [(30, "inf")],
        [(30, "a1"), (40, "unknown")],
        [(30, "unknown"), (31, "none"), (32, "missing")],
        [(j, "unknown") for j in range(11)],
    ],
)
def test_what_may_be_a_code_or_is_too_much_is_refused(placed):
    with pytest.raises(ValueError, match=r"'c' holds numbers, but also .* in row .* of 200.*--missing"):
        fit(with_strays(*placed))


def test_a_stray_word_between_few_numbers_is_told():
    p = fit(with_strays((4, "unknown"), column=[str(j % 5) for j in range(N)]))
    assert p.columns[0].kind == "category"
    assert "but also 'unknown' in row 5 of 200, so its few different values are categories" in p.notes[0]
    number = fit(with_strays((4, "unknown"), column=[str(j % 5) for j in range(N)]), number="c")
    assert (number.columns[0].kind, number.columns[0].missing) == ("number", "marked")


def test_amounts_with_a_word_between_them():
    p = fit(with_strays((4, "free"), column=[f"${j % 7 * 10}" for j in range(N)]))
    assert (p.columns[0].kind, p.columns[0].notation.unit) == ("number", "$")
    assert p.columns[0].absent == ("free",)


def test_words_of_a_target_stay_refused():
    with pytest.raises(ValueError, match="Target 'y' holds numbers, but also 'unknown'"):
        preprocessing.fit({"x": OTHERS["x"], "y": with_strays((4, "unknown"))}, "y")


@pytest.mark.parametrize(
    ("text", "word"),
    [("unknown", True), ("-", True), ("n/a*", True), ("#N/A!", True), ("T", False), ("-inf", False), ("3+", False)],
)
def test_words(text, word):
    assert strays.is_word(text) == word


def test_a_number_between_times_of_day_is_missing_and_a_date_that_went_wrong_is_refused():
    times = [f"{8 + j % 12}:{7 * j % 60:02d}" for j in range(N)]
    p = fit(with_strays((5, "9.12"), column=times))
    assert (p.columns[0].kind, p.columns[0].absent) == ("date", ("9.12",))
    assert "holds dates, but also '9.12' in row 6 of 200, read as missing" in p.notes[0]
    with pytest.raises(ValueError, match="holds dates, but also '9:75' in row 6 of 200: fix it"):
        fit(with_strays((5, "9:75"), column=times))


def test_days_as_digits_stay_dates_beside_a_stray_word():
    days = [f"2020{1 + j % 12:02d}{1 + j % 28:02d}" for j in range(N)]
    assert fit(days).columns[0].form == "%Y%m%d"
    p = fit(with_strays((7, "unknown"), column=days))
    assert (p.columns[0].kind, p.columns[0].form, p.columns[0].absent) == ("date", "%Y%m%d", ("unknown",))
    assert "holds dates, but also 'unknown' in row 8 of 200" in p.notes[0]
    gone, there = p.inputs({"c": ["unknown", "20200131"], "x": [0.0, 0.0]})
    assert gone[p.input_names.index("c is missing")] == 1
    assert there[p.input_names.index("c is missing")] == 0
