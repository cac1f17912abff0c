"""Learning the target: whether it is classes, numbers or counts, and which ones."""

from typing import Any, NamedTuple, get_args

import numpy as np

from jaxnn.preprocessing import deciding, sentinels
from jaxnn.preprocessing.deciding import ColumnOptions, Decided
from jaxnn.preprocessing.filling import relative_counts
from jaxnn.preprocessing.learnt import Label, Problem, Target
from jaxnn.preprocessing.notes import DECIMAL_COMMAS, Note
from jaxnn.preprocessing.raw import Values, distinct, numbers_of, read_column, refuse_infinite, words_of
from jaxnn.preprocessing.scales import is_constant, mean_and_scale, refuse_large, refuse_long
from jaxnn.preprocessing.stored import MAX_CLASSES
from jaxnn.preprocessing.transform import labels_like, refuse_missing_target
from jaxnn.preprocessing.written import Notation

FEW = 20  # a target with at most so many different whole numbers is taken for classes


class FittedTarget(NamedTuple):
    """The target that was learnt, and the notes on it."""

    target: Target
    notes: tuple[Note, ...] = ()

    def with_decimal_commas(self) -> "FittedTarget":
        """Marks numbers that had decimal commas in the file, so later files are read the same way."""
        note = Note(DECIMAL_COMMAS, repr(self.target.name))
        return FittedTarget(self.target._replace(notation=Notation(",")), (*self.notes, note))


def problem_of(values: Any, *, decimal: str | None = None, missing: Any = (), name: str = "") -> tuple[Problem, str]:
    """Whether targets are classes or numbers, and the reason in words.

    Text and booleans are classes. So are whole numbers with at most 20 different values that occur twice or more on
    average. Numbers that are written with a unit or with marks between their digits, such as 45% and 11,900, are
    numbers.

    Args:
        values: targets of shape (n,).
        decimal: the decimal mark, "." or ",", of numbers that are text, where they leave it open.
        missing: texts or numbers that stand for a missing value.
        name: the target's name, for messages.

    Raises:
        ValueError: the values are dates, or the caller has to decide, as for `fit`.
    """
    read = read_column(f"Target {name!r}" if name else "The target", values, words_of(missing))
    return _problem_of(read, _decided_target(name, read, None, decimal))


def problem_wanted(target: str, problem: str | None, options: ColumnOptions) -> str | None:
    """The problem that the caller asked for, by `problem` or by declaring the target's kind."""
    kind = options.kind(target)
    if kind == "date":
        raise ValueError(f"The target {target!r} is declared a date, but only numbers or classes can be predicted.")
    by_kind = {"category": ("classes",), "number": ("numbers", "counts"), None: ()}[kind]
    if problem is not None and by_kind and problem not in by_kind:
        raise ValueError(f"The target {target!r} is declared a {kind}, but the problem is {problem}: choose one.")
    return problem or next(iter(by_kind), None)


def fit_target(
    name: str,
    read: Values,
    rows: np.ndarray,
    problem: str | None,
    class_names: tuple[str, ...],
    options: ColumnOptions | None = None,
) -> FittedTarget:
    """Learns the target: its classes, its mean and scale, or the mean of its counts."""
    if problem is not None and problem not in get_args(Problem):
        raise ValueError(f'problem must be "classes", "numbers" or "counts", got {problem!r}.')
    if read.kind == "date":
        raise ValueError(f"{read.what} holds dates, but only numbers or classes can be predicted.")
    refuse_missing_target(read)
    decided = _decided_target(name, read, problem, None if options is None else options.decimal)
    kind = problem or _problem_of(read, decided)[0]
    if kind in ("numbers", "counts"):
        read = decided.read
        numbers = numbers_of(read)
        refuse_large(read.what, numbers)
        if len(rows) > 1 and is_constant(numbers[rows], read.precision):
            raise ValueError(
                f"{read.what} holds a single value in the training rows,"
                f" {numbers[rows[0]]:g}, so there is nothing to learn."
            )
        mean, scale = mean_and_scale(numbers[rows])
        if kind == "counts":
            relative_counts(read.what, numbers, mean)
            return FittedTarget(Target(name, "counts", scale=mean, notation=decided.notation), decided.notes)
        suspected = () if options is None else sentinels.notes(read)
        target = Target(name, "numbers", (), (), mean, scale, decided.notation)
        return FittedTarget(target, (*decided.notes, *suspected))
    classes = _classes(read)
    if class_names and len(class_names) != len(classes):
        raise ValueError(f"class_names must be {len(classes)} names, one for each class, got {len(class_names)}.")
    return FittedTarget(Target(name, "classes", classes, class_names or tuple(str(c) for c in classes)))


def _decided_target(name: str, read: Values, problem: str | None, decimal: str | None) -> Decided:
    """What the target is: the texts of classes are never read as numbers."""
    if problem == "classes" or read.categorical:
        return Decided(read)
    return deciding.decide(name, read, "number" if problem in ("numbers", "counts") else None, decimal, plainly=True)


def _problem_of(read: Values, decided: Decided) -> tuple[Problem, str]:
    """As `problem_of`, for a column that has been read and decided."""
    if read.categorical and read.kind in ("number", "boolean", "category"):
        return "classes", "the values are categorical by their dtype"
    if decided.notation is not None:
        return "numbers", "the values are numbers, written as text"
    read = decided.read
    if read.kind == "category":
        return "classes", "the values are text"
    if read.kind == "boolean":
        return "classes", "the values are true or false"
    if read.kind in ("date", "nothing"):
        raise ValueError(
            f"The target holds {'dates' if read.kind == 'date' else 'no values'},"
            " but only numbers or classes can be predicted."
        )
    values = read.values[~read.missing]
    if (values != np.round(values)).any():
        return "numbers", "the values are numbers with fractions"
    different = len(np.unique(values))
    reason = f"the values are whole numbers, {different} different ones in {len(values)} rows"
    few = different <= FEW and 2 * different <= len(values)
    if not few and values.min() >= 0:
        return "numbers", reason + "; if they are counts: problem='counts', --problem counts"
    # Three or more may be amounts or scores, which a person might want predicted as such.
    otherwise = "; if they are amounts: problem='numbers', --problem numbers" if different > 2 else ""
    return ("classes", reason + otherwise) if few else ("numbers", reason)


def _classes(read: Values) -> tuple[Label, ...]:
    """The different labels of a target, sorted."""
    if read.kind == "number":
        refuse_infinite(read)
        if np.abs(read.values).max() >= 2**53:
            raise ValueError(
                f"{read.what} has whole numbers of 2⁵³ or more, which float64 cannot tell apart: use text."
            )
    classes: list[Label] = sorted(set(labels_like((), distinct(read)[0])))
    if len(classes) < 2:
        raise ValueError(f"{read.what} has only one class, {classes[0]!r}, so there is nothing to learn.")
    if len(classes) > FEW and 2 * len(classes) > len(read.missing):
        raise ValueError(
            f"{read.what} has {len(classes)} different values in {len(read.missing):,} rows, fewer than two rows for"
            " each class: is it a number, or an identifier?"
        )
    if len(classes) > MAX_CLASSES:
        raise ValueError(
            f"{read.what} has {len(classes)} different values, more than the {MAX_CLASSES} classes"
            " that are accepted: is it a number, or an identifier?"
        )
    refuse_long(read.what, classes)
    return tuple(classes)
