"""Numbers that probably stand for a missing value are told, and can be declared missing in tables of numbers too."""

import json

import numpy as np
import pytest

from jaxnn import experiments, preprocessing

N = 60
AGES = np.random.default_rng(0).integers(18, 80, N).astype(float)
Y = np.random.default_rng(1).normal(size=N)


def with_codes(values, code, rows=(3, 17)):
    values = values.copy()
    values[list(rows)] = code
    return values


def notes_of(column, target=Y, **words):
    return [each for each in preprocessing.fit({"age": column, "y": target}, "y", **words).notes if "stands" in each]


@pytest.mark.parametrize("code", [-9.0, -99.0, -999.0, 999.0, 99999.0, -9999.0])
def test_a_code_far_from_all_other_numbers_is_told(code):
    values = AGES if abs(code) > 9 else np.arange(N) % 5.0
    (note,) = notes_of(with_codes(values, code))
    assert note.startswith(f"Column 'age' is {code:.0f} in row 4 of {N} (and 1 more), far from all other values")
    assert f"(missing=['{code:.0f}']; --missing {code:.0f})" in note


def test_several_codes_do_not_hide_each_other():
    column = with_codes(with_codes(with_codes(AGES, -999.0), -99.0, rows=(5, 6)), 9999.0, rows=(8, 9))
    assert [note.split(" in row")[0] for note in notes_of(column)] == [
        f"Column 'age' is {code}" for code in ("-999", "-99", "9999")
    ]


@pytest.mark.parametrize(
    "column",
    [
        with_codes(AGES, -999.0, rows=(3,)),  # once
        with_codes(AGES, -500.0),  # no nines
        with_codes(AGES * 30, -999.0),  # among the others' spread
        with_codes(AGES, 99.0),  # beside them
        np.where(np.arange(N) < 55, -999.0, AGES),  # few others
    ],
)
def test_other_numbers_are_not_suspected(column):
    assert notes_of(column) == []


def test_nothing_is_said_of_what_the_caller_declared():
    assert notes_of(with_codes(AGES, -999.0), number=["age"]) == []
    assert notes_of(with_codes(AGES, -999.0), missing=["-999"]) == []


def test_the_target_is_suspected_too():
    (note,) = notes_of(AGES, with_codes(Y, -999.0))
    assert note.startswith("Target 'y' is -999 in row 4")


@pytest.mark.parametrize("declared", ["-999", -999, [-999.0], ["-999.0", "x"]])
def test_numbers_can_be_declared_missing(declared):
    coded = with_codes(AGES, -999.0)
    p = preprocessing.fit({"age": coded, "y": Y}, "y", missing=declared)
    expected = preprocessing.fit({"age": with_codes(AGES, np.nan), "y": Y}, "y")
    assert p.columns == expected.columns
    again = preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))
    np.testing.assert_array_equal(again.inputs({"age": coded}), expected.inputs({"age": with_codes(AGES, np.nan)}))


def test_numbers_in_a_column_of_objects_can_be_declared_missing():
    coded = np.array([None, *with_codes(AGES, -999.0).astype(int).tolist()[1:]], dtype=object)
    assert len(notes_of(coded)) == 1
    assert notes_of(coded, missing=-999) == []
    found = preprocessing.fit({"age": coded, "y": Y}, "y", missing=-999).columns[0]
    assert found.mean == pytest.approx(np.delete(AGES, [0, 3, 17]).mean())


def test_rows_whose_target_is_declared_missing_are_left_out():
    found = experiments.source({"age": AGES, "y": with_codes(Y, -999.0)}, target="y", missing=-999)
    assert (found.n_rows, found.left_out) == (N - 2, 2)


def test_booleans_are_never_codes():
    flags = np.arange(N) % 2 == 0
    p = preprocessing.fit({"age": AGES, "flag": flags, "y": Y}, "y", missing=["1"])
    assert p.columns[1].missing == "refused"
