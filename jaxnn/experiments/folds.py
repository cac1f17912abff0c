"""Folds: the same rows split several times, so that each is validated on by networks that were not trained on it.

scikit-learn's splitters say which rows; here they are chosen, checked, and read for networks. Every fold has its own
preprocessing, fitted to its own training rows, so that nothing of a validation row reaches the network before.

Networks that are trained on as many rows are one program. A number of folds therefore means folds with equally many
training rows: where the rows cannot be shared out evenly, some folds leave out a row or two of their training rows.

Reference: Stone, Cross-validatory choice and assessment of statistical predictions (1974).
"""

import operator
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, data
from jaxnn.experiments.rows import Rows, check_count, preprocess
from jaxnn.experiments.sources import Source
from jaxnn.problems import PROBLEMS
from jaxnn.wording import counted


class Folds(NamedTuple):
    """How rows are split into folds; `folded` carries it out.

    Attributes:
        number: how many folds, ≥ 2.
        repeats: how often, each time in another order, ≥ 1.
        groups: (n,), rows with equal values stay together, on one side of every split; None if rows stand alone. One
            value for each row given, also for those without a target, which are left out.
        ordered: whether rows are in the order of time: each fold is validated on rows after those that train it.
    """

    number: int = 5
    repeats: int = 1
    groups: Any = None
    ordered: bool = False


def folded(source: Source, folds: Any, *, test: float = 0.0, seed: int = 0) -> tuple[Rows, ...]:
    """The rows of each fold, ready for a network: its training and validation rows, and test rows common to all.

    Args:
        source: the rows, and how to read their columns.
        folds: a number of folds or a `Folds`, for which scikit-learn is needed; or one of its splitters, or anything
            with `split(x, y, groups)`, or pairs (training rows, validation rows) of row numbers, which count the rows
            as they were given; those without a target are left out.
        test: fraction of the rows held out of all folds for the test, in [0, 1): whole groups where there are groups,
            the last rows where they are ordered. For pairs of row numbers it must be 0.
        seed: decides the folds and the test rows.

    Raises:
        ValueError: there are too few rows, a fold lacks a class, a column cannot be used, or an argument is invalid.
        TypeError: `folds` is none of these.
        ImportError: scikit-learn is not installed.
    """
    how = _kind(folds)
    checks.decay(test=test)  # in [0, 1)
    checks.whole(0, seed=seed)
    check_count(source)
    problem = PROBLEMS[source.problem]
    target = np.array([str(label) for label in np.asarray(source.target).tolist()]) if problem.stratified else None
    if isinstance(how, Folds):
        checks.whole(2, folds=how.number)
        checks.whole(1, repeats=how.repeats)
        groups = None if how.groups is None else _codes(how.groups, source)
        kept, tested = _held_out(source.n_rows, test, seed, target, groups, how.ordered)
        pairs = _pairs(how, kept, target, groups, seed)
        if groups is None and not how.ordered:
            pairs = _of_equal_length(pairs, target, seed)
    elif hasattr(how, "split"):
        kept, tested = _held_out(source.n_rows, test, seed, target, None, False)
        pairs = _split_by(how, kept, target)
    else:
        if test:
            raise ValueError(f"test={test:g} cannot be held out of folds given as row numbers: leave it at 0.")
        tested = np.arange(0)
        pairs = _given(how, source)
    splits = [data.Split(np.asarray(train), np.asarray(held), tested) for train, held in pairs]
    for i, split in enumerate(splits):
        _check_fold(i, split, target, problem.least_rows)
    return tuple(preprocess(source, split) for split in splits)


def _kind(folds: Any) -> Any:
    """How to make folds: a `Folds`, a splitter, or pairs; TypeError for anything else."""
    if isinstance(folds, int | np.integer) and not isinstance(folds, bool):
        return Folds(operator.index(folds))
    splitter = callable(getattr(folds, "split", None))
    if isinstance(folds, str | bool) or not (splitter or isinstance(folds, Iterable)):
        raise TypeError(
            "folds must be a whole number, a Folds, a splitter of scikit-learn, or pairs (training rows, validation"
            f" rows), got {folds!r}."
        )
    return folds


def _held_out(n: int, test: float, seed: int, target: Any, groups: Any, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers that the folds share out, in order, and those of the test."""
    if not test:
        return np.arange(n), np.arange(0)
    count = max(1, round(test * n))
    if ordered:
        return np.arange(n - count), np.arange(n - count, n)
    if groups is None:
        split = data.split(n, validation=0.0, test=test, seed=seed, stratify=target)
        return np.sort(split.train), split.test
    sizes = np.bincount(groups)
    chosen: list[int] = []
    for group in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        if sizes[chosen].sum() + sizes[group] <= count:
            chosen.append(group)
    tested = np.isin(groups, chosen or [sizes.argmin()])
    if tested.all():
        raise ValueError("All rows are of one group, so no test rows can be held out: leave out --test or --group.")
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def _pairs(how: Folds, kept: np.ndarray, target: Any, groups: Any, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of each fold, by scikit-learn's splitters."""
    checks.require("sklearn", extra="sklearn", purpose="for folds")
    from sklearn import model_selection

    if how.ordered and (groups is not None or how.repeats > 1):
        raise ValueError("Rows in the order of time have neither groups nor repeats: leave out --ordered, or these.")
    labels = None if target is None else target[kept]
    if len(kept) < how.number + how.ordered:  # in the order of time, the first part is only trained on
        raise ValueError(f"{counted(len(kept), 'row')} cannot be split into {how.number} folds: use fewer folds.")
    if target is not None and not how.ordered:
        _check_classes(target, kept, how.number)
    if groups is not None and (n_groups := len(np.unique(groups[kept]))) < how.number:
        raise ValueError(
            f"{counted(n_groups, 'group')}{_besides_test(kept, groups)} cannot be shared out among {how.number} folds:"
            " use fewer folds."
        )
    found = []
    for repeat in range(how.repeats):
        shuffled = {"n_splits": how.number, "shuffle": True, "random_state": (seed + repeat) % 2**32}
        own = None if groups is None else groups[kept]
        if how.ordered:
            splitter: Any = model_selection.TimeSeriesSplit(how.number)
        elif groups is not None:
            splitter = model_selection.StratifiedGroupKFold(**shuffled)
            labels = np.zeros(len(kept), int) if labels is None else labels  # one class: folds of nearly equal sizes
        else:
            kind = model_selection.KFold if labels is None else model_selection.StratifiedKFold
            splitter = kind(**shuffled)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                parts = list(splitter.split(np.zeros((len(kept), 1)), labels, own))
        except (ValueError, UserWarning) as error:
            raise ValueError(f"{counted(len(kept), 'row')} cannot be split into {how.number} folds: {error}") from None
        found += [(kept[train], kept[held]) for train, held in parts]
    return found


def _split_by(splitter: Any, kept: np.ndarray, target: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of each fold, by a splitter of scikit-learn's kind."""
    labels = None if target is None else target[kept]
    try:
        return [(kept[train], kept[held]) for train, held in splitter.split(np.zeros((len(kept), 1)), labels)]
    except (ValueError, TypeError) as error:
        hint = " For groups, use experiments.Folds(groups=…)." if "groups" in str(error) else ""
        what = f"{counted(len(kept), 'row')} whose targets are {'numbers' if labels is None else 'classes'}"
        raise ValueError(f"{type(splitter).__name__} cannot split {what}: {error}{hint}") from None


def _of_equal_length(
    pairs: list[tuple[np.ndarray, np.ndarray]], target: Any, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds with as many training rows as the one that has fewest.

    Those left out are drawn at random, from the most frequent class, so that no fold loses a rare one.
    """
    count = min(len(train) for train, _ in pairs)
    rng = np.random.default_rng(seed)
    found = []
    for train, held in pairs:
        codes = np.zeros(len(train), int) if target is None else np.unique(target[train], return_inverse=True)[1]
        frequent = train[codes == np.bincount(codes).argmax()]
        left_out = rng.choice(frequent, len(train) - count, replace=False)
        found.append((np.setdiff1d(train, left_out), held))
    return found


def _check_classes(target: np.ndarray, kept: np.ndarray, folds: int) -> None:
    """Raises ValueError if a class has fewer of these rows than there are folds."""
    names, counts = np.unique(target[kept], return_counts=True)
    if counts.min() < folds:
        rare, least = str(names[counts.argmin()]), int(counts.min())
        fewer = f"use at most {least} folds, or leave out its rows" if least > 1 else "leave it out"
        raise ValueError(
            f"Class {rare!r} has {counted(least, 'row')}{_besides_test(kept, target)}, fewer than the {folds} folds, so"
            f" a fold would have none of it: {fewer}."
        )


def _besides_test(kept: np.ndarray, column: np.ndarray) -> str:
    """Says that rows are held out for the test, if there are any."""
    return " besides the test rows" if len(kept) < len(column) else ""


def _given(pairs: Iterable[Any], source: Source) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of row numbers, checked, without the rows that have no target."""
    kept = np.arange(source.n_rows) if source.kept is None else source.kept
    n = source.n_given
    place = np.full(n, -1)
    place[kept] = np.arange(len(kept))
    found = []
    for i, pair in enumerate(pairs):
        parts = [np.asarray(part) for part in pair] if isinstance(pair, Iterable) else []
        parts = [part if part.size else part.astype(int) for part in parts]
        if len(parts) != 2 or any(part.ndim != 1 or part.dtype.kind not in "iu" for part in parts):
            raise ValueError(f"Fold {i} must be a pair (training rows, validation rows) of lists of row numbers.")
        if any(len(part) and (part.min() < 0 or part.max() >= n) for part in parts):
            raise ValueError(f"Fold {i} has row numbers beyond 0 to {n - 1}.")
        both = np.intersect1d(parts[0], parts[1])
        if both.size:
            raise ValueError(f"Fold {i} is validated on row {both[0]}, which also trains it.")
        train, held = (place[part][place[part] >= 0] for part in parts)
        found.append((train, held))
    if not found:
        raise ValueError("There are no folds: give at least one pair (training rows, validation rows).")
    return found


def _check_fold(i: int, split: data.Split, target: Any, least: int) -> None:
    """Raises ValueError unless a fold has rows of every class to train on, and enough to be validated on."""
    if not len(split.train) or len(split.validation) < least:
        rows = counted(len(split.validation), "row")
        raise ValueError(f"Fold {i} has {len(split.train)} training rows and {rows} to validate on: use fewer folds.")
    if target is not None:
        lacking = np.setdiff1d(target, target[split.train])
        if len(lacking):
            raise ValueError(f"Fold {i} has no training row of class {str(lacking[0])!r}: use fewer or other folds.")


def _codes(groups: Any, source: Source) -> np.ndarray:
    """Groups of any kind as codes from 0 on, of the rows that have a target."""
    groups = np.asarray(groups)
    if groups.shape == (source.n_given,) and source.kept is not None:
        groups = groups[source.kept]
    if groups.shape != (source.n_rows,):
        raise ValueError(f"groups must hold one value for each of the {source.n_given} rows, got shape {groups.shape}.")
    return np.unique(groups.astype(str), return_inverse=True)[1]
