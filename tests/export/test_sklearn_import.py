"""Fitted networks of scikit-learn predict the same as models."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from jaxnn import estimators, export, training
from tests.export.tables import AGREE

X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.array(["a", "b", "c"])


def fit(estimator, y, x=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.set_params(max_iter=5, hidden_layer_sizes=(6, 4), random_state=0).fit(x, y)


@pytest.mark.parametrize("activation", export.sklearn_networks.ACTIVATIONS)
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(activation, classes):
    y = LABELS[np.arange(60) % classes]
    theirs = fit(MLPClassifier(activation=activation), y)
    ours = export.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict_probabilities(X), theirs.predict_proba(X), rtol=AGREE)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("labels", [[1, 5], [True, False], [1.0, 2.0]])
def test_labels_are_theirs(labels):
    theirs = fit(MLPClassifier(), np.array(labels)[np.arange(60) % 2])
    found = export.from_sklearn(theirs).predict(X)
    np.testing.assert_array_equal(found, theirs.predict(X))
    assert found.dtype.kind == theirs.predict(X).dtype.kind


@pytest.mark.parametrize("y", [X[:, 0] * 40, X[:, :2]], ids=["one number", "two numbers"])
def test_regressors(y):
    theirs = fit(MLPRegressor(), y)
    found = export.from_sklearn(theirs).predict(X)
    np.testing.assert_allclose(found, theirs.predict(X), rtol=AGREE, atol=AGREE * np.abs(found).max())


def test_counts():
    if "loss" not in MLPRegressor().get_params():  # before scikit-learn 1.7
        pytest.skip("this scikit-learn has no Poisson loss")
    theirs = fit(MLPRegressor(loss="poisson"), np.floor(np.abs(X[:, 0]) * 5))
    made = export.from_sklearn(theirs)
    assert made.config["problem"] == "counts"
    np.testing.assert_allclose(made.predict(X), theirs.predict(X), rtol=AGREE)


def test_the_model_can_be_saved(tmp_path):
    made = export.from_sklearn(fit(MLPClassifier(), LABELS[np.arange(60) % 3]))
    training.save(tmp_path / "model.safetensors", made)
    np.testing.assert_array_equal(training.load(tmp_path / "model.safetensors").predict(X), made.predict(X))


def test_columns_have_their_names():
    table = pd.DataFrame(X, columns=["age", "size", "mass"])
    theirs = fit(MLPRegressor(), X[:, 0], table)
    made = export.from_sklearn(theirs)
    assert made.preprocessing.input_names == ("age", "size", "mass")
    shuffled = table[["mass", "age", "size"]]
    np.testing.assert_allclose(made.predict(shuffled), theirs.predict(table), rtol=1e-5, atol=AGREE)


@pytest.mark.parametrize(
    ("estimator", "match"),
    [
        (MLPClassifier(), "This MLPClassifier is not fitted: call fit first"),
        (LinearRegression(), "is needed, got LinearRegression"),
        (estimators.MLPRegressor(), "MLPRegressor is jaxnn's own: its model is `estimator.model_`"),
        (None, "is needed, got NoneType"),
    ],
)
def test_others_are_refused(estimator, match):
    with pytest.raises(ValueError, match=match):
        export.from_sklearn(estimator)


def test_several_labels_for_a_row_are_refused():
    theirs = fit(MLPClassifier(), (X > 0).astype(int))
    with pytest.raises(ValueError, match="predicts 3 labels for a row"):
        export.from_sklearn(theirs)
