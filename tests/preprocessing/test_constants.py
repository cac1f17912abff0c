"""Columns that are constant up to rounding, and real ones that only seem so."""

import numpy as np
import pytest

from jaxnn import preprocessing


def fit(x, **words):
    noise = np.random.default_rng(0).normal(size=len(x))
    return preprocessing.fit({"k": x, "noise": noise, "y": noise + 0.1}, "y", **words)


SUMS = np.array([0.1 + 0.2, 0.3] * 20)
CONSTANT = {
    "a sum": SUMS,
    "products": np.array([3.3 * 3, 9.9, 1.1 * 9] * 13),
    "means of many": np.array([np.full(n, 0.1).cumsum()[-1] / n for n in range(1, 200)]),
    "single precision": np.array([np.float32(0.1) + np.float32(0.2), np.float32(0.3)] * 20, np.float32),
    "huge": SUMS * 1e30,
    "tiny": SUMS * 1e-300,
    "negative": -SUMS,
}
REAL = {
    "tiny": np.random.default_rng(1).normal(size=40) * 1e-10,
    "tiny about 1": 1 + np.random.default_rng(1).normal(size=40) * 1e-10,
    "seconds since 1970": 1.6e9 + np.linspace(0, 100, 80),
    "milliseconds": 1.6e9 + np.linspace(0, 0.1, 80),
    "neighbours of 10¹⁵": 1e15 + np.arange(40) % 2,
    "single precision": (1 + np.arange(40) * 1e-3).astype(np.float32),
    "rare": np.r_[1.0, np.zeros(39)],
}


@pytest.mark.parametrize("case", CONSTANT)
def test_constant_up_to_rounding(case):
    p = fit(CONSTANT[case])
    assert p.input_names == ("noise",)
    assert "left out, because the training rows hold a single value: 'k'" in p.notes[0]
    n = len(CONSTANT[case])
    assert np.abs(p.inputs({"k": np.full(n, 1e6), "noise": np.zeros(n)})).max() < 10


@pytest.mark.parametrize("case", REAL)
def test_real_columns_stay(case):
    p = fit(REAL[case])
    assert p.input_names == ("k", "noise")
    standardised = p.inputs({"k": REAL[case], "noise": np.zeros(len(REAL[case]))})[:, 0]
    np.testing.assert_allclose(standardised.std(), 1, rtol=1e-2)  # a mean of 10¹⁵ leaves two digits of a spread of 1


@pytest.mark.parametrize("unit", [1e-200, 1e-10, 1.0, 1e10, 1e20])
def test_the_verdict_does_not_depend_on_the_unit(unit):
    assert fit(SUMS * unit).input_names == ("noise",)
    assert fit(REAL["milliseconds"] * unit).input_names == ("k", "noise")


def test_a_constant_with_gaps_is_where_it_is_missing():
    x = np.where(np.arange(40) % 3 == 0, np.nan, 0.3)
    p = fit(x)
    assert p.input_names == ("k is missing", "noise")
    assert preprocessing.from_spec(p.to_spec()) == p
    inputs = p.inputs({"k": [np.nan, 0.3, 1e30], "noise": [0.0, 0.0, 0.0]})
    assert inputs[:, 0].tolist() == [1, 0, 0]


def test_an_array_keeps_its_places():
    x = np.random.default_rng(0).normal(size=(30, 4))
    x[:, 1] = 0.3
    x[::2, 1] = 0.1 + 0.2
    p = preprocessing.fit_arrays(x, x[:, 0])
    assert p.input_names == ("x0", "x2", "x3")
    far = x.copy()
    far[:, 1] = 1e30
    np.testing.assert_array_equal(p.inputs(far), p.inputs(x))
    np.testing.assert_array_equal(p.inputs(x), p.inputs({f"x{j}": x[:, j] for j in range(4)}))


def test_a_target_constant_up_to_rounding_is_refused():
    with pytest.raises(ValueError, match="'y' holds a single value"):
        preprocessing.fit({"x": np.arange(40) * 0.1, "y": SUMS}, "y")
