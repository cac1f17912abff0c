"""Laws of successive halving: how many go on, that order alone decides, and what a whole bracket costs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.search import promoted, rungs

finite = st.floats(-1e6, 1e6)
factors = st.integers(2, 5)


def synchronous(scores, factor):
    """Which of the scores go on when all are recorded."""
    return [promoted(score, [*scores[:i], *scores[i + 1 :]], factor) for i, score in enumerate(scores)]


@given(least=st.integers(1, 50), more=st.integers(0, 2000), factor=factors)
def test_rungs_rise_to_the_whole_run_by_the_factor(least, more, factor):
    most = least + more
    found = rungs(least, most, factor)
    assert found[-1] == most
    assert found[0] >= least
    assert most < least * factor ** len(found)  # there was no room for another
    for k, rung in enumerate(reversed(found)):
        assert most <= rung * factor**k < most + factor**k


def test_rungs_of_a_run_are_readable():
    assert rungs(1, 81) == (1, 3, 9, 27, 81)
    assert rungs(5, 100) == (12, 34, 100)
    assert rungs(10, 10) == (10,)
    assert rungs(10, 29) == (29,)


@given(scores=st.lists(finite, min_size=1, max_size=40, unique=True), factor=factors)
def test_of_n_distinct_scores_one_in_factor_goes_on(scores, factor):
    going = synchronous(scores, factor)
    if len(scores) < factor:
        assert all(going)
    else:
        assert sum(going) == len(scores) // factor <= math.ceil(len(scores) / factor)
    assert max(s for s, on in zip(scores, going, strict=True) if on) < min(
        [s for s, on in zip(scores, going, strict=True) if not on], default=np.inf
    )


@given(scores=st.lists(finite, min_size=1, max_size=40), factor=factors)
def test_the_best_always_goes_on(scores, factor):
    assert synchronous(scores, factor)[int(np.argmin(scores))]


@given(scores=st.lists(st.integers(-50, 50), min_size=1, max_size=30), factor=factors)
def test_order_alone_decides(scores, factor):
    plain = synchronous([float(score) for score in scores], factor)
    assert plain == synchronous([math.exp(score) for score in scores], factor)
    assert plain == synchronous([2.0 * score - 7 for score in scores], factor)


@given(scores=st.lists(finite, min_size=2, max_size=20), factor=factors, seed=st.integers(0, 100))
def test_the_order_of_arrival_of_the_others_does_not_matter(scores, factor, seed):
    others = np.random.default_rng(seed).permutation(scores[1:]).tolist()
    assert promoted(scores[0], others, factor) == promoted(scores[0], scores[1:], factor)


@given(scores=st.lists(finite, min_size=1, max_size=20), factor=factors, better=st.floats(0, 1e3))
def test_a_better_score_goes_on_wherever_a_worse_one_does(scores, factor, better):
    assert promoted(scores[0] - better, scores[1:], factor) >= promoted(scores[0], scores[1:], factor)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_trial_never_goes_on_and_counts_as_the_worst(bad):
    assert not promoted(bad, [], 3)
    assert not promoted(bad, [1.0, 2.0], 3)
    assert promoted(2.0, [bad, 1.0, bad, bad, bad], 3)  # second of six
    assert not promoted(2.0, [1.0, bad], 3)  # second of three


def test_equal_scores_go_on_together():
    assert synchronous([1.0, 1.0, 1.0, 2.0, 3.0, 4.0], 3) == [True] * 3 + [False] * 3


def test_each_rung_costs_about_as_much_as_the_one_below():
    ladder, alive = rungs(1, 81), 81
    rng = np.random.default_rng(0)
    costs, done = [], 0
    for rung in ladder:
        costs.append(alive * (rung - done))
        done = rung
        alive = sum(synchronous(rng.normal(size=alive).tolist(), 3)) if alive > 1 else 1
    assert costs == [81, 54, 54, 54, 54]  # of 81 · 81 = 6561 without stopping


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: rungs(0, 5), "least must be a whole number ≥ 1, got 0"),
        (lambda: rungs(6, 5), "got least=6 and most=5"),
        (lambda: rungs(1, 5, 1), "factor must be a whole number ≥ 2, got 1"),
        (lambda: promoted(1.0, [], 1), "factor must be a whole number ≥ 2, got 1"),
    ],
)
def test_a_bad_number_is_named(call, told):
    with pytest.raises(ValueError, match=told):
        call()
