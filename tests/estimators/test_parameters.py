"""Each parameter does what it says."""

import numpy as np
import pytest
from quick import CODES, QUICK, X, Y
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from jaxnn import optimisers, schedules
from jaxnn.estimators import MLPClassifier, MLPRegressor

STEPS = 3 * 6  # epochs of QUICK, batches of 8 of its 48 training rows


def assert_same_network(mine, other):
    for a, b in zip(mine.coefs_ + mine.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_stops_when_nothing_improves_by_tol():
    mine = MLPRegressor(**QUICK).set_params(max_iter=10, n_iter_no_change=2, tol=1e3).fit(X, Y)
    assert mine.n_iter_ == 3  # the first epoch is the best, for want of another
    assert "no improvement for 2 epochs" in mine.stop_


@pytest.mark.slow
def test_without_rows_held_out_the_training_loss_decides():
    mine = MLPRegressor(**QUICK).set_params(early_stopping=False, max_iter=10, n_iter_no_change=2, tol=1e3).fit(X, Y)
    assert mine.n_iter_ == 3
    assert mine.validation_loss_curve_ is None


@pytest.mark.slow
def test_auto_and_none_are_the_defaults():
    auto = {"hidden_layer_sizes": "auto", "activation": "auto", "batch_size": "auto", "loss": "auto", "dtype": "auto"}
    assert_same_network(
        MLPRegressor(max_iter=2, random_state=0, **auto).fit(X, Y), MLPRegressor(max_iter=2, random_state=0).fit(X, Y)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic", "identity", "tanh"])
def test_activations_have_scikit_learns_names(name):
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=4, activation=name, max_iter=1)
    with pytest.warns(ConvergenceWarning):  # of one epoch
        theirs.fit(X, Y)
    mine = MLPRegressor(**QUICK, activation=name, scale_inputs=False, scale_targets=False).fit(X, Y)
    theirs.coefs_, theirs.intercepts_ = mine.coefs_, mine.intercepts_
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6)  # theirs computes in float32 here


@pytest.mark.slow
def test_an_optimiser_is_a_name_a_preset_or_an_object():
    named = MLPRegressor(**QUICK, optimiser="adam", learning_rate_init=0.02, schedule="cosine").fit(X, Y)
    rate = schedules.cosine(0.02, steps=STEPS)
    assert_same_network(named, MLPRegressor(**QUICK, optimiser=optimisers.adam(rate)).fit(X, Y))
    preset = MLPRegressor(**QUICK, optimiser="torch.Adam", learning_rate_init=0.02, schedule="cosine").fit(X, Y)
    assert_same_network(preset, MLPRegressor(**QUICK, optimiser=optimisers.preset("torch.Adam", rate)).fit(X, Y))
    assert preset.model_.config["optimiser"] == optimisers.spec(optimisers.preset("torch.Adam", rate))


@pytest.mark.slow
def test_a_preset_has_its_own_rate_by_default():
    mine = MLPRegressor(**QUICK, optimiser="torch.Adam").fit(X, Y)
    assert_same_network(mine, MLPRegressor(**QUICK, optimiser="torch.Adam", learning_rate_init=1e-3).fit(X, Y))


@pytest.mark.slow
def test_optaxs_optimisers_train_too():
    optax = pytest.importorskip("optax")
    mine = MLPRegressor(**QUICK, optimiser=optax.sgd(0.05)).fit(X, Y)
    ours = MLPRegressor(**QUICK, optimiser="sgd", learning_rate_init=0.05).fit(X, Y)
    np.testing.assert_allclose(mine.predict(X), ours.predict(X), rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.slow
def test_dropout_and_dtype_change_the_network():
    plain = MLPRegressor(**QUICK).fit(X, Y)
    dropped = MLPRegressor(**QUICK, dropout=0.5).fit(X, Y)
    assert (dropped.predict(X) != plain.predict(X)).any()
    assert MLPRegressor(**QUICK, dtype="float64").fit(X, Y).coefs_[0].dtype == np.float64


def test_progress_is_shown_if_asked_for(capsys):
    MLPClassifier(**QUICK).fit(X, CODES)
    assert capsys.readouterr().err == ""
    MLPClassifier(**QUICK, verbose=True).fit(X, CODES)
    assert "epoch" in capsys.readouterr().err
