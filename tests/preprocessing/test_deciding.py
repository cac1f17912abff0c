"""What a column is: the caller's word, the dtype, the texts; stored, and read the same way in the next table."""

import json

import numpy as np
import pytest

from jaxnn import preprocessing

N = 60
RNG = np.random.default_rng(0)
AGES = [str(age) for age in RNG.integers(18, 95, N)]
OTHERS = {"x": RNG.normal(size=N), "y": [0, 1] * (N // 2)}


def fit(column, **words):
    return preprocessing.fit({"c": column} | OTHERS, "y", **words)


def stored(p):
    return preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))


WRITTEN = {
    "thousands": (["950", "1,045", "12,300"], [950, 1045, 12300], ["7", "1,000", "1000"], [7, 1000, 1000]),
    "dollars": (["$950", "$1,045.50", "$3"], [950, 1045.5, 3], ["7", "$1,000", "-$2"], [7, 1000, -2]),
    "per cent": (["45%", "7 %", "12%"], [45, 7, 12], ["45", "7%", "0.5"], [45, 7, 0.5]),
    "decimal commas": (["4,5", "7", "1,25"], [4.5, 7, 1.25], ["1,045", "3"], [1.045, 3]),
    "points between thousands": (["1.045,5", "7", "2.000"], [1045.5, 7, 2000], ["1.045"], [1045]),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_text_numbers_become_numbers_here_and_in_the_next_table(case):
    texts, numbers, later, later_numbers = WRITTEN[case]
    p = fit(texts * 20)
    plain = fit(numbers * 20)
    assert p.columns[0].kind == "number"
    assert p.columns[0]._replace(notation=None) == plain.columns[0]
    assert "Column 'c' is read as numbers" in p.notes[0]
    assert "--category c" in p.notes[0]
    assert stored(p) == p
    x = [0.0] * len(later)
    expected = plain.inputs({"c": np.array(later_numbers, float), "x": x})
    np.testing.assert_array_equal(stored(p).inputs({"c": later, "x": x}), expected)
    np.testing.assert_array_equal(stored(p).inputs({"c": np.array(later_numbers, float), "x": x}), expected)


@pytest.mark.parametrize("case", WRITTEN)
def test_text_numbers_of_a_target_are_no_classes(case):
    texts, numbers, *_ = WRITTEN[case]
    p = preprocessing.fit({"x": OTHERS["x"], "y": texts * 20}, "y")
    assert p.problem == "numbers"
    assert preprocessing.problem_of(texts * 20)[0] == "numbers"
    np.testing.assert_allclose(p.numbers(stored(p).targets(texts)), numbers, rtol=1e-12)
    assert preprocessing.fit({"x": OTHERS["x"], "y": texts * 20}, "y", problem="classes").class_names == tuple(
        sorted(texts)
    )
    assert preprocessing.fit({"x": OTHERS["x"], "y": texts * 20}, "y", category="y").problem == "classes"


def test_the_callers_decimal_mark():
    texts = ["11,900", "12,300", "15,450"]
    with pytest.raises(ValueError, match=r"Target 'y' holds values such as '11,900'.*--decimal point or comma"):
        preprocessing.fit({"x": OTHERS["x"], "y": texts * 20}, "y")
    for decimal, factor in ((".", 1), (",", 1000)):
        p = preprocessing.fit({"x": OTHERS["x"], "y": texts * 20}, "y", decimal=decimal)
        np.testing.assert_allclose(p.numbers(p.targets(texts)), np.array([11900, 12300, 15450]) / factor)


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("1.045,5", "held numbers written like 1,234.5"),
        ("many", "text 'many' in row 2"),
        ("€3", "text '€3'"),
    ],
)
def test_another_notation_in_the_next_table_is_refused(later, told):
    p = fit(["950", "1,045", "12,300"] * 20)
    with pytest.raises(ValueError, match=told):
        p.inputs({"c": ["1", later], "x": [0.0, 0.0]})


def test_a_stray_word_between_numbers_is_told_with_the_remedy():
    column = [*AGES[:30], "unknown", *AGES[31:]]
    column[40] = "n/a*"
    told = r"'c' holds numbers, but also 'unknown', 'n/a\*', 'M' in row 31 of 60 \(and 2 more\).*--missing unknown"
    with pytest.raises(ValueError, match=told):  # three different ones
        fit([*column[:-1], "M"])
    p = fit([*column[:40], *AGES[40:]], missing=["unknown"])
    assert p.columns[0].missing == "marked"
    assert stored(p).inputs({"c": ["unknown", "30"], "x": [0.0, 0.0]})[:, 1].tolist() == [1, 0]
    assert len(fit(column, category="c").columns[0].categories) > 20
    with pytest.raises(ValueError, match="Target 'y' holds numbers, but also 'unknown'"):
        preprocessing.fit({"x": OTHERS["x"], "y": column}, "y")


def test_numbers_with_and_without_a_word_behind_them_are_no_categories():
    """950 beside 1.2k is a thousandth of it, or not; nobody but the caller knows."""
    column = [f"{age}k" if i % 3 else age for i, age in enumerate(AGES)]
    with pytest.raises(ValueError, match=r"with and without a unit, such as '\d+' and '\d+k'"):
        fit(column)
    assert fit(column, category="c").columns[0].kind == "category"


def test_codes_in_letters_and_digits_that_are_as_many_as_rows_may_be_numbers_by_a_word():
    codes = [f"EUR {1000 + 7.3 * i:.2f}" for i in range(N)]
    p = fit(codes)
    assert p.columns[0].kind == "unused"
    assert "to read numbers, declare it a number (number='c'; --number c)" in p.notes[0]
    assert fit(codes, number="c").columns[0].kind == "number"


def test_few_numbers_with_a_word_are_categories_without_a_word():
    p = fit(["0", "1", "2", "3+"] * 15)
    assert p.columns[0].categories == ("0", "1", "2", "3+")
    assert p.notes == ()


def test_plain_numbers_as_text():
    p = fit(AGES)
    assert p.columns[0].kind == "number"
    assert "is read as numbers" in p.notes[0]
    few = fit(["1", "2", "3"] * 20)
    assert few.columns[0].kind == "category"
    assert fit(["1", "2", "3"] * 20, number="c").columns[0].kind == "number"


def test_leading_zeros_mean_text():
    p = fit(["00501", "10001", "94105"] * 20)
    assert p.columns[0].categories == ("00501", "10001", "94105")
    assert "leading zeros, as in '00501'" in p.notes[0]
    np.testing.assert_array_equal(p.inputs({"c": [10001.0, 94105.0], "x": [0.0, 0.0]})[:, :3], [[0, 1, 0], [0, 0, 1]])
    number = fit(["00501", "10001", "94105"] * 20, number="c")
    assert (number.columns[0].least, number.columns[0].most) == (501, 94105)
    assert stored(number).inputs({"c": ["00501"], "x": [0.0]})[0, 0] == number.inputs({"c": [501.0], "x": [0.0]})[0, 0]


def test_the_callers_word_about_numbers_and_booleans():
    numbers = fit([1.0, 2.5, 3.0] * 20, category="c")
    assert numbers.columns[0].categories == ("1", "2.5", "3")
    np.testing.assert_array_equal(numbers.inputs({"c": [3, 1], "x": [0.0, 0.0]})[:, :3], [[0, 0, 1], [1, 0, 0]])
    flags = fit([True, False, True] * 20, category="c")
    assert flags.columns[0].categories == ("False", "True")
    np.testing.assert_array_equal(flags.inputs({"c": [True], "x": [0.0]})[:, :2], [[0, 1]])
    assert fit([True, False, True] * 20, number="c").columns[0].kind == "number"
    with pytest.raises(ValueError, match="2⁵³"):
        fit([2.0**53, 1.0] * 30, category="c")


def test_units_are_read_if_the_caller_says_so():
    texts = [f"{age} kg" for age in AGES]
    with pytest.raises(ValueError, match=r"'c' holds numbers with the unit 'kg'.*--number c"):
        fit(texts)
    p = fit(texts, number="c")
    expected = fit([float(age) for age in AGES], number="c")
    table = {"c": ["20 kg", "30"], "x": [0.0, 0.0]}
    np.testing.assert_array_equal(stored(p).inputs(table), expected.inputs(table | {"c": [20.0, 30.0]}))


def test_notes_and_what_is_missing_survive():
    p = fit(["$1", "$2", "none"] * 20, missing="none")
    assert p.notes
    assert p.missing == ("none",)
    assert stored(p) == p


OLD = {
    "columns": [
        {"name": "k", "kind": "number", "missing": "refused", "mean": 0.3, "scale": 4e-17},
        {"name": "c", "kind": "category", "missing": "refused", "categories": ["a", "b"]},
    ],
    "target": {"name": "y", "problem": "numbers", "mean": 1.0, "scale": 2.0},
}


def test_descriptions_of_earlier_versions_load():
    p = preprocessing.from_spec(OLD)
    assert p.to_spec() == OLD
    assert preprocessing.remarks(p, {"k": [0.3, 1e9], "c": ["a", "b"]}) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"least": 1.0}, "must be a finite number"),
        ({"least": 1.0, "most": 0.0}, "must not end before it starts"),
        ({"notation": {"decimal": ".", "group": ".", "unit": ""}}, "must be different"),
        ({"notation": {"decimal": ":", "group": "", "unit": ""}}, "must be one of"),
        ({"notation": {"decimal": ".", "group": ""}}, "with the keys"),
        ({"notation": {"decimal": ".", "group": "", "unit": "x" * 10_001}}, "must be text"),
    ],
)
def test_hostile_descriptions(change, told):
    spec = OLD | {"columns": [OLD["columns"][0] | change]}
    with pytest.raises(ValueError, match=told):
        preprocessing.from_spec(spec)
    with pytest.raises(ValueError, match="inputs"):
        preprocessing.from_spec(OLD | {"columns": [{"name": "k", "kind": "unused", "missing": "filled"}]})
    with pytest.raises(ValueError, match="stored"):
        preprocessing.from_spec(OLD | {"notes": [1]})


def test_classes_of_fewer_than_two_rows_each_are_refused():
    table = {"x": np.arange(30.0) ** 2, "note": [f"word {i}" for i in range(30)]}
    with pytest.raises(ValueError, match="30 different values in 30 rows, fewer than two rows for each class"):
        preprocessing.fit(table, "note")
