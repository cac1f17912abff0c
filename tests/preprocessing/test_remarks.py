"""What makes predictions doubtful is told: numbers far outside, fractions for per cent, missing values; and clipped."""

import jax
import numpy as np
import pytest

from jaxnn import mlp, preprocessing, training

RNG = np.random.default_rng(0)
N = 60
TABLE = {
    "age": np.linspace(20, 80, N),
    "share": [f"{value}%" for value in RNG.integers(2, 90, N)],
    "town": np.array(["Bonn", "Ulm"], object)[RNG.integers(0, 2, N)],
    "y": RNG.normal(size=N),
}
FITTED = preprocessing.fit(TABLE, "y")
NEW = {"age": [50.0, 1e6, 30.0, -500.0], "share": ["5%"] * 4, "town": ["Bonn"] * 4}


def test_far_rows_and_columns_are_told():
    (told,) = preprocessing.remarks(FITTED, NEW)
    assert told.startswith(
        "Numbers are far outside the training range in 2 of 4 rows: 'age' in 2, such as 1e+06 (20 to 80 in training)"
    )
    assert "--clip" in told


@pytest.mark.parametrize(("age", "far"), [(20.0, False), (140.0, False), (141.0, True), (-40.0, False), (-41.0, True)])
def test_far_is_further_from_the_interval_than_it_is_wide(age, far):
    assert bool(preprocessing.remarks(FITTED, NEW | {"age": [age] * 4})) == far


def test_the_training_rows_and_missing_values_are_not_far():
    assert preprocessing.remarks(FITTED, TABLE) == ()
    gaps = TABLE | {"age": np.where(np.arange(N) % 5 == 0, np.nan, TABLE["age"])}
    assert preprocessing.remarks(preprocessing.fit(gaps, "y"), gaps) == ()


def test_numbers_that_stand_for_a_missing_value_are_not_far():
    codes = TABLE | {"age": np.where(np.arange(N) % 5 == 0, -999.0, TABLE["age"])}
    assert preprocessing.remarks(preprocessing.fit(codes, "y", missing=[-999]), codes) == ()


def test_clipping_holds_numbers_at_what_training_saw():
    clipped = FITTED.inputs(NEW, clip=True)
    np.testing.assert_array_equal(clipped, FITTED.inputs(NEW | {"age": [50.0, 80.0, 30.0, 20.0]}))
    assert FITTED.inputs(NEW | {"age": [1e300] * 4}, clip=True)[0, 0] == clipped[1, 0]
    assert "they are limited" in preprocessing.remarks(FITTED, NEW, clip=True)[0]
    with pytest.raises(ValueError, match="infinite"):
        FITTED.inputs(NEW | {"age": [np.inf] * 4}, clip=True)


def test_arrays_are_told_and_clipped_too():
    x = RNG.normal(size=(40, 3))
    p = preprocessing.fit_arrays(x, x[:, 0])
    x_new = x[:5].copy()
    x_new[1, 2] = 1e4
    assert "Numbers are far outside the training range in 1 of 5 rows: 'x2' in 1" in preprocessing.remarks(p, x_new)[0]
    held = x_new.copy()
    held[1, 2] = x[:, 2].max()
    np.testing.assert_array_equal(p.inputs(x_new, clip=True), p.inputs(held))


@pytest.mark.parametrize(
    ("share", "told"),
    [
        ([0.45, 0.2], True),
        ([45.0, 20.0], False),
        (["0.45", "0.2"], True),
        (["0.5%", "0.2%"], False),
        ([0.0, 0.0], False),
    ],
)
def test_fractions_where_training_had_per_cent(share, told):
    remarks = preprocessing.remarks(FITTED, {"age": [50.0] * 2, "share": share, "town": ["Ulm"] * 2})
    assert any("no percent sign" in remark and "'share'" in remark for remark in remarks) == told


def test_missing_values_are_filled_if_asked_for():
    gaps = {"age": [np.nan, 50.0], "share": ["5%", None], "town": [None, "Ulm"]}
    with pytest.raises(ValueError, match=r"'age' has a missing value in row 1 of 2.*fill_missing=True; --fill-missing"):
        FITTED.inputs(gaps)
    inputs = FITTED.inputs(gaps, fill_missing=True)
    np.testing.assert_allclose(inputs[0, [0, 2, 3]], 0, atol=1e-15)
    np.testing.assert_allclose(inputs[1, 1], 0, atol=1e-15)
    (told,) = preprocessing.remarks(FITTED, gaps, fill_missing=True)
    assert "'age' in 1 row, 'share' in 1 row, 'town' in 1 row" in told


def test_a_model_warns():
    sizes = (len(FITTED.input_names), 3, 1)
    params = mlp.init(jax.random.key(0), sizes)
    model = training.Model(params, {"sizes": list(sizes), "problem": "numbers"}, FITTED)
    with pytest.warns(UserWarning, match="far outside the training range in 2 of 4 rows"):
        far = model.predict(NEW)
    with pytest.warns(UserWarning, match="they are limited"):
        held = model.predict(NEW, clip=True)
    np.testing.assert_array_equal(far[[0, 2]], held[[0, 2]])
    np.testing.assert_array_equal(held, model.predict(NEW | {"age": [50.0, 80.0, 30.0, 20.0]}))
    with pytest.warns(UserWarning, match="'age' in 4 rows"):
        model.predict(NEW | {"age": [None] * 4}, fill_missing=True)
    bare = training.Model(params, {"sizes": list(sizes)})
    with pytest.raises(ValueError, match="need the model's preprocessing"):
        bare.predict(np.zeros((2, sizes[0])), clip=True)
