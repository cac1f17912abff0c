"""Splits: a partition, the same for the same seed, fair to the classes."""

import numpy as np
import pytest

from jaxnn import data


@pytest.mark.parametrize("n", [3, 10, 101, 1000])
@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.0), (0.25, 0.15), (0.0, 0.3), (0.4, 0.4), (0.01, 0.01)])
@pytest.mark.parametrize("classes", [None, 2, 7])
def test_a_partition_of_the_right_sizes(n, validation, test, classes):
    labels = None if classes is None else np.random.default_rng(n).integers(0, classes, n)
    parts = data.split(n, validation=validation, test=test, seed=1, stratify=labels)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part, fraction in zip(parts, (1 - validation - test, validation, test), strict=True):
        assert (len(part) > 0) == (fraction > 0)
        if classes is None and n >= 101:
            assert abs(len(part) - n * fraction) <= 1


def test_the_seed_decides():
    first, again, other = (data.split(100, test=0.2, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.train, other.train)


def test_rows_are_not_left_in_order():
    part = data.split(1000, seed=0, stratify=np.repeat([0, 1], 500)).train
    assert abs(np.corrcoef(np.arange(len(part)), part)[0, 1]) < 0.1  # three standard errors of 800 rows


@pytest.mark.parametrize("seed", range(10))
def test_every_class_is_in_every_part_when_it_can_be(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, 20)
    labels = rng.permutation(np.repeat([f"class {j}" for j in range(20)], sizes))
    parts = data.split(len(labels), validation=0.15, test=0.15, seed=seed, stratify=labels)
    for name, size in zip([f"class {j}" for j in range(20)], sizes, strict=True):
        train, validation, test = (int((labels[part] == name).sum()) for part in parts)
        assert train + validation + test == size
        assert train >= 1
        assert test >= (size >= 2)
        assert validation >= (size >= 3)


def test_classes_keep_their_proportions_and_the_parts_their_sizes():
    labels = np.random.default_rng(0).choice(5, 2000, p=[0.5, 0.3, 0.1, 0.07, 0.03])
    parts = data.split(2000, validation=0.2, test=0.1, seed=0, stratify=labels)
    for part, fraction in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert abs(len(part) - 2000 * fraction) <= 3
        assert (abs(np.bincount(labels[part]) - np.bincount(labels) * fraction) <= 2).all()


def test_many_small_classes_do_not_distort_the_parts():
    labels = np.repeat(np.arange(500), 5)
    parts = data.split(2500, validation=0.3, test=0.3, seed=0, stratify=labels)
    assert all(abs(len(part) - size) <= 5 for part, size in zip(parts, (1000, 750, 750), strict=True))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"n": 0}, "n must be"),
        ({"n": 10, "validation": 0.6, "test": 0.4}, "below 1"),
        ({"n": 10, "validation": -0.1}, "validation must be"),
        ({"n": 2, "test": 0.2}, "3 parts"),
        ({"n": 10, "seed": -1}, "seed must be"),
        ({"n": 10, "stratify": np.zeros(9)}, "each of the 10 rows"),
    ],
)
def test_refuses(words, told):
    with pytest.raises(ValueError, match=told):
        data.split(**({"seed": 0} | words))
