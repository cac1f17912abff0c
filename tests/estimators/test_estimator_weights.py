"""Weights of rows and of classes."""

import numpy as np
import pytest
from quick import CODES, QUICK, X

from jaxnn.estimators import MLPClassifier, MLPRegressor, tables

RNG = np.random.default_rng(2)


def test_weighted_means_and_scales_are_those_of_repeated_rows():
    count = RNG.integers(1, 5, size=60)
    x = X.copy()
    x[5, 1] = np.nan
    weighted = tables.learnt(x, CODES, np.arange(60), count.astype(float), scale=True)
    repeated = tables.learnt(x.repeat(count, 0), CODES.repeat(count), np.arange(count.sum()), None, scale=True)
    for a, b in zip(weighted.columns, repeated.columns, strict=True):
        np.testing.assert_allclose((a.mean, a.scale), (b.mean, b.scale), rtol=1e-13)
        assert a.missing == b.missing


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_below_fifty_rows_a_weight_is_a_number_of_repeats(kind):
    """scikit-learn's own check of this, for fewer epochs; errors of 1e-16 have grown a thousandfold at most."""
    x, y, count = X[:15], np.arange(15) % 3, RNG.integers(0, 4, size=15)
    order = RNG.permutation(15)
    weighted = kind(max_iter=20, random_state=0).fit(x[order], y[order], sample_weight=count[order])
    repeated = kind(max_iter=20, random_state=0).fit(x.repeat(count, 0), y.repeat(count))
    answers = [getattr(each, "predict_proba", each.predict)(X) for each in (weighted, repeated)]
    np.testing.assert_allclose(*answers, rtol=1e-11, atol=1e-13)


@pytest.mark.slow
def test_rows_of_weight_zero_are_left_out():
    weight = np.ones(60)
    weight[40:] = 0
    mine = MLPClassifier(**QUICK).fit(X, CODES, sample_weight=weight)
    alone = MLPClassifier(**QUICK).fit(X[:40], CODES[:40], sample_weight=weight[:40])
    np.testing.assert_array_equal(mine.predict_proba(X), alone.predict_proba(X))


def test_class_weights_multiply_the_weights_of_rows():
    factor = {0: 1.0, 1: 3.0}
    by_class = MLPClassifier(**QUICK, class_weight=factor).fit(X, CODES)
    by_row = MLPClassifier(**QUICK).fit(X, CODES, sample_weight=np.where(CODES == 1, 3.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))


@pytest.mark.slow
def test_balanced_weights_make_a_rare_class_more_probable():
    """A linear model with intercept, at its optimum, predicts each class as often as its weight says."""
    words = {"hidden_layer_sizes": (), "optimiser": "newton", "max_iter": 20, "early_stopping": False}
    mine = MLPClassifier(**words, class_weight="balanced").fit(X, CODES)
    weight = 60 / (2 * np.bincount(CODES))[CODES]
    mean = np.average(mine.predict_proba(X), axis=0, weights=weight)
    np.testing.assert_allclose(mean, 0.5, rtol=1e-3)  # to float32's optimum


@pytest.mark.slow
def test_validation_rows_have_weights_of_their_own():
    held = (X[:20], CODES[:20], np.r_[np.ones(10), np.zeros(10)])
    mine = MLPClassifier(**QUICK).fit(X[20:], CODES[20:], validation_data=held)
    fewer = MLPClassifier(**QUICK).fit(X[20:], CODES[20:], validation_data=(X[:10], CODES[:10]))
    np.testing.assert_allclose(mine.validation_loss_curve_, fewer.validation_loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=["classifier", "regressor"])
@pytest.mark.parametrize(
    ("weight", "told"),
    [
        (np.ones(59), r"sample_weight must have shape \(60,\), one for each row of X, got \(59,\)"),
        (np.ones((60, 2)), r"got \(60, 2\)"),
        (-np.ones(60), "must be finite and ≥ 0, got -1.0 in row 0"),
        (np.r_[np.ones(59), np.nan], "got nan in row 59"),
        (np.zeros(60), "is zero in every row"),
    ],
)
def test_wrong_weights_are_refused(estimator, weight, told):
    with pytest.raises(ValueError, match=told):
        estimator.fit(X, CODES, sample_weight=weight)


def test_words_are_no_weights():
    with pytest.raises(TypeError, match="sample_weight must be numbers"):
        MLPRegressor().fit(X, CODES, sample_weight=["heavy"] * 60)


@pytest.mark.parametrize("class_weight", [{0: -1.0, 1: 1.0}, {0: 0.0, 1: 0.0}, {0: np.inf, 1: 1.0}], ids=str)
def test_wrong_class_weights_are_refused(class_weight):
    with pytest.raises(ValueError, match="class_weight must be ≥ 0 and finite, and not zero for all classes"):
        MLPClassifier(class_weight=class_weight).fit(X, CODES)
