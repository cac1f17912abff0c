"""How numbers are written: read from the whole column, and refused where they could be two things."""

import numpy as np
import pytest

from jaxnn.preprocessing import written
from jaxnn.preprocessing.written import Notation

READ = {
    "plain": (["1.5", "-2", "+3e2", ".5", "7.", "\N{MINUS SIGN}4"], [1.5, -2, 300, 0.5, 7, -4]),
    "thousands beside short ones": (["950", "1,045", "12,300"], [950, 1045, 12300]),
    "thousands and a point": (["1,045.5", "2,000"], [1045.5, 2000]),
    "two commas": (["1,045,000", "2,000"], [1045000, 2000]),
    "decimal commas": (["4,5", "7", "1,045"], [4.5, 7, 1.045]),
    "a zero before the comma": (["0,125", "2,375"], [0.125, 2.375]),
    "points between thousands": (["1.045,5", "7"], [1045.5, 7]),
    "two points": (["1.045.000", "2.000", "950"], [1045000, 2000, 950]),
    "spaces": (["1 045,5", "1\N{NO-BREAK SPACE}000", "12\N{NARROW NO-BREAK SPACE}000"], [1045.5, 1000, 12000]),
    "apostrophes": (["1'045.50", "3\N{RIGHT SINGLE QUOTATION MARK}000"], [1045.5, 3000]),
    "dollars": (["$120", "$1,045.00", "-$3", "$-4", "95"], [120, 1045, -3, -4, 95]),
    "euros": (["€ 3.50", "4.25 €"], [3.5, 4.25]),
    "parentheses": (["(43.64)", "12", "($1,045.50)", "( 7 )"], [-43.64, 12, -1045.5, -7]),
    "per cent": (["45%", "7 %", "-3.5%", "0"], [45, 7, -3.5, 0]),
    "per cent with commas": (["45,5%", "7 %"], [45.5, 7]),
}


@pytest.mark.parametrize("case", READ)
def test_numbers_are_read(case):
    texts, expected = READ[case]
    notation = written.recognise(texts)
    np.testing.assert_array_equal(written.numbers([*texts, None], notation), [*expected, np.nan])


@pytest.mark.parametrize("texts", [["1,045", "2,310"], ["11,900"], ["1,045", "1045"], ["$1,200", "$3,400"]])
def test_a_comma_that_could_be_either_is_settled_by_a_word_only(texts):
    assert written.recognise(texts) == "ambiguous"
    in_thousands = written.numbers(texts, written.recognise(texts, decimal="."))
    with_decimals = written.numbers(texts, written.recognise(texts, decimal=","))
    assert (in_thousands >= 1000).all()
    assert with_decimals[0] == in_thousands[0] / 1000


def test_the_word_counts_only_where_the_column_leaves_it_open():
    assert written.recognise(["1,045.5"], decimal=",") == Notation(group=",")
    assert written.recognise(["4,5"], decimal=".") == Notation(",")
    assert written.recognise(["1.5"], decimal=",") == Notation()
    assert written.numbers(["1.045"], written.recognise(["1.045"], decimal=",")).tolist() == [1045]


@pytest.mark.parametrize(
    "texts",
    [
        ["a"],
        ["(1)", "(2)"],
        ["(-1)", "2"],
        ["(1", "2"],
        ["1,0455", "x"],
        ["1,2,3", "4"],
        ["0-10%", "10-20%"],
        ["45%", "0.3"],
        ["$5", "€4"],
        ["1,234.5", "1.234,5"],
        ["12.30", "1.045,00"],
        ["1_000"],
        ["0x10"],
        ["nan"],
        ["inf"],
        ["1e999"],
        ["(120)"],
        ["1.2.3"],
        ["2 # x"],
        ["+-3"],
        ["5 kg"],
        [""],
        ["%"],
        ["$"],
    ],
)
def test_what_is_no_column_of_numbers(texts):
    notation = written.recognise(texts)
    assert notation is None or np.isnan(written.numbers(texts, notation)).all()


def test_a_word_beside_all_numbers_is_a_unit_if_the_caller_says_so():
    notation = written.recognise(["5 kg", "1,045.5 kg", "7"], any_unit=True)
    assert written.numbers(["5 kg", "1,045.5 kg", "6"], notation).tolist() == [5, 1045.5, 6]
    assert written.recognise(["5 kg", "7 lb"], any_unit=True) is None
    assert written.unit_of(["5 kg", "6 kg"]) == "kg"
    assert written.unit_of(["Q1", "Q2"]) is None
    assert written.unit_of(["5 kg", "6"]) is None


@pytest.mark.parametrize(("decimal", "group"), [(d, g) for d in ".," for g in ("", ",", ".", "'", " ") if d != g])
@pytest.mark.parametrize("unit", ["", "$", "%"])
def test_whatever_is_written_in_one_notation_is_read_back(decimal, group, unit):
    """The law, against Python's own way of writing numbers: 200 numbers of all sizes, with signs."""
    numbers = np.random.default_rng(0).normal(size=200) * 10.0 ** np.random.default_rng(1).integers(0, 7, 200)
    numbers = numbers.round(2)
    swapped = str.maketrans({",": group, ".": decimal})
    texts = [f"{value:,.2f}".translate(swapped) + unit for value in numbers]
    np.testing.assert_array_equal(written.numbers(texts, written.recognise(texts)), numbers)


@pytest.mark.parametrize("seed", range(20))
def test_random_text_raises_nothing(seed):
    alphabet = list("0123456789,.'  +-%$€eE_xkg/")
    rng = np.random.default_rng(seed)
    for _ in range(200):
        texts = ["".join(rng.choice(alphabet, rng.integers(1, 8))) for _ in range(rng.integers(1, 4))]
        notation = written.recognise(texts)
        if isinstance(notation, Notation):
            assert len(written.numbers(texts, notation)) == len(texts)
