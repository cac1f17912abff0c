"""`warm_start` and `partial_fit`: training that goes on from before."""

import numpy as np
import pytest
from quick import CODES, QUICK, X, Y

from jaxnn.estimators import MLPClassifier, MLPRegressor


def test_a_warm_start_goes_on_from_the_parameters_of_before():
    mine = MLPRegressor(**QUICK, warm_start=True).fit(X, Y)
    before = [w.copy() for w in mine.coefs_]
    mine.set_params(learning_rate_init=1e-30).fit(X, Y)  # which moves nothing
    for old, new in zip(before, mine.coefs_, strict=True):
        np.testing.assert_array_equal(new, old)
    cold = mine.set_params(warm_start=False).fit(X, Y)
    assert (cold.coefs_[0] != before[0]).any()


@pytest.mark.slow
def test_a_warm_start_keeps_scales_and_layers_however_many_rows_come():
    mine = MLPRegressor(max_iter=2, warm_start=True, hidden_layer_sizes=4).fit(X, Y)
    columns = mine.preprocessing_.columns
    mine.set_params(hidden_layer_sizes=None).fit(X[:30] * 100, Y[:30])
    assert mine.preprocessing_.columns == columns
    assert mine.recipe_.hidden == (4,)


def test_a_warm_start_with_other_layers_is_refused():
    mine = MLPRegressor(**QUICK, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="but hidden_layer_sizes now makes shapes"):
        mine.set_params(hidden_layer_sizes=5).fit(X, Y)


@pytest.mark.slow
def test_partial_fits_of_full_batches_are_the_epochs_of_fit():
    """With all rows in every step, neither the order of rows nor what is chosen between epochs matters."""
    words = {"hidden_layer_sizes": 4, "random_state": 0, "dtype": "float64"}
    whole = MLPClassifier(max_iter=5, **words).fit(X[:40], CODES[:40])
    part = MLPClassifier(max_iter=5, **words)
    for _ in range(5):
        part.partial_fit(X[:40], CODES[:40], classes=[0, 1])
    assert part.n_iter_ == 5
    # Sums over rows in another order, in float64.
    np.testing.assert_allclose(part.loss_curve_, whole.loss_curve_, rtol=1e-11)
    np.testing.assert_allclose(part.predict_proba(X), whole.predict_proba(X), rtol=1e-9)


@pytest.mark.slow
def test_partial_fit_goes_on_after_fit_and_knows_its_classes():
    mine = MLPClassifier(**QUICK).fit(X, CODES)
    loss = mine.loss_
    for _ in range(10):
        mine.partial_fit(X[:50], CODES[:50])
    assert mine.loss_ < loss
    assert mine.n_iter_ == 13


@pytest.mark.slow
def test_partial_fit_of_numbers_lowers_the_loss():
    mine = MLPRegressor(hidden_layer_sizes=4, learning_rate_init=0.01, random_state=0)
    for _ in range(20):
        for start in (0, 20, 40):
            mine.partial_fit(X[start : start + 20], Y[start : start + 20])
    assert np.mean(mine.loss_curve_[-3:]) < 0.7 * np.mean(mine.loss_curve_[:3])  # over 20 seeds: 0.03 to 0.5


@pytest.mark.parametrize(
    ("words", "call", "told"),
    [
        ({}, {}, "classes must be passed on the first call to partial_fit"),
        ({"early_stopping": True}, {"classes": [0, 1]}, "partial_fit does not support early_stopping=True"),
        ({"ensemble": 3}, {"classes": [0, 1]}, "partial_fit trains one network, got ensemble=3"),
        ({"optimiser": "newton"}, {"classes": [0, 1]}, "partial_fit needs a first-order rule"),
    ],
)
def test_what_partial_fit_cannot_do_is_refused(words, call, told):
    with pytest.raises(ValueError, match=told):
        MLPClassifier(**words).partial_fit(X, CODES, **call)


def test_other_classes_than_those_of_the_first_call_are_refused():
    mine = MLPClassifier(**QUICK).fit(X, CODES)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        mine.partial_fit(X, CODES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="y has the class 7, which is none of the classes of fit"):
        mine.partial_fit(X, np.full(60, 7))


def test_a_first_batch_may_hold_one_class_but_not_one_row():
    mine = MLPClassifier(**QUICK)
    mine.partial_fit(X[:20], np.zeros(20, int), classes=[0, 1])
    mine.partial_fit(X[20:40], np.ones(20, int))
    assert mine.classes_.tolist() == [0, 1]
    assert mine.predict_proba(X[:1]).shape == (1, 2)
    mine.partial_fit(X[:1], [1])
    with pytest.raises(ValueError, match="first call of partial_fit got 1 row"):
        MLPClassifier(**QUICK).partial_fit(X[:1], [0], classes=[0, 1])


@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1e30])
def test_the_unit_of_weighted_targets_does_not_matter(unit):
    words = QUICK | {"random_state": 0}
    weight = np.arange(len(Y)) % 3 + 1.0
    told = MLPRegressor(**words).fit(X, Y, sample_weight=weight).predict(X)
    in_unit = MLPRegressor(**words).fit(X, Y * unit, sample_weight=weight).predict(X)
    np.testing.assert_allclose(in_unit / unit, told, rtol=1e-4, atol=1e-4 * np.ptp(Y))
