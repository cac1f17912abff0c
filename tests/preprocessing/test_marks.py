"""A comma that could be two things is read as the other columns of the table have it, and refused if none shows it."""

import numpy as np
import pytest

from jaxnn import data, preprocessing

N = 40
FEE = ["1,045", "2,310", "7,125", "3,000"] * (N // 4)
THOUSANDS = np.array([1045.0, 2310, 7125, 3000])
Y = [0, 1] * (N // 2)
WHOLE = np.arange(N) % 7
POINTS = {
    "fractions": WHOLE + 0.5,
    "text with points": [f"${j % 7}.50" for j in range(N)],
    "thousands and points": [f"1,{j % 7}00.5" for j in range(N)],
}
COMMAS = {
    "decimal commas": [f"{j % 7},5" for j in range(N)],
    "points between thousands": [f"1.{j % 7}00,25" for j in range(N)],
    "euros": [f"{j % 7},50 €" for j in range(N)],
}


@pytest.mark.parametrize("case", [*POINTS, *COMMAS])
def test_another_column_shows_the_decimal_mark(case):
    other = (POINTS | COMMAS)[case]
    p = preprocessing.fit({"fee": FEE, "other": other, "y": Y}, "y")
    factor = 1 if case in POINTS else 1000
    assert (p.columns[0].least, p.columns[0].most) == (1045 / factor, 7125 / factor)
    what = "marks between thousands" if case in POINTS else "decimal commas"
    assert f"Column 'fee': its commas are read as {what}, because column 'other' has" in p.notes[0]
    assert preprocessing.from_spec(p.to_spec()) == p
    later = {"fee": ["2,310"], "other": other[:1]}
    expected = (2310 - THOUSANDS.mean()) / THOUSANDS.std()
    np.testing.assert_allclose(p.inputs(later)[0, 0], expected, rtol=1e-12)


def test_a_file_with_decimal_commas_shows_it():
    table = data.Table({"fee": np.array(FEE, object), "size": WHOLE + 0.5, "y": np.array(Y)}, N, "t", ("size",))
    p = preprocessing.fit(table, "y")
    assert p.columns[0].most == 7.125


def test_the_target_shows_it_too():
    p = preprocessing.fit({"fee": FEE, "y": WHOLE + 0.25}, "y")
    assert p.columns[0].most == 7125


@pytest.mark.parametrize(
    "others", [{"other": WHOLE}, {"other": POINTS["fractions"], "third": COMMAS["euros"]}, {"other": FEE}]
)
def test_no_evidence_and_contradictions_are_refused(others):
    with pytest.raises(ValueError, match="'fee' holds values such as '1,045'"):
        preprocessing.fit({"fee": FEE, **others, "y": Y}, "y")


def test_the_callers_mark_counts_more():
    p = preprocessing.fit({"fee": FEE, "other": POINTS["fractions"], "y": Y}, "y", decimal=",")
    assert p.columns[0].most == 7.125
