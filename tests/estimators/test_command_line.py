"""The estimators train the networks that `jaxnn train` trains."""

import numpy as np
import pandas as pd
import pytest
from quick import CODES, QUICK, WORDS, X, Y

from jaxnn import experiments, training
from jaxnn.estimators import MLPClassifier, MLPRegressor

FRAME = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0, "x", "y"), "y": Y})
FRAME.loc[3, "b"] = np.nan


def run(rows, **words):
    recipe = {"hidden": (4,), "epochs": 3}
    return experiments.run(rows, recipe, test=0.0, seed=7, compare=False, progress=False, **words)


def assert_same_parameters(params, others):
    for a, b in zip(params, others, strict=True):
        np.testing.assert_array_equal(a.w, b.w)
        np.testing.assert_array_equal(a.b, b.b)


def test_arrays_give_the_network_of_the_command_line():
    outcome = run((X, WORDS))
    mine = MLPClassifier(**QUICK).fit(X, WORDS)
    assert mine.recipe_ == outcome.recipe
    assert_same_parameters(mine.model_.params, outcome.model.params)
    assert mine.preprocessing_.columns == outcome.model.preprocessing.columns
    assert mine.preprocessing_.target.classes == outcome.model.preprocessing.target.classes
    assert mine.predict(X).tolist() == outcome.model.predict(X).tolist()


@pytest.mark.slow
def test_a_table_gives_the_network_of_the_command_line():
    outcome = run(experiments.source(FRAME, target="y"))
    features = FRAME.drop(columns="y")
    mine = MLPRegressor(**QUICK).fit(features, FRAME["y"])
    assert_same_parameters(mine.model_.params, outcome.model.params)
    # The command line computes outputs in float32, the estimator in float64: a few roundings of 6e-8 apart.
    np.testing.assert_allclose(mine.predict(features), outcome.model.predict(FRAME), rtol=1e-5)


@pytest.mark.slow
def test_an_ensemble_is_a_pack():
    outcome = run((X, Y), ensemble=5)
    mine = MLPRegressor(**QUICK, ensemble=5).fit(X, Y)
    assert len(mine.networks_) == len(outcome.model.models)
    np.testing.assert_allclose(mine.predict(X), outcome.model.predict(X), rtol=1e-4, atol=1e-5)  # float32, averaged
    assert isinstance(mine.model_, training.Ensemble)
    with pytest.raises(AttributeError, match="networks_"):
        _ = mine.coefs_


def test_the_model_is_saved_and_predicts_the_same_words(tmp_path):
    mine = MLPClassifier(**QUICK).fit(X, WORDS)
    training.save(tmp_path / "m.safetensors", mine.model_)
    loaded = training.load(tmp_path / "m.safetensors")
    assert loaded.predict(X).tolist() == mine.predict(X).tolist()
    np.testing.assert_allclose(loaded.predict_probabilities(X), mine.predict_proba(X), rtol=1e-5)  # float32


@pytest.mark.slow
def test_a_small_table_is_trained_whole_in_float64_and_saved_in_float32(tmp_path):
    mine = MLPRegressor(**QUICK).fit(X[:20], Y[:20])
    assert mine.coefs_[0].dtype == np.float64
    assert mine.recipe_.batch_size == 20
    assert mine.validation_loss_curve_ is None
    training.save(tmp_path / "m.safetensors", mine.model_)
    np.testing.assert_allclose(training.load(tmp_path / "m.safetensors").predict(X), mine.predict(X), rtol=1e-5)


@pytest.mark.slow
def test_the_defaults_are_those_of_as_many_training_rows():
    mine = MLPClassifier(hidden_layer_sizes=4, max_iter=3).fit(X, CODES)
    defaults = experiments.recipe.defaults(48, experiments.PROBLEMS["classes"])  # of 60, a fifth is held out
    assert mine.recipe_ == defaults._replace(hidden=(4,), epochs=3)


def test_a_run_tells_what_happened():
    mine = MLPClassifier(**QUICK).fit(X, CODES)
    assert mine.n_iter_ == len(mine.loss_curve_) == len(mine.validation_loss_curve_) == 3
    assert mine.loss_ == mine.loss_curve_[-1]
    assert mine.best_loss_ == min(mine.loss_curve_)
    assert mine.best_validation_loss_ == pytest.approx(min(mine.validation_loss_curve_))
    assert mine.stop_ == "all 3 epochs done"
    assert (mine.n_layers_, mine.n_outputs_, mine.out_activation_) == (3, 2, "softmax")
    assert [w.shape for w in mine.coefs_] == [(3, 4), (4, 2)]
    assert [b.shape for b in mine.intercepts_] == [(4,), (2,)]
