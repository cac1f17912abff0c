"""What scikit-learn does with estimators works with these."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from quick import CODES, QUICK, X, Y
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.compose import ColumnTransformer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from jaxnn import optimisers, schedules
from jaxnn.estimators import MLPClassifier, MLPRegressor

RATES = {"learning_rate_init": [1e-3, 3e-2]}


def searched(**words):
    return GridSearchCV(MLPClassifier(**QUICK), RATES, cv=2, **words).fit(X, CODES)


@pytest.mark.slow
def test_a_search_by_threads_finds_what_one_thread_finds():
    alone, threads = searched(), None
    with joblib.parallel_backend("threading", n_jobs=2):
        threads = searched()
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(alone.cv_results_[name], threads.cv_results_[name])
    np.testing.assert_array_equal(alone.predict_proba(X), threads.predict_proba(X))


@pytest.mark.slow  # two processes import jax and compile
@pytest.mark.timeout(300)  # on a busy machine
def test_a_search_by_processes_finds_what_one_process_finds():
    np.testing.assert_array_equal(
        searched().cv_results_["mean_test_score"], searched(n_jobs=2).cv_results_["mean_test_score"]
    )


def test_a_copy_by_pickle_or_joblib_predicts_the_same():
    mine = MLPClassifier(**QUICK, optimiser=optimisers.adam(schedules.cosine(1e-2, steps=30))).fit(X, CODES)
    file = io.BytesIO()
    joblib.dump(mine, file)
    file.seek(0)
    for other in (pickle.loads(pickle.dumps(mine)), joblib.load(file), copy.deepcopy(mine)):
        np.testing.assert_array_equal(other.predict_proba(X), mine.predict_proba(X))
        assert other.get_params()["optimiser"] == mine.optimiser


def test_a_pickle_holds_arrays_and_names_but_no_program():
    mine = MLPClassifier(**QUICK).fit(X, CODES)
    held = pickle.dumps(mine)
    assert len(held) < 20_000  # bytes; 26 parameters in float32 and what was learnt about four columns
    assert b"jaxlib" not in held
    assert b"jax._src" not in held


def test_a_clone_has_the_parameters_and_nothing_learnt():
    mine = MLPRegressor(**QUICK, optimiser=optimisers.adam(1e-2)).fit(X, Y)
    other = clone(mine)
    assert other.get_params() == mine.get_params()
    assert not hasattr(other, "networks_")
    with pytest.raises(sklearn.exceptions.NotFittedError):
        other.predict(X)


@pytest.mark.slow
def test_a_pipeline_hands_it_the_columns_of_its_transformers():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0, "x", "y")})
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b"]), ("kinds", OneHotEncoder(sparse_output=False), ["kind"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, MLPClassifier(**QUICK)).fit(frame, CODES)
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "kind_x", "kind_y"]
    assert pipeline.predict_proba(frame).shape == (60, 2)
    assert pipeline.score(frame, CODES) == np.mean(pipeline.predict(frame) == CODES)


def test_weights_are_routed_to_fit():
    weight = np.linspace(0.1, 2, 60)
    direct = MLPClassifier(**QUICK).fit(X, CODES, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = MLPClassifier(**QUICK).set_fit_request(sample_weight=True)
        routed = make_pipeline("passthrough", asking).fit(X, CODES, sample_weight=weight)
        np.testing.assert_array_equal(routed.predict_proba(X), direct.predict_proba(X))


STATES = {"int": 3, "int64": np.int64(3), "state": np.random.RandomState(3), "none": None}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_the_random_state_is_scikit_learns(state):
    def answers(state):
        return MLPRegressor(**(QUICK | {"random_state": state})).fit(X, Y).predict(X)

    if state is None:  # NumPy's own generator decides
        np.random.seed(5)  # noqa: NPY002 - it is this one that scikit-learn's None means
        first, second = answers(None), answers(None)
        np.random.seed(5)  # noqa: NPY002 - it is this one that scikit-learn's None means
        np.testing.assert_array_equal(answers(None), first)
        assert (first != second).any()
    else:
        np.testing.assert_array_equal(answers(copy.deepcopy(state)), answers(copy.deepcopy(state)))
        assert (answers(state) != answers(4)).any()


def test_inspection_finds_the_column_that_decides():
    mine = MLPRegressor(**QUICK).set_params(max_iter=100, learning_rate_init=0.03).fit(X, Y)
    importance = permutation_importance(mine, X, Y, n_repeats=3, random_state=0).importances_mean
    assert importance.argmax() == 0  # Y rises with column 0, to which it owes most
    effect = partial_dependence(mine, X, [0], grid_resolution=5)
    average = effect["average"][0]
    assert average.shape == (5,)
    assert average[-1] > average[0]


@pytest.mark.slow
def test_calibration_works():
    mine = CalibratedClassifierCV(MLPClassifier(**QUICK), cv=2).fit(X, CODES)
    assert mine.predict_proba(X).shape == (60, 2)
    pytest.importorskip("matplotlib").use("Agg")
    from sklearn.calibration import CalibrationDisplay

    fitted = MLPClassifier(**QUICK).fit(X, CODES)
    shown = CalibrationDisplay.from_estimator(fitted, X, CODES, n_bins=3)
    expected = calibration_curve(CODES, fitted.predict_proba(X)[:, 1], n_bins=3)
    np.testing.assert_array_equal(shown.prob_true, expected[0])
