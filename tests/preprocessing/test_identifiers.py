"""Columns that name the rows: found before the split, left out, told; and measured numbers left in peace."""

import numpy as np
import pytest
from sklearn import datasets

from jaxnn import data, preprocessing
from jaxnn.preprocessing.identifiers import role

RNG = np.random.default_rng(3)
FAR = np.unique(RNG.integers(0, 10**9, 50))


@pytest.mark.parametrize(
    ("name", "numbers", "what"),
    [
        ("Id", RNG.permutation(150)[:120] + 1, "identifier"),
        ("Id", np.sort(RNG.permutation(150)[:120]), "identifier"),
        ("case", np.sort(RNG.permutation(150)[:120]), "identifier"),
        ("case", np.arange(10), "identifier"),
        ("customer_id", FAR, "identifier"),
        ("PassengerId", np.arange(892, 1310), "identifier"),
        ("Unnamed: 0", np.arange(30), "identifier"),
        ("case", np.sort(RNG.permutation(1000)[:700]) + 3000, "identifier"),
        ("case", np.arange(5001, 5101), "identifier"),
        ("rownames", np.sort(RNG.permutation(1000)[:800]) + 1, "identifier"),
        ("account", np.sort(RNG.permutation(1000)[:700]) + 3000, "identifier"),
        ("page", np.sort(RNG.permutation(1000)[:700]) + 3000, "identifier"),
        ("vintage", np.arange(1900, 2001), "axis"),
        ("z", np.arange(100, 400, 2), "axis"),
        ("z", np.r_[-50:51], "axis"),
        ("body_mass", np.r_[18:40, 41:77], "axis"),
        ("n", np.r_[3000:3020], None),
        ("residents", np.unique(RNG.integers(1000, 10**6, 500)), None),
        ("pay", np.unique(RNG.integers(20_000, 90_000, 200)), None),
        ("year", np.arange(1950, 2011), "axis"),
        ("t", np.arange(100), "axis"),
        ("distance", np.r_[18:40, 41:77], "axis"),
        ("paid", FAR, None),
        ("Id", np.arange(100) // 2, None),
        ("Id", np.r_[1:100, np.nan], "identifier"),
        ("case", np.r_[3000:3200, np.nan], "identifier"),
        ("case", np.r_[3000:3200, 3100], "identifier"),
        ("case", np.r_[3000:3200, 3000:3010], None),
        ("pay", np.r_[np.unique(RNG.integers(0, 2000, 240)), np.nan, 1000], None),
        ("Id", np.arange(100) + 0.5, None),
        ("Id", np.arange(9), None),
        ("price", RNG.permutation(100_000)[:50], None),
    ],
)
def test_roles(name, numbers, what):
    assert role(name, np.asarray(numbers, float)) == what


@pytest.mark.parametrize("seed", range(20))
def test_measured_whole_numbers_are_never_identifiers(seed):
    """Numbers drawn from a range are all different by chance with probability e⁻²⁰ at most where that counts."""
    rng = np.random.default_rng(seed)
    for n in (30, 100, 1000):
        for width in (n, 10 * n, 100 * n):
            assert role("amount", rng.integers(0, width, n).astype(float)) is None


def sorted_table():
    """150 flowers sorted by their class, of which a random 80 % are kept, beside a column without meaning."""
    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(150)[:120])
    return {"Id": kept + 1.0, "noise": rng.normal(size=120), "species": np.arange(150)[kept] // 50}


def test_an_identifier_is_left_out_and_told_whatever_rows_train():
    table = sorted_table()
    rows = data.split(120, validation=0.2, test=0.2, seed=0).train
    p = preprocessing.fit(table, "species", rows=rows)
    assert p.input_names == ("noise",)
    assert p.notes == (
        "Column 'Id' seems to number the rows (120 whole numbers from 1 to 149, all different), so it is left out;"
        " to keep it, declare it a number (number='Id'; --number Id)",
    )
    np.testing.assert_array_equal(p.inputs({"noise": [0.5]}), p.inputs({"noise": [0.5], "Id": [10**9]}))


def test_amounts_with_a_unit_number_no_rows():
    fees = [f"${1000 + j:,}" for j in range(120)]
    p = preprocessing.fit({"fee": [*fees[:-1], "$950"], "y": np.arange(120) * 0.5}, "y")
    assert p.columns[0].kind == "number"
    assert "seems to number" not in p.notes[0]


def test_the_callers_word_keeps_an_identifier():
    p = preprocessing.fit(sorted_table(), "species", number="Id")
    assert p.input_names == ("Id", "noise")
    assert p.notes == ()


def test_the_only_column_is_kept_with_a_word():
    p = preprocessing.fit({"case": np.arange(40), "y": np.arange(40) * 0.5}, "y")
    assert p.input_names == ("case",)
    assert p.notes[0].endswith("it is kept because there is no other column")


def test_years_are_kept_with_a_word():
    table = {"year": np.arange(1950, 2011), "x": np.random.default_rng(0).normal(size=61), "y": np.arange(61) * 0.5}
    p = preprocessing.fit(table, "y")
    assert p.input_names == ("year", "x")
    assert "61 whole numbers from 1950 to 2010, all different" in p.notes[0]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_no_column_of_the_usual_tables_is_left_out(name):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    p = preprocessing.fit(frame, "target")
    assert p.input_names == tuple(frame.columns[:-1])
    assert p.notes == ()


@pytest.mark.parametrize(("name", "expected"), [("PID", "identifier"), ("user_uid", "identifier"), ("paid", None)])
def test_a_name_marks_numbers_that_are_far_apart(name, expected):
    numbers = np.arange(50) ** 5 * 7.0 + 5
    assert role(name, numbers) == expected
