"""Shares against closed forms on grids, scipy's analyses of variance, and chance."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from jaxnn import search
from jaxnn.search.importance import BINS, ranks, share_explained

RATES = [0.001, 0.01, 0.1, 1.0]
WIDTHS = [[8], [16], [32]]


def shares(choices, scores, **options):
    return {each.name: each.share for each in search.importance(choices, scores, **options)}


def drawn(seed, n, effect):
    """Random trials of a rate, a width and a batch size, of which only the rate matters, by as much as the noise."""
    rng = np.random.default_rng(seed)
    choices = [
        {"learning_rate": float(rate), "hidden": WIDTHS[width], "batch_size": int(size)}
        for rate, width, size in zip(
            10 ** rng.uniform(-4, 0, n), rng.integers(0, 3, n), rng.choice([16, 32], n), strict=True
        )
    ]
    trend = [abs(math.log10(each["learning_rate"]) + 2) for each in choices]
    return choices, (effect * np.array(trend) + rng.normal(size=n)).tolist()


# Closed forms


def test_an_additive_score_on_a_grid_has_the_shares_of_its_terms():
    # The scores 0 … 11 are their own ranks, less 1: 3a + b, with a uniform on 0 … 3 and b on 0 … 2.
    choices = search.grid(learning_rate=RATES, hidden=WIDTHS)
    total = (12**2 - 1) / 12
    expected = {"learning_rate": 9 * (4**2 - 1) / 12 / total, "hidden": (3**2 - 1) / 12 / total}
    found = shares(choices, list(map(float, range(12))))
    assert found == pytest.approx(expected, rel=1e-12)
    assert sum(found.values()) == pytest.approx(1)
    assert list(found) == ["learning_rate", "hidden"]


def test_an_interaction_belongs_to_no_single_hyperparameter():
    choices = search.grid(batch_size=[8, 16], activation=["relu", "tanh"])
    assert shares(choices, [0.0, 1.0, 1.0, 0.0]) == {"batch_size": 0.0, "activation": 0.0}


def test_repeated_grids_are_exact_too():
    choices = search.grid(learning_rate=[0.1, 0.2], batch_size=[8, 16]) * 3
    assert shares(choices, [0.0, 0.0, 1.0, 1.0] * 3) == {"learning_rate": 1.0, "batch_size": 0.0}


def test_groups_are_described():
    choices = search.grid(learning_rate=[0.1, 0.01], hidden=[[8], [16]])
    rate, hidden = search.importance(choices, [1.0, 2.0, 5.0, math.nan])
    assert (rate.name, rate.values, rate.means, rate.counts) == ("learning_rate", (0.01, 0.1), (5.0, 1.5), (2, 2))
    assert (hidden.name, hidden.values, hidden.means, hidden.counts) == ("hidden", ((8,), (16,)), (3.0, 2.0), (2, 2))


# Twins


@given(seed=st.integers(0, 10**6), n=st.integers(8, 60), k=st.integers(2, 5))
def test_the_share_is_that_of_scipys_f_and_h(seed, n, k):
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    values = rng.normal(size=n) + groups * rng.uniform(0, 1)
    eta = share_explained(groups, values, exact=True)
    f = scipy.stats.f_oneway(*(values[groups == g] for g in range(k))).statistic
    assert eta == pytest.approx((k - 1) * f / ((k - 1) * f + n - k), rel=1e-9)
    assert share_explained(groups, values) == pytest.approx(max((k - 1) * (f - 1) / ((k - 1) * f + n - k), 0), abs=1e-9)
    h = scipy.stats.kruskal(*(values[groups == g] for g in range(k))).statistic
    assert share_explained(groups, ranks(values), exact=True) == pytest.approx(h / (n - 1), rel=1e-9)


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_ranks_are_scipys(values):
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))


# Chance


def test_what_does_nothing_has_no_share_on_average():
    found = [share_explained(np.repeat(np.arange(4), 6), np.random.default_rng(s).normal(size=24)) for s in range(300)]
    # ε² is 0 on average before it is clipped, and its standard deviation is about √(2(k - 1))/n = 0.1.
    assert np.mean(found) < 0.07
    assert np.median(found) < 0.03


def test_pure_noise_explains_little_and_what_matters_is_found():
    noise, effect = [], []
    for seed in range(40):
        noise.append(max(shares(*drawn(seed, 64, 0.0)).values()))
        found = shares(*drawn(seed, 64, 2.0))
        assert next(iter(found)) == "learning_rate"
        effect.append(found["learning_rate"])
    assert np.mean(noise) < 0.1
    assert np.mean(effect) > 0.3


def test_a_single_number_of_many_values_is_told_from_noise():
    choices = [{"learning_rate": rate} for rate in np.geomspace(1e-4, 1, 32).tolist()]
    assert shares(choices, list(map(float, range(32))))["learning_rate"] > 0.9
    noise = [shares(choices, np.random.default_rng(s).normal(size=32).tolist())["learning_rate"] for s in range(100)]
    assert np.mean(noise) < 0.07


# Laws


def test_only_the_order_of_the_scores_counts():
    choices, scores = drawn(0, 50, 1.0)
    assert shares(choices, scores) == shares(choices, np.exp(scores).tolist())
    assert shares(choices, scores) == shares(choices, (-np.array(scores)).tolist(), higher_is_better=True)


def test_the_order_of_the_trials_does_not_count():
    choices, scores = drawn(1, 50, 1.0)
    order = np.random.default_rng(0).permutation(50)
    assert shares([choices[i] for i in order], [scores[i] for i in order]) == pytest.approx(shares(choices, scores))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_trial_that_diverged_is_the_worst_and_no_more(bad, sign):
    choices, scores = drawn(2, 50, 1.0)
    worst = int(np.argmax(scores))
    diverged = [sign * (bad if i == worst else score) for i, score in enumerate(scores)]
    assert shares(choices, diverged, higher_is_better=sign < 0) == shares(choices, scores)


def test_divergence_is_a_cause_that_is_found():
    found = []
    for seed in range(20):
        choices, scores = drawn(seed, 60, 0.0)
        diverged = [math.nan if c["learning_rate"] > 0.1 else s for c, s in zip(choices, scores, strict=True)]
        first, second, *_ = shares(choices, diverged).items()
        assert first[0] == "learning_rate"
        found.append((first[1], second[1]))
    assert np.mean(found, axis=0)[0] > 0.25 > 0.1 > np.mean(found, axis=0)[1]


def test_bins_hold_equally_many_trials_in_order():
    choices, scores = drawn(4, 50, 1.0)
    (found,) = [each for each in search.importance(choices, scores) if each.name == "learning_rate"]
    assert sorted(found.counts) == [12, 12, 13, 13]
    assert len(found.values) == BINS
    edges = [edge for ends in found.values for edge in ends]
    assert edges == sorted(edges)
    rate = np.array([each["learning_rate"] for each in choices])
    for (low, high), mean in zip(found.values, found.means, strict=True):
        assert mean == pytest.approx(np.mean(np.array(scores)[(rate >= low) & (rate <= high)]))


def test_equal_values_share_a_bin():
    choices = [{"dropout": value} for value in [0.0] * 20 + [0.1, 0.2, 0.3, 0.4, 0.5]]
    (found,) = search.importance(choices, list(map(float, range(25))))
    assert found.values[0] == (0.0, 0.0)
    assert found.counts[0] == 20


def test_what_did_not_vary_or_cannot_be_told_has_no_share():
    assert search.importance([], []) == ()
    assert search.importance([{"epochs": 3}] * 4, [1.0, 2.0, 3.0, 4.0]) == ()
    assert shares(search.grid(epochs=[1, 2]), [3.0, 3.0]) == {"epochs": 0.0}
    assert shares(search.grid(epochs=[1, 2]), [math.nan, math.inf]) == {"epochs": 0.0}
    choices = [{"activation": name, "epochs": epochs} for name, epochs in zip("abc", [1, 2, 2], strict=True)]
    assert shares(choices, [1.0, 2.0, 3.0])["activation"] == 0.0  # each value once, beside others: no witness


def test_trials_that_lack_a_hyperparameter_are_left_out():
    choices = [{"batch_size": 8, "epochs": 1}, {"batch_size": 8}, {"batch_size": 16, "epochs": 2}, {"epochs": 2}]
    found = {each.name: each.counts for each in search.importance(choices, [1.0, 2.0, 3.0, 4.0])}
    assert found == {"batch_size": (2, 1), "epochs": (1, 2)}


def test_each_trial_has_a_score():
    with pytest.raises(ValueError, match="2 trials and 1 scores"):
        search.importance([{}, {}], [1.0])
