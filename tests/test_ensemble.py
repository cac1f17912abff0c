"""Means, votes, selection and stacking against closed forms, exhaustive search and laws."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import log_loss

from jaxnn import ensemble, metrics

RANDOM = np.random.default_rng(4)


def probabilities(members=6, rows=40, classes=3):
    raw = RANDOM.exponential(size=(members, rows, classes))
    return raw / raw.sum(axis=2, keepdims=True), RANDOM.integers(0, classes, rows)


def test_the_mean_is_better_than_its_members_by_their_spread():
    p, y, w = RANDOM.normal(size=(5, 30)), RANDOM.normal(size=30), RANDOM.exponential(size=5)
    share = w / w.sum()
    members = share @ (p - y) ** 2
    np.testing.assert_allclose((ensemble.mean(p, w) - y) ** 2, members - ensemble.spread(p, w) ** 2, atol=1e-12)
    np.testing.assert_allclose(ensemble.mean(p), p.mean(axis=0))
    np.testing.assert_allclose(ensemble.spread(p), p.std(axis=0))


def test_a_vote_is_the_commonest_label():
    labels = np.array([["b", "a", "c"], ["b", "b", "a"], ["a", "c", "b"]])
    assert ensemble.vote(labels).tolist() == ["b", "a", "a"]  # of equal ones, the first
    assert ensemble.vote(labels, [1, 1, 3]).tolist() == ["a", "c", "b"]
    for column in range(20):
        codes = RANDOM.integers(0, 4, (7, 1))
        assert ensemble.vote(codes)[0] == np.bincount(codes[:, 0]).argmax(), column


@pytest.mark.parametrize("metric", ["log_loss", "brier"])
def test_greedy_selection_takes_the_best_step_each_time(metric):
    p, y = probabilities()
    function = getattr(metrics, metric)
    counts = ensemble.greedy_selection(p, y, metric, size=4)
    chosen, total, reached = [], 0, []
    for step in range(1, 5):  # by hand
        scores = [function(y, (total + each) / step) for each in p]
        chosen.append(int(np.argmin(scores)))
        total = total + p[chosen[-1]]
        reached.append(min(scores))
    best = int(np.argmin(reached)) + 1
    assert counts.tolist() == np.bincount(chosen[:best], minlength=len(p)).tolist()
    assert function(y, ensemble.mean(p, counts)) <= min(function(y, each) for each in p)


def test_selection_maximises_what_is_to_be_maximised():
    p, y = probabilities(classes=2)
    counts = ensemble.greedy_selection(p, y, "roc_auc", size=20)
    alone = [metrics.roc_auc(y, each) for each in p]
    assert metrics.roc_auc(y, ensemble.mean(p, counts)) > max(alone)
    own = ensemble.greedy_selection(
        p, y, lambda targets, q, weight: metrics.roc_auc(targets, q), size=20, higher_is_better=True
    )
    assert own.tolist() == counts.tolist()


def test_weights_of_rows_count():
    p, y = probabilities()
    weight = np.zeros(len(y))
    weight[:7] = 1
    few = ensemble.greedy_selection(p[:, :7], y[:7], "log_loss", size=9)
    assert ensemble.greedy_selection(p, y, "log_loss", size=9, weight=weight).tolist() == few.tolist()
    np.testing.assert_allclose(
        ensemble.stacking_weights(p, y, weight=weight), ensemble.stacking_weights(p[:, :7], y[:7]), atol=1e-5
    )


def test_stacking_by_cross_entropy_is_optimal():
    """At the minimum on the simplex, no member's gradient is below that of the members with weight."""
    p, y = probabilities(members=8, rows=200)
    w = ensemble.stacking_weights(p, y)
    assert w.min() >= 0
    np.testing.assert_allclose(w.sum(), 1)
    own = p[:, np.arange(len(y)), y]
    gain = (own / (w @ own)).mean(axis=1)  # 1 for members with weight, at most 1 for the others
    np.testing.assert_allclose(gain[w > 1e-4], 1, atol=1e-4)
    assert gain.max() < 1 + 1e-4
    assert log_loss(y, ensemble.mean(p, w)) <= min(log_loss(y, each) for each in p)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(50,), (50, 2)])
def test_stacking_by_squares_is_optimal_in_any_unit(shape, unit):
    p, y = RANDOM.normal(size=(5, *shape)), RANDOM.normal(size=shape)
    y = y + p[1] + 0.5 * p[3]
    w = ensemble.stacking_weights(unit * p, unit * y)
    grid = np.array([g for g in itertools.product(np.linspace(0, 1, 11), repeat=5) if abs(sum(g) - 1) < 1e-9])
    losses = [np.mean((np.tensordot(g, p, axes=1) - y) ** 2) for g in grid]
    assert np.mean((ensemble.mean(p, w) - y) ** 2) <= min(losses) + 1e-9
    gradient = np.tensordot(p, ensemble.mean(p, w) - y, axes=len(shape))
    assert (gradient - gradient.min())[w > 1e-3].max() < 1e-3 * np.ptp(gradient)


def test_the_true_member_of_a_mixture_is_found():
    p, _ = probabilities(members=4, rows=5000)
    y = np.array([RANDOM.choice(3, p=row) for row in p[2]])
    w = ensemble.stacking_weights(p, y)
    assert w[2] > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ensemble.mean([1.0, 2.0]), r"predictions must have shape \(members, rows, …\), got \(2,\)"),
        (lambda: ensemble.mean(np.ones((2, 3)), [1, -1]), "weights must be 2 numbers ≥ 0"),
        (lambda: ensemble.mean(np.ones((2, 3)), [0, 0]), "not all 0"),
        (lambda: ensemble.vote(np.ones(3)), r"labels must have shape \(members, rows\)"),
        (lambda: ensemble.greedy_selection(np.ones((2, 3)), np.ones(3), "rmze"), "rmse"),
        (lambda: ensemble.greedy_selection(np.ones((2, 3)), np.ones(3), np.dot), "pass higher_is_better"),
        (lambda: ensemble.greedy_selection(np.ones((2, 3)), np.ones(3), "rmse", size=0), "size must be a whole number"),
        (
            lambda: ensemble.greedy_selection(
                np.ones((2, 3)), np.ones(3), lambda *a, weight: np.nan, higher_is_better=False
            ),
            "is finite for no member",
        ),
        (lambda: ensemble.stacking_weights(np.ones((2, 3)), np.ones(4)), r"targets must have shape \(3,\)"),
        (lambda: ensemble.stacking_weights(np.ones((2, 3, 2)), np.array([0, 1, 2])), "class codes from 0 to 1"),
        (lambda: ensemble.stacking_weights(np.eye(2)[None, [0, 0]], np.array([0, 1])), "class of row 1 the probab"),
        (
            lambda: ensemble.stacking_weights(np.ones((2, 3)), np.ones(3), weight=[1, 1]),
            r"weight must have shape \(3,\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
