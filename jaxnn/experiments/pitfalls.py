"""Warnings of what makes scores look better than they are: leaks, duplicated rows, and rare classes.

A column leaks if it alone predicts the target almost perfectly, among others:

    number, for numbers     |rank correlation| ≥ 0.999 (Spearman): it is the target, or a monotone function of it
    number, for classes     sorted by it, the rows change class hardly more often than there are classes
    category, for classes   the most frequent class of each value is wrong in at most 1 % of the rows that are not of
                            the most frequent class of all
    category, for numbers   the means of its values leave at most 0.1 % of the variance

Several numbers leak if the target is a weighted sum of them, as total = bikes hired by members + by others is: linear
least squares from all inputs leaves at most 1e-6 of the target's variance, with twice as many rows as inputs.

A category, a boolean, or where a column is missing, counts with at least five rows for each of its values. All of it is
looked for on at most 2,000 training rows, and nothing is concluded from fewer than 20.

A row is duplicated if a held-out row has the same inputs and target as a training row. Tables of few categories have
such rows by chance: with p the probability that two rows agree if columns were independent, p n_train n_held of them
are expected, and only a hundred times as many are reported, from three on.

A class is rare with less than 5 % of the training rows, and less than half the share that it had among equal classes.
"""

import shlex
from collections.abc import Iterator

import numpy as np

from jaxnn.experiments.rows import Rows
from jaxnn.wording import counted, listed

ROWS, LEAST, FEW = 2_000, 20, 5  # rows that are looked at, at least, and for each value of a category
WIDEST = 5_000  # columns beyond which none is looked at: a table so wide is an image or a spectrum
CORRELATION, WRONG, UNEXPLAINED = 0.999, 0.01, 0.001
SUM, SHARE, NAMED = 1e-6, 0.001, 5  # variance that a sum leaves; what a column adds to be in it; columns told
DUPLICATES, BY_CHANCE = 3, 0.01
RARE = 0.05


def pitfalls(rows: Rows, *, weighted: bool = False) -> tuple[str, ...]:
    """Why the scores of a network may say too much, one sentence each with what to do; () where nothing was found.

    Args:
        rows: the rows, split and preprocessed.
        weighted: whether classes have weights, so that rare ones need no word.
    """
    leaks = list(_leaks(rows))
    found = [*leaks, *([] if leaks else _sum_of_columns(rows)), *_duplicates(rows)]
    return tuple(found if weighted else [*found, *_rare_class(rows)])


# Leaks -----------------------------------------------------------------------------------------------------------


def _leaks(rows: Rows) -> Iterator[str]:
    """The columns that alone predict the target, unless there is only one."""
    columns = [column for column in rows.preprocessing.columns if column.input_names]
    some = rows.split.train[:ROWS]
    if not 1 < len(columns) <= WIDEST or len(some) < LEAST:
        return
    y, start = rows.y[some].reshape(-1), 0
    target = rows.preprocessing.target_name
    alone = _alone_predicts_class if rows.problem.stratified else _alone_predicts_number
    for column in columns:
        stop = start + len(column.input_names)
        block = rows.x[some, start:stop]
        start = stop
        marked = column.missing == "marked"
        how = alone(column.kind, block, marked, y) or (marked and alone("boolean", block[:, -1:], False, y))
        if how:
            name = column.name
            yield (
                f"column {name!r} alone predicts {target!r} almost perfectly ({how}): if it is not known before"
                f" {target!r} is, the scores are too good; then drop it (drop={name!r}; --drop {shlex.quote(name)})"
            )


def _sum_of_columns(rows: Rows) -> Iterator[str]:
    """The numbers of which the target is a weighted sum."""
    some = rows.split.train[:ROWS]
    n_inputs = rows.x.shape[1]
    if rows.problem.stratified or len(some) < max(LEAST, 2 * (n_inputs + 1)):
        return
    x, y = rows.x[some].astype(np.float64), rows.y[some].reshape(-1).astype(np.float64)
    x, y = x - x.mean(axis=0), y - y.mean()
    weights = np.linalg.lstsq(x, y)[0]
    if ((y - x @ weights) ** 2).sum() > SUM * (y**2).sum():
        return
    matters = x.std(axis=0) * np.abs(weights) > SHARE * y.std()
    names = [name for name, does in zip(rows.preprocessing.input_names, matters, strict=True) if does]
    if len(names) < 2:
        return
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    target = rows.preprocessing.target_name
    yield (
        f"{target!r} is a weighted sum of {', '.join(map(repr, names[:NAMED]))}{more}, up to rounding: if these are not"
        f" known before {target!r} is, the scores are too good; then drop one of them (drop={names[0]!r}; --drop"
        f" {shlex.quote(names[0])})"
    )


def _alone_predicts_number(kind: str, block: np.ndarray, marked: bool, y: np.ndarray) -> str:
    """How the inputs of one column predict numbers, or nothing."""
    if kind in ("number", "date"):
        present = block[:, -1] == 0 if marked else np.ones(len(y), bool)
        x = block[present, 0]
        if len(x) >= LEAST and len(np.unique(x)) >= LEAST:
            if np.allclose(x, y[present], rtol=1e-5, atol=1e-5):
                return "they are equal, up to their units"
            correlation = _correlation(_ranks(x), _ranks(y[present]))
            return f"rank correlation {correlation:.4f}" if abs(correlation) >= CORRELATION else ""
    codes, n_codes = _codes(block)
    if n_codes < 2 or len(y) < FEW * n_codes:
        return ""
    means = np.bincount(codes, y) / np.bincount(codes)
    left = np.mean((y - means[codes]) ** 2) / max(float(y.var()), 1e-30)
    return f"the means of its values leave {100 * left:.2g} % of the variance" if left <= UNEXPLAINED else ""


def _alone_predicts_class(kind: str, block: np.ndarray, marked: bool, y: np.ndarray) -> str:
    """How the inputs of one column predict classes, or nothing."""
    counts = np.bincount(y)
    others = len(y) - counts.max()  # the rows that the most frequent class gets wrong
    if others < FEW:
        return ""
    codes, n_codes = _codes(block)
    if n_codes < 2:
        return ""
    if kind in ("number", "date") and len(y) < FEW * n_codes:
        present = block[:, -1] == 0 if marked else np.ones(len(y), bool)
        classes = np.bincount(y[present], minlength=len(counts))
        if np.sort(classes)[-2:].min() < FEW:
            return ""
        changes = _changes(block[present, 0], y[present])
        needed = np.count_nonzero(classes) - 1
        enough = changes <= needed + 2 * int(WRONG * (classes.sum() - classes.max()))
        return f"sorted by it, the class changes {counted(changes, 'time')} in {len(y):,} rows" if enough else ""
    if len(y) < FEW * n_codes:
        return ""
    table = np.zeros((n_codes, len(counts)), int)
    np.add.at(table, (codes, y), 1)
    wrong = len(y) - table.max(axis=1).sum()
    return f"its values get {wrong:,} of {len(y):,} rows wrong" if wrong <= WRONG * others else ""


def _codes(block: np.ndarray) -> tuple[np.ndarray, int]:
    """The different rows of a block of inputs as codes from 0 on, and how many there are."""
    alone = block.shape[1] == 1
    different, codes = np.unique(block[:, 0] if alone else block, axis=None if alone else 0, return_inverse=True)
    return codes.reshape(-1), len(different)


def _changes(x: np.ndarray, y: np.ndarray) -> int:
    """How often the class changes from row to row in the order of x.

    Of rows with the same x, each that is not of their most frequent class makes it change there and back.
    """
    place = np.unique(x, return_inverse=True)[1].reshape(-1)
    table = np.zeros((place.max() + 1, y.max() + 1), int)
    np.add.at(table, (place, y), 1)
    usual = table.argmax(axis=1)
    return int(np.count_nonzero(usual[1:] != usual[:-1]) + 2 * (len(y) - table.max(axis=1).sum()))


def _ranks(x: np.ndarray) -> np.ndarray:
    """The ranks of numbers; equal ones have the mean of theirs."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; 0 of a constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


# Duplicates and rare classes -----------------------------------------------------------------------------------------


def _duplicates(rows: Rows) -> Iterator[str]:
    """How many held-out rows are also training rows."""
    train = rows.split.train
    held = {name: getattr(rows.split, name) for name in rows.held_out}
    n_held = sum(map(len, held.values()))
    if not n_held:
        return
    known = set(_as_bytes(rows, train))
    counts = {name: sum(row in known for row in _as_bytes(rows, part)) for name, part in held.items()}
    total = sum(counts.values())
    if total < max(DUPLICATES, BY_CHANCE * n_held) or BY_CHANCE * total < _agreement(rows) * len(train) * n_held:
        return
    told = listed([f"{count:,} of {len(held[name]):,} {name} rows" for name, count in counts.items() if count])
    yield (
        f"duplicates: {told} are also training rows, inputs and target alike, which makes the scores too good: leave"
        " duplicates out, or keep them on one side of every split (experiments.Folds(groups=…); jaxnn sweep --group)"
    )


def _as_bytes(rows: Rows, part: np.ndarray) -> Iterator[bytes]:
    """Each row's inputs and target as bytes."""
    for row in part.tolist():
        yield rows.x[row].tobytes() + rows.y[row].tobytes()


def _agreement(rows: Rows) -> float:
    """The probability that two training rows agree in inputs and target if columns were independent."""
    some = rows.split.train[:ROWS]
    blocks, start = [rows.y[some].reshape(len(some), -1)], 0
    for column in rows.preprocessing.columns[:WIDEST]:
        stop = start + len(column.input_names)
        if stop > start:
            blocks.append(rows.x[some, start:stop])
        start = stop
    probability = 1.0
    for block in blocks:
        codes, _ = _codes(block)
        probability *= float(((np.bincount(codes) / len(some)) ** 2).sum())
    return probability


def _rare_class(rows: Rows) -> Iterator[str]:
    """The rarest class, if it is rare."""
    if not rows.problem.stratified:
        return
    counts = np.bincount(rows.y[rows.split.train], minlength=len(rows.preprocessing.class_names))
    share = counts.min() / counts.sum()
    if share >= min(RARE, 0.5 / len(counts)):
        return
    name = rows.preprocessing.class_names[int(counts.argmin())]
    judge, metric = ("the area under the ROC curve", "roc_auc") if len(counts) == 2 else ("the log loss", "log_loss")
    few = f"{counted(int(counts.min()), 'training row')} of {counts.sum():,} ({100 * share:.2g} %)"
    yield (
        f"class {name!r} has only {few}, so a high accuracy says little: consider class weights"
        f" (class_weight='balanced'; --class-weight balanced), and judge by {judge} (--metric {metric})"
    )
