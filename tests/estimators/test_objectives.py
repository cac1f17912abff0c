"""`alpha` and the losses mean what scikit-learn means by them."""

import warnings

import numpy as np
import pytest
from quick import CODES, QUICK, X, Y
from sklearn import neural_network

from jaxnn import training
from jaxnn.estimators import MLPClassifier, MLPRegressor

FEW = X[:30]
NUMBERS = np.stack([FEW[:, 0] * FEW[:, 1], FEW[:, 2]], axis=1)
THREE = np.argmax(FEW, axis=1)
LABELS = (FEW[:, :2] > 0).astype(int)
CASES = {"numbers": NUMBERS, "number": NUMBERS[:, 0], "classes": THREE, "labels": LABELS}


def plain(name, **words):
    """An estimator without what scikit-learn's has not: scales of inputs and of targets."""
    common = {"scale_inputs": False, "activation": "tanh", "hidden_layer_sizes": 4, "random_state": 0}
    if name in ("classes", "labels"):
        return MLPClassifier(**common, **words)
    return MLPRegressor(scale_targets=False, **common, **words)


def scikit_learns_loss(name, coefs, intercepts, alpha):
    """scikit-learn's `loss_` of these parameters: its loss of an epoch is measured before its only step."""
    kind = neural_network.MLPClassifier if name in ("classes", "labels") else neural_network.MLPRegressor
    theirs = kind(hidden_layer_sizes=4, activation="tanh", alpha=alpha, batch_size=30, max_iter=1, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch is not enough, it says
        theirs.fit(FEW, CASES[name])
        theirs.coefs_, theirs.intercepts_ = [c.copy() for c in coefs], [b.copy() for b in intercepts]
        return theirs.fit(FEW, CASES[name]).loss_


@pytest.mark.by_default("numbers")
@pytest.mark.parametrize("name", CASES)
def test_the_objective_is_scikit_learns(name):
    mine = plain(name, alpha=0.7, max_iter=2, warm_start=True).fit(FEW, CASES[name])
    for alpha in (0.7, 5.0):
        coefs, intercepts = mine.coefs_, mine.intercepts_
        mine.set_params(alpha=alpha).fit(FEW, CASES[name])
        # In float64; the first of two epochs starts from the parameters of before.
        assert mine.loss_curve_[0] == pytest.approx(scikit_learns_loss(name, coefs, intercepts, alpha), rel=1e-12)


@pytest.mark.slow
def test_alpha_counts_rows_by_their_weights():
    count = np.random.default_rng(1).integers(1, 3, size=30)
    assert count.sum() < 50
    weighted = plain("numbers", alpha=3.0, max_iter=5).fit(FEW, NUMBERS, sample_weight=count)
    repeated = plain("numbers", alpha=3.0, max_iter=5).fit(FEW.repeat(count, 0), NUMBERS.repeat(count, 0))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-10)  # float64


@pytest.mark.slow
def test_alpha_turns_the_default_weight_decay_off():
    assert MLPClassifier(**QUICK, alpha=0.1).fit(X, CODES).recipe_.weight_decay == 0
    assert MLPClassifier(**QUICK).fit(X, CODES).recipe_.weight_decay > 0


@pytest.mark.slow
def test_counts_are_predicted_as_rates():
    counts = np.random.default_rng(2).poisson(np.exp(0.5 + X[:40, 0]))
    mine = MLPRegressor((), loss="poisson", optimiser="newton", max_iter=30).fit(X[:40], counts)
    assert mine.out_activation_ == "exp"
    # The gradient of the Poisson likelihood for the intercept is 0 where predictions and counts have one mean.
    assert mine.predict(X[:40]).mean() == pytest.approx(counts.mean(), rel=1e-6)
    with pytest.raises(ValueError, match="'poisson' needs counts ≥ 0"):
        mine.fit(X[:40], -1.0 - counts)


@pytest.mark.slow
def test_negative_counts_of_a_later_batch_are_refused():
    counts = np.arange(40) % 5
    mine = MLPRegressor((), loss="poisson").partial_fit(X[:40], counts)
    with pytest.raises(ValueError, match="'poisson' needs counts ≥ 0 in y, got -1"):
        mine.partial_fit(X[:40], counts - 1)


@pytest.mark.slow
def test_counts_of_several_outputs_are_predicted_in_their_own_units():
    """Newton's method finds the maximum of the likelihood, whatever the unit of the counts."""
    counts = np.random.default_rng(2).poisson(np.exp(0.5 + X[:40, :1] * [1.0, -1.0]))
    settings = {"loss": "poisson", "optimiser": "newton", "max_iter": 30}
    both = MLPRegressor((), **settings).fit(X[:40], counts * [1.0, 1e4])
    alone = MLPRegressor((), **settings).fit(X[:40], counts[:, 1])
    np.testing.assert_allclose(both.predict(X)[:, 1] / 1e4, alone.predict(X), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [None, 3])
def test_a_model_of_counts_is_saved_and_predicts_the_same(ensemble, tmp_path):
    counts = np.random.default_rng(2).poisson(1000 * np.exp(X[:, 0]))
    mine = MLPRegressor(loss="poisson", ensemble=ensemble, **QUICK).fit(X, counts)
    training.save(tmp_path / "m.safetensors", mine.model_)
    np.testing.assert_allclose(training.load(tmp_path / "m.safetensors").predict(X), mine.predict(X), rtol=1e-6)


def absolute(outputs, targets):
    return abs(outputs - targets).sum(axis=1)


@pytest.mark.slow
def test_a_function_is_a_loss():
    named = MLPRegressor(loss="absolute_error", **QUICK).fit(X, Y)
    own = MLPRegressor(loss=absolute, **QUICK).fit(X, Y)
    np.testing.assert_array_equal(own.predict(X), named.predict(X))
