"""Folds: which rows train and which validate, what each fold's preprocessing may see, and what is refused."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from sklearn import model_selection

from jaxnn import experiments
from jaxnn.experiments import Folds, folded

N = 43  # shared out evenly by no number of folds used here
X = np.random.default_rng(0).normal(size=(N, 2))
NUMBERS = experiments.source((X, X[:, 0] + 0.1 * X[:, 1]))
LABELS = np.where(np.arange(N) % 4 == 0, "rare", "common")
CLASSES = experiments.source((X, LABELS))
GROUPS = np.arange(N) // 4


def splits(source, folds, **words):
    return [rows.split for rows in folded(source, folds, **words)]


def times_validated(found):
    return np.bincount(np.concatenate([split.validation for split in found]), minlength=N)


@pytest.mark.parametrize("source", [NUMBERS, CLASSES], ids=["numbers", "classes"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_every_row_is_validated_once_in_each_repeat(source, repeats):
    found = splits(source, Folds(5, repeats), seed=1)
    assert len(found) == 5 * repeats
    for repeat in range(repeats):
        assert (times_validated(found[5 * repeat : 5 * repeat + 5]) == 1).all()
    for split in found:
        assert not np.intersect1d(split.train, split.validation).size
        assert len(np.unique(split.train)) == len(split.train)
        assert len(split.test) == 0
    if repeats > 1:
        assert not np.array_equal(found[0].validation, found[5].validation)


@pytest.mark.parametrize("source", [NUMBERS, CLASSES], ids=["numbers", "classes"])
def test_folds_train_on_equally_many_rows(source):
    found = splits(source, Folds(5, repeats=2), seed=2)
    assert {len(split.train) for split in found} == {N - 9}  # the largest fold validates 9 of the 43
    assert max(N - len(split.train) - len(split.validation) for split in found) == 1


def test_no_fold_loses_a_class_for_the_sake_of_length():
    """Of the rare class each of these two folds trains on one row, and one fold leaves out a row."""
    labels = np.array(["a"] * 19 + ["b"] * 2)
    source = experiments.source((np.arange(21.0)[:, None], labels))
    for seed in range(30):
        for split in splits(source, 2, seed=seed):
            assert set(labels[split.train]) == {"a", "b"}


def test_classes_have_equal_shares_of_every_fold():
    share = (LABELS == "rare").sum() / 5
    for split in splits(CLASSES, 5, test=0.0):
        assert abs((LABELS[split.validation] == "rare").sum() - share) < 1


@pytest.mark.parametrize("source", [NUMBERS, CLASSES], ids=["numbers", "classes"])
def test_the_seed_decides_the_folds(source):
    first, again, other = (splits(source, 4, test=0.2, seed=seed) for seed in (5, 5, 6))
    assert all(
        np.array_equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True)
    )
    assert not np.array_equal(first[0].validation, other[0].validation)


@pytest.mark.parametrize("folds", [4, Folds(4, groups=GROUPS), Folds(4, ordered=True), model_selection.KFold(4)])
def test_test_rows_are_in_no_fold(folds):
    found = splits(NUMBERS, folds, test=0.2, seed=3)
    tested = found[0].test
    assert 5 <= len(tested) <= 9
    for split in found:
        np.testing.assert_array_equal(split.test, tested)
        assert not np.intersect1d(tested, np.concatenate([split.train, split.validation])).size


@pytest.mark.parametrize("source", [NUMBERS, CLASSES], ids=["numbers", "classes"])
@pytest.mark.parametrize("seed", range(3))
def test_groups_are_never_split(source, seed):
    found = splits(source, Folds(3, groups=GROUPS), test=0.2, seed=seed)
    for split in found:
        parts = [set(GROUPS[part]) for part in split]
        assert all(parts)
        assert sum(map(len, parts)) == len(set().union(*parts))
    assert (times_validated(found)[np.setdiff1d(np.arange(N), found[0].test)] == 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_large_group_does_not_become_the_test_rows(seed):
    groups = np.where(np.arange(N) < 25, "hospital", np.arange(N).astype(str))
    tested = splits(NUMBERS, Folds(3, groups=groups), test=0.2, seed=seed)[0].test
    assert len(tested) == 9
    assert "hospital" not in groups[tested]


def test_ordered_rows_are_validated_on_later_ones():
    found = splits(NUMBERS, Folds(4, ordered=True), test=0.1)
    for split in found:
        assert split.train.max() < split.validation.min()
        assert split.validation.max() < split.test.min()
    assert found[0].test.tolist() == [39, 40, 41, 42]
    assert all(a.validation.max() < b.validation.min() for a, b in pairwise(found))


@pytest.mark.parametrize(
    "splitter",
    [
        model_selection.KFold(4),
        model_selection.StratifiedKFold(3, shuffle=True, random_state=0),
        model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        model_selection.TimeSeriesSplit(3),
    ],
    ids=lambda each: type(each).__name__,
)
def test_splitters_of_scikit_learn_are_taken_at_their_word(splitter):
    found = splits(CLASSES, splitter)
    wanted = list(splitter.split(X, LABELS))
    assert len(found) == len(wanted)
    for split, (train, held) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.validation, held)


def test_pairs_of_row_numbers_are_taken_at_their_word():
    first, second = splits(
        NUMBERS, ((list(train), held) for train, held in [(range(20), [30, 31]), (range(9), [9, 10])])
    )
    assert (first.train.tolist(), first.validation.tolist()) == (list(range(20)), [30, 31])
    assert (second.train.tolist(), second.validation.tolist()) == (list(range(9)), [9, 10])


def test_a_whole_number_of_any_kind_will_do():
    assert len(folded(NUMBERS, np.int64(3))) == 3


def test_the_preprocessing_of_a_fold_sees_its_training_rows_only():
    """An outlier in a row moves the mean and the scale of every fold but the one that it validates."""
    x = X.copy()
    x[17, 0] = 1e6
    clean, planted = folded(NUMBERS, 5), folded(experiments.source((x, NUMBERS.target)), 5)
    unmoved = []
    for before, after in zip(clean, planted, strict=True):
        np.testing.assert_array_equal(before.split.train, after.split.train)
        same = before.preprocessing.columns == after.preprocessing.columns
        assert same == (17 not in after.split.train)
        own = after.x[after.split.train]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(own.std(axis=0), 1, rtol=1e-4)
        unmoved.append(same)
    assert sum(unmoved) >= 1


FEW = np.where(np.arange(N) < 3, "few", "many")
ONE = np.where(np.arange(N) < 1, "one", "many")


@pytest.mark.parametrize(
    ("source", "folds", "words", "told"),
    [
        ((X, FEW), 5, {}, "Class 'few' has 3 rows, fewer than the 5 folds, .* use at most 3 folds"),
        ((X, ONE), 2, {}, "Class 'one' has 1 row, fewer than the 2 folds, so .*: leave it out"),
        ((X, X[:, 0]), 1, {}, "folds must be a whole number ≥ 2, got 1"),
        ((X, X[:, 0]), Folds(2, repeats=0), {}, "repeats must be a whole number ≥ 1, got 0"),
        ((X, X[:, 0]), 50, {}, "43 rows cannot be split into 50 folds: use fewer folds"),
        ((X, X[:, 0]), Folds(43, ordered=True), {}, "43 rows cannot be split into 43 folds: use fewer folds"),
        ((X, FEW), 3, {"test": 0.5}, "Class 'few' has [12] rows? besides the test rows, fewer than the 3 folds"),
        ((X, X[:, 0]), Folds(3, groups=np.arange(N) % 3), {"test": 0.4}, "2 groups besides the test rows cannot be"),
        ((X, X[:, 0]), 30, {}, r"Fold \d+ has 41 training rows and 1 row to validate on: use fewer folds"),
        ((X[:9], X[:9, 0]), 3, {}, "has 9 rows: at least 10 are needed"),
        ((X, X[:, 0]), 3, {"test": 1.0}, r"test must be in \[0, 1\), got 1.0"),
        ((X, X[:, 0]), Folds(5, groups=np.arange(N) % 3), {}, "3 groups cannot be shared out among 5 folds: use fewer"),
        ((X, X[:, 0]), Folds(2, groups=np.zeros(N)), {"test": 0.2}, "All rows are of one group, so no test rows"),
        ((X, X[:, 0]), Folds(2, groups=[1, 2]), {}, r"one value for each of the 43 rows, got shape \(2,\)"),
        ((X, X[:, 0]), Folds(2, groups=GROUPS, ordered=True), {}, "neither groups nor repeats"),
        ((X, X[:, 0]), Folds(2, repeats=2, ordered=True), {}, "neither groups nor repeats"),
        ((X, LABELS), Folds(2, groups=LABELS), {}, "Fold 0 has no training row of class '(rare|common)'"),
        ((X, FEW[::-1]), Folds(3, ordered=True), {}, "Fold 0 has no training row of class 'few'"),
        ((X, X[:, 0]), model_selection.GroupKFold(3), {}, r"GroupKFold cannot split 43 .*experiments\.Folds\(groups="),
        ((X, X[:, 0]), model_selection.StratifiedKFold(3), {}, "StratifiedKFold cannot .* targets are numbers"),
        ((X, X[:, 0]), [([0, 1, 2], [2, 3])], {}, "Fold 0 is validated on row 2, which also trains it"),
        ((X, X[:, 0]), [([0, 1], [2, 3]), ([0, 1], [2, 43])], {}, "Fold 1 has row numbers beyond 0 to 42"),
        ((X, X[:, 0]), [([0, 1], [-1, 3])], {}, "Fold 0 has row numbers beyond 0 to 42"),
        ((X, X[:, 0]), [([0, 1], [])], {}, "Fold 0 has 2 training rows and 0 rows to validate on"),
        ((X, X[:, 0]), [([0.5, 1], [2, 3])], {}, "Fold 0 must be a pair"),
        ((X, X[:, 0]), [1, 2], {}, "Fold 0 must be a pair"),
        ((X, X[:, 0]), [], {}, "There are no folds: give at least one pair"),
        ((X, X[:, 0]), [([0, 1], [2, 3])], {"test": 0.2}, "test=0.2 cannot be held out of folds given as row numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(source, folds, words, told):
    with pytest.raises(ValueError, match=told):
        folded(experiments.source(source), folds, **words)


@pytest.mark.parametrize("folds", ["5", 5.0, True, None])
def test_what_says_nothing_of_folds_is_refused(folds):
    with pytest.raises(TypeError, match=r"folds must be a whole number, a Folds, a splitter .*, got "):
        folded(NUMBERS, folds)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"sklearn is needed for folds .*\[sklearn\]"):
        folded(NUMBERS, 3)
    assert len(folded(NUMBERS, [([0, 1], [2, 3])])) == 1
