"""Splits rows into those that train, those that choose between models, and those that test the chosen one."""

from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks


class Split(NamedTuple):
    """Row indices (int64) of three parts that do not overlap and together hold all rows; a part may be empty."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(n: int, *, validation: float = 0.2, test: float = 0.0, seed: int, stratify: Any = None) -> Split:
    """Splits n rows at random, the same way for the same seed.

    Every part that is wanted gets at least one row. With `stratify` each class is split in the same proportions.
    It is present in every part if it has enough rows and the parts are large enough for all classes; a rarer class
    goes to training and test before validation.

    Args:
        n: the number of rows.
        validation: its fraction of the rows, in [0, 1).
        test: its fraction of the rows, in [0, 1); together below 1.
        seed: ≥ 0.
        stratify: class labels (n,) of any kind, or None.

    Raises:
        ValueError: a fraction is out of range, there are fewer rows than parts, or the labels are not n.
    """
    checks.whole(1, n=n)
    checks.whole(0, seed=seed)
    checks.fraction(validation=validation, test=test)
    if validation + test >= 1:
        raise ValueError(f"validation + test must be below 1, got {validation} + {test}.")
    wanted = 1 + (validation > 0) + (test > 0)
    if n < wanted:
        raise ValueError(f"{n} rows cannot be split into {wanted} parts.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    fractions = np.array([1 - validation - test, test, validation])
    label = np.zeros(n, np.int64) if stratify is None else _codes(stratify, n)
    counts = _share_out(np.bincount(label), fractions)
    parts: list[list[np.ndarray]] = [[], [], []]
    for code, count in enumerate(counts):
        members = order[label[order] == code]
        for part, rows in zip(parts, np.split(members, np.cumsum(count)[:-1]), strict=True):
            part.append(rows)
    # Shuffled again, so a part is not sorted by class.
    train, test_rows, validation_rows = (rng.permutation(np.concatenate(part)) for part in parts)
    return Split(train, validation_rows, test_rows)


def _codes(labels: Any, n: int) -> np.ndarray:
    """Labels of any kind as codes 0, 1, 2, …, in order of appearance."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"stratify must hold one label for each of the {n} rows, got shape {labels.shape}.")
    codes: dict[Any, int] = {}
    return np.array([codes.setdefault(label, len(codes)) for label in labels.tolist()], np.int64)


def _share_out(sizes: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """How many rows of each class go to each part, (classes, parts): whole numbers that add up to `sizes`.

    What rounding took from a part in one class is owed to it in the next, so the parts' totals stay right however
    many classes are small.
    """
    counts = np.zeros((len(sizes), len(fractions)), np.int64)
    owed = np.zeros(len(fractions))
    wanted = np.flatnonzero(fractions > 0)
    for count, size in zip(counts, sizes, strict=True):
        due = size * fractions + owed
        count += np.maximum(np.floor(due - 1), 0).astype(np.int64)
        while count.sum() < size:
            count[np.argmax(due - count)] += 1
        least = np.isin(np.arange(len(fractions)), wanted[:size])
        while (count < least).any():
            count[np.argmax(count - least)] -= 1
            count[np.argmax(count < least)] += 1
        owed = np.clip(due - count, -1, 1)  # a class is not distorted by more than a row for the others' sake
    for part in wanted:
        if not counts[:, part].any():
            donor = np.argmax(counts.sum(axis=0))
            row = np.argmax(counts[:, donor])
            counts[row, donor] -= 1
            counts[row, part] += 1
    return counts
