"""What cannot be meant is refused: what was given, what is accepted, what to do."""

import numpy as np
import pandas as pd
import pytest
from quick import CODES, QUICK, X, Y
from scipy import sparse

import jaxnn
from jaxnn import optimisers
from jaxnn.estimators import MLPClassifier, MLPRegressor

TEXT = X.astype(object)
TEXT[4, 1] = "many"
EMPTY = X.copy()
EMPTY[:, 1] = np.nan


@pytest.mark.parametrize(
    ("x", "y", "error", "told"),
    [
        (TEXT, CODES, ValueError, "X holds the text 'many' where an array may hold numbers alone: give a DataFrame"),
        (sparse.csr_matrix(X), CODES, TypeError, "Sparse data was passed"),
        (X + 1j, CODES, ValueError, "Complex data not supported"),
        (X[:, 0], CODES, ValueError, "Expected 2D array, got 1D array"),
        (X[:0], CODES[:0], ValueError, "0 sample"),
        (pd.DataFrame(X).iloc[:0].rename(columns=str), CODES[:0], ValueError, "X has no rows"),
        (X[:, :0], CODES, ValueError, "0 feature"),
        (X[:59], CODES, ValueError, "inconsistent numbers of samples"),
        (X, np.zeros(60, int), ValueError, "y has only one class, 0, in rows of weight > 0"),
        (X[:1], CODES[:1], ValueError, r"at least 2 rows of weight > 0, got 1 \(n_samples=1\)"),
        (EMPTY, CODES, ValueError, "Column 1 of X has no values in the training rows"),
        (np.ones((60, 2)), CODES, ValueError, "No columns are left to predict from"),
        (X, Y, ValueError, "Unknown label type"),
        (X, np.stack([CODES, 2 * CODES], axis=1), ValueError, "MultiOutputClassifier"),
        (X, None, ValueError, "requires y to be passed, but the target y is None"),
    ],
    ids=[
        "text", "sparse", "complex", "flat", "no rows", "empty table", "no columns", "other length", "one class",
        "one row", "all missing", "constant", "numbers", "several classes", "no targets",
    ],
)  # fmt: skip
def test_a_classifier_refuses(x, y, error, told):
    with pytest.raises(error, match=told):
        MLPClassifier().fit(x, y)


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.where(CODES, "a", "b"), "MLPRegressor predicts numbers, but y holds text"),
        (np.r_[np.nan, Y[1:]], "Input y contains NaN"),
        (np.r_[np.inf, Y[1:]], "Input y contains infinity"),
        (Y + 1j, "Complex data not supported"),
        (Y[:, None, None], "Found array with dim 3"),
    ],
    ids=["text", "missing", "infinite", "complex", "three axes"],
)
def test_a_regressor_refuses_targets(y, told):
    with pytest.raises(ValueError, match=told):
        MLPRegressor().fit(X, y)


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        ({"optimiser": "adamm"}, ValueError, "Unknown optimiser 'adamm'. Did you mean 'adam'?"),
        ({"optimiser": "torch.Adan"}, ValueError, "Did you mean 'torch.Adam'?"),
        ({"optimiser": 3}, TypeError, "optimiser must be a name, such as 'adamw', or an object"),
        ({"activation": "rely"}, ValueError, "Unknown activation 'rely'. Did you mean 'relu'?"),
        ({"activation": ("relu", "tanh"), "hidden_layer_sizes": 3}, ValueError, "2 names for 1 hidden layers"),
        ({"activation": 5}, TypeError, "activation must be a name, such as 'relu', or one for each"),
        ({"early_stopping": "yes"}, TypeError, "early_stopping must be True or False, got 'yes'"),
        ({"scale_inputs": "standard"}, TypeError, "scale_inputs must be True or False, got 'standard'"),
        ({"schedule": "cosin"}, ValueError, "Did you mean 'cosine'?"),
        ({"loss": "squared_eror"}, ValueError, "Did you mean 'squared_error'?"),
        ({"loss": "squared_error"}, ValueError, "is not for classes: use 'softmax_cross_entropy'"),
        ({"loss": 3}, TypeError, "loss must be a name, such as 'softmax_cross_entropy', or a function"),
        ({"hidden_layer_sizes": (4, 0)}, ValueError, "hidden_layer_sizes must be ≥ 1 each"),
        ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes must be whole numbers, such as"),
        ({"max_iter": 0}, ValueError, "max_iter must be a whole number ≥ 1, got 0"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be a whole number, got 1.5"),
        ({"learning_rate_init": -1.0}, ValueError, "learning_rate_init must be > 0 and finite"),
        ({"alpha": -1.0}, ValueError, "alpha must be ≥ 0"),
        ({"alpha": 1.0, "weight_decay": 1.0}, ValueError, "are two penalties on one network: give one of them"),
        ({"dropout": 1.0}, ValueError, "dropout must be in [0, 1)"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction must be in [0, 1)"),
        ({"validation_fraction": 0.01, "early_stopping": True}, ValueError, "choose another fraction"),
        ({"ensemble": 0}, ValueError, "ensemble must be a whole number ≥ 1"),
        ({"ensemble": 3, "warm_start": True}, ValueError, "warm_start goes on with one network, got ensemble=3"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32', 'float64' or None, got 'float16'"),
        ({"random_state": -1}, ValueError, "random_state must be a whole number ≥ 0"),
        ({"random_state": "x"}, ValueError, "cannot be used to seed"),
        ({"optimiser": "newton", "batch_size": 8}, ValueError, "newton uses all rows in every step, got batch_size=8"),
        ({"optimiser": "newton", "learning_rate_init": 0.1}, ValueError, "newton finds its own step length"),
        ({"optimiser": "lbfgs", "dropout": 0.1}, ValueError, "lbfgs needs the same objective in every step"),
        ({"optimiser": optimisers.adam(1e-3), "learning_rate_init": 0.1}, ValueError, "put it into an object"),
        ({"optimiser": "torch.AdamW", "weight_decay": 0.1}, ValueError, "'torch.AdamW' has its own keywords"),
        ({"class_weight": "balancd"}, ValueError, "balanced"),
    ],
)  # fmt: skip
def test_a_parameter_is_refused(words, error, told):
    with pytest.raises(error) as caught:
        MLPClassifier(**words).fit(X, CODES)
    assert told in str(caught.value)


@pytest.mark.parametrize("held", [X, (X,), (X, CODES, None, None)], ids=["array", "one", "four"])
def test_validation_data_of_another_form_are_refused(held):
    with pytest.raises(ValueError, match=r"validation_data must be \(X, y\) or \(X, y, sample_weight\)"):
        MLPClassifier().fit(X, CODES, validation_data=held)


def test_validation_data_of_other_classes_are_refused():
    with pytest.raises(ValueError, match="y has the class 5, which is none of the classes of fit"):
        MLPClassifier().fit(X, CODES, validation_data=(X, CODES + 5))


def test_another_number_of_columns_is_refused():
    mine = MLPRegressor(**QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="X has 2 features, but MLPRegressor is expecting 3 features as input"):
        mine.predict(X[:, :2])


def test_a_fit_that_failed_leaves_nothing_learnt():
    mine = MLPClassifier(max_iter=0)
    with pytest.raises(ValueError, match="max_iter"):
        mine.fit(X, CODES)
    assert not hasattr(mine, "networks_")
    assert not hasattr(mine, "coefs_")
    assert not hasattr(mine, "model_")


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    def absent(name, package=None):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(jaxnn.checks.importlib, "import_module", absent)
    with pytest.raises(ImportError, match=r"sklearn is needed for estimators .* pip install '\.\[sklearn\]'"):
        jaxnn.estimators.MLPClassifier  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'MLP'"):
        jaxnn.estimators.MLP  # noqa: B018
