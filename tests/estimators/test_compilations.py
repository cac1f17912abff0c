"""A search over numbers compiles one program; only shapes and functions make another."""

import numpy as np
import pytest
from quick import CODES, X
from sklearn.model_selection import GridSearchCV

from jaxnn.estimators import MLPClassifier, partial
from jaxnn.training import epochs, evaluation

# Everything that is a number changes from one setting to the next.
SETTINGS = {
    "learning_rate_init": (1e-3, 1e-2, 0.1),
    "alpha": (0.1, 1.0, 10.0),
    "max_iter": (2, 3, 4),
    "random_state": (0, 1, 2),
    "dropout": (0.1, 0.2, 0.3),
    "n_iter_no_change": (1, 2, 3),
    "tol": (0.0, 1e-3, 1e-2),
}
GRID = [{name: [values[i]] for name, values in SETTINGS.items()} for i in range(3)]


@pytest.fixture
def compiled():
    """How many training programs were compiled since the test began."""
    before = epochs.advance._cache_size()
    return lambda: epochs.advance._cache_size() - before


def test_a_search_over_numbers_compiles_one_program(compiled):
    # Two halves of 60 rows are alike; the refit is left out, since more rows are another program.
    mine = MLPClassifier(hidden_layer_sizes=3, activation="tanh", early_stopping=True)
    outputs = evaluation._evaluate._cache_size()
    search = GridSearchCV(mine, GRID, cv=2, refit=False).fit(X, CODES)
    assert len(search.cv_results_["params"]) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert compiled() == 1
    assert evaluation._evaluate._cache_size() - outputs <= 1


@pytest.mark.slow
def test_weight_decay_is_a_number_too(compiled):
    for decay in (0.1, 0.3):
        MLPClassifier(hidden_layer_sizes=3, weight_decay=decay, max_iter=2, tol=decay).fit(X, CODES)
    assert compiled() <= 1  # none where another test has compiled it


@pytest.mark.slow
def test_another_width_is_another_program(compiled):
    for units in (6, 7):
        MLPClassifier(hidden_layer_sizes=units, max_iter=2).fit(X, CODES)
    assert compiled() == 2


def test_partial_fits_of_as_many_rows_are_one_program():
    before = partial._steps._cache_size()
    mine = MLPClassifier(hidden_layer_sizes=3, batch_size=10)
    for start in (0, 20, 40):
        mine.partial_fit(X[start : start + 20], CODES[start : start + 20], classes=[0, 1])
    assert partial._steps._cache_size() - before == 1
