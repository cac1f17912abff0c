"""DataFrames of pandas, polars and Arrow: the same network, whatever holds the columns."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from quick import CODES, QUICK, X, Y
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency

from jaxnn.estimators import MLPClassifier, MLPRegressor

FRAME = pd.DataFrame({"a": X[:, 0], "kind": np.where(X[:, 1] > 0, "x", "y"), "b": X[:, 2]})
FRAME.loc[[3, 50], "b"] = np.nan
MINE = {}


def fitted():
    """One classifier for all tests that only predict."""
    if not MINE:
        MINE["classifier"] = MLPClassifier(**QUICK).fit(FRAME, CODES)
    return MINE["classifier"]


def test_categories_and_missing_values_become_inputs():
    mine = fitted()
    assert mine.preprocessing_.input_names == ("a", "kind=x", "kind=y", "b", "b is missing")
    assert mine.feature_names_in_.tolist() == ["a", "kind", "b"]
    assert mine.n_features_in_ == 3


@pytest.mark.parametrize("kind", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_other_libraries_tables_give_the_same_network(kind):
    table = kind(FRAME)
    mine = MLPClassifier(**QUICK).fit(table, kind(pd.DataFrame({"y": CODES}))["y"])
    # scikit-learn 1.5 asks for names by a protocol that polars has given up.
    assert getattr(mine, "feature_names_in_", fitted().feature_names_in_).tolist() == ["a", "kind", "b"]
    np.testing.assert_array_equal(mine.predict_proba(table), fitted().predict_proba(FRAME))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas], ids=["pandas", "polars", "arrow"]
)
def test_rows_of_weight_zero_of_a_table_are_left_out(kind):
    weight = np.ones(60)
    weight[55:] = 0
    mine = MLPClassifier(**QUICK).fit(kind(FRAME), CODES, sample_weight=weight)
    alone = MLPClassifier(**QUICK).fit(kind(FRAME[:55]), CODES[:55], sample_weight=weight[:55])
    np.testing.assert_array_equal(mine.predict_proba(kind(FRAME)), alone.predict_proba(kind(FRAME)))


@pytest.mark.slow
def test_a_table_whose_names_are_numbers_is_read_by_its_columns():
    """scikit-learn keeps names only if they are texts; columns of categories are columns nevertheless."""
    frame = FRAME.set_axis([0, 1, 2], axis=1)
    mine = MLPClassifier(**QUICK).fit(frame, CODES)
    assert not hasattr(mine, "feature_names_in_")
    np.testing.assert_array_equal(mine.predict_proba(frame), fitted().predict_proba(FRAME))


@pytest.mark.slow
def test_missing_numbers_of_an_array_become_inputs_and_infinite_ones_are_refused():
    x = X.copy()
    x[::7, 1] = np.nan
    mine = MLPRegressor(**QUICK).fit(x, Y)
    assert mine.preprocessing_.input_names == ("x0", "x1", "x1 is missing", "x2")
    assert np.isfinite(mine.predict(x)).all()
    x[4, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        mine.predict(x)


def test_a_value_missing_where_training_had_none_is_filled_in():
    mine = MLPRegressor(**QUICK).fit(X, Y)
    x, mean = X[:2].copy(), X[:2].copy()
    x[0, 1], mean[0, 1] = np.nan, mine.preprocessing_.columns[1].mean
    np.testing.assert_allclose(mine.predict(x), mine.predict(mean), rtol=1e-12)


def test_inputs_may_be_left_as_they_are():
    mine = MLPRegressor(**QUICK, scale_inputs=False).fit(X, Y)
    assert {(column.mean, column.scale) for column in mine.preprocessing_.columns} == {(0.0, 1.0)}
    hidden = np.maximum(X @ mine.coefs_[0] + mine.intercepts_[0], 0)
    target = mine.preprocessing_.target
    by_hand = (hidden @ mine.coefs_[1] + mine.intercepts_[1])[:, 0] * target.scale + target.mean
    np.testing.assert_allclose(mine.predict(X), by_hand, rtol=1e-12)


def test_unknown_categories_are_told():
    other = FRAME.assign(kind="z")
    with pytest.warns(UserWarning, match=r"Column 'kind' has categories that fit did not see, 'z'"):
        fitted().predict(other)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=["classifier", "regressor"])
def test_scikit_learns_check_of_column_names_passes(estimator):
    check_dataframe_column_names_consistency(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop(columns="a"), "Feature names seen at fit time, yet now missing"),
        (lambda frame: frame.assign(c=1), "Feature names unseen at fit time"),
        (lambda frame: frame[["kind", "a", "b"]], "Feature names must be in the same order"),
        (lambda frame: frame.rename(columns={"a": "A"}), "Feature names unseen at fit time"),
    ],
    ids=["missing", "extra", "reordered", "renamed"],
)
def test_other_columns_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        fitted().predict(change(FRAME))


def test_an_array_is_refused_where_there_were_categories():
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match=r"category columns \('kind'\), which an array cannot hold"),
    ):
        fitted().predict(X)


def test_a_constant_column_of_an_array_keeps_its_place_and_counts_for_nothing():
    x = np.insert(X, 1, 5.0, axis=1)
    mine = MLPRegressor(**QUICK).fit(x, Y)
    assert mine.coefs_[0].shape == (4, 4)
    assert mine.preprocessing_.input_names == ("x0", "x2", "x3")
    other = np.insert(X, 1, -7.0, axis=1)
    np.testing.assert_array_equal(mine.predict(other), mine.predict(x))
    np.testing.assert_allclose(mine.model_.predict(x), mine.predict(x), rtol=1e-5)  # float32
    frame = pd.DataFrame(x, columns=list("abcd"))
    by_name = MLPRegressor(**QUICK).fit(frame, Y)
    assert by_name.coefs_[0].shape == (3, 4)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(by_name.predict(x), by_name.predict(frame))


def test_a_number_that_could_number_the_rows_is_an_input():
    rank = np.random.default_rng(0).permutation(60)
    frame = pd.DataFrame({"noise": np.linspace(0, 1, 60), "rank": rank})
    fitted = MLPRegressor(max_iter=1, random_state=0).fit(frame, rank)
    assert [column.kind for column in fitted.preprocessing_.columns] == ["number", "number"]
