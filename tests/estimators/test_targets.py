"""Several numbers, several labels, and classes of other kinds than numbers."""

import numpy as np
import pandas as pd
import pytest
from quick import CODES, QUICK, X, Y

from jaxnn.estimators import MLPClassifier, MLPRegressor

LINEAR = {"hidden_layer_sizes": (), "optimiser": "levenberg_marquardt", "max_iter": 20, "dtype": "float64"}


@pytest.mark.slow
def test_several_numbers_of_different_sizes_are_fitted_alike():
    """A linear network on its own training rows is least squares, column by column."""
    y = np.stack([Y, 1e4 * X[:, 1] - 5, np.full(len(X), 3.0)], axis=1)
    mine = MLPRegressor(**LINEAR, early_stopping=False).fit(X, y)
    design = np.c_[X, np.ones(len(X))]
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert mine.n_outputs_ == 3
    np.testing.assert_allclose(mine.predict(X), expected, rtol=1e-9, atol=1e-9)  # float64, of a quadratic
    with pytest.raises(AttributeError, match="one class or one number for each row"):
        _ = mine.model_


def test_several_labels_are_predicted_each_by_itself():
    labels = (X[:, :2] > 0).astype(int)
    mine = MLPClassifier(**QUICK).set_params(max_iter=100, learning_rate_init=0.03).fit(X, labels)
    probabilities = mine.predict_proba(X)
    assert probabilities.shape == mine.predict(X).shape == (60, 2)
    assert mine.out_activation_ == "logistic"
    np.testing.assert_array_equal(mine.predict(X), probabilities > 0.5)
    assert mine.score(X, labels) > 0.5  # both labels right; a coin has 0.25, this run 0.9 to 1 over 20 seeds
    assert (probabilities.sum(axis=1) > 1.2).any()  # labels do not exclude each other


@pytest.mark.parametrize(
    "values",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], object),
        np.array([False, True]),
        np.array([-1.0, 7.0]),
        pd.array(["no", "yes"], dtype="string"),
        pd.Categorical(["no", "yes"]),
    ],
    ids=["text", "objects", "booleans", "floats", "pandas", "categories"],
)
def test_classes_are_whatever_tells_rows_apart(values):
    codes = MLPClassifier(**QUICK).fit(X, CODES)
    y = pd.Series(values).iloc[CODES].reset_index(drop=True)
    mine = MLPClassifier(**QUICK).fit(X, y)
    assert mine.classes_.tolist() == list(values)
    np.testing.assert_array_equal(mine.predict_proba(X), codes.predict_proba(X))
    assert set(mine.predict(X)) <= set(values)


def test_probabilities_agree_with_their_logarithms_and_with_predictions():
    mine = MLPClassifier(**QUICK).fit(X, CODES)
    probabilities = mine.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.exp(mine.predict_log_proba(X)), probabilities, rtol=1e-14)
    np.testing.assert_array_equal(mine.predict(X), probabilities.argmax(axis=1))


def test_predictions_have_the_precision_of_the_inputs():
    mine = MLPRegressor(**QUICK).fit(X, Y)
    assert mine.predict(X).dtype == np.float64
    assert mine.predict(X.astype(np.float32)).dtype == np.float32
