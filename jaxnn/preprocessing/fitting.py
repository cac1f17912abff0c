"""Learning the transformation from the training rows."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing.raw import (
    Values,
    check_matrix,
    columns_of,
    common_length,
    distinct,
    numbers_of,
    read_column,
    reads_as_number,
    refuse_infinite,
    rows_told,
)
from jaxnn.preprocessing.stored import MAX_CATEGORIES, MAX_CLASSES, MAX_COLUMNS, MAX_NAME
from jaxnn.preprocessing.transform import (
    LARGEST,
    Column,
    Label,
    Missing,
    Preprocessing,
    Problem,
    Target,
    labels_like,
    refuse_missing_target,
)

# Numbers as people write them: 1,045 and 1.045,5 and 1 045, decimal commas, and any of them with a percent sign.
WRITTEN_NUMBER = re.compile(r"[+-]?\d{1,3}([,.'\s]\d{3})+([.,]\d+)?\s*%?|[+-]?\d+([.,]\d+)?\s*%|[+-]?\d+,\d+")
FEW = 20  # different whole numbers at most for a target to be taken for classes


def fit(
    columns: Any,
    target: str,
    *,
    problem: str | None = None,
    drop: Sequence[str] = (),
    rows: Any = None,
) -> Preprocessing:
    """Learns the transformation of a table.

    Args:
        columns: a mapping from names to columns of equal length, a `data.Table`, or a DataFrame.
        target: the name of the column to predict.
        problem: "classes" or "numbers"; None decides by `problem_of`.
        drop: the names of columns to leave out.
        rows: indices of the training rows, all by default. Means, scales and categories come from these rows alone;
            the names of the classes, and whether missing values occur, from all.

    Raises:
        ValueError: a name is unknown, nothing is left to learn from, or a column is of no use as it stands: dates,
            identifiers, no values at all, missing targets, a target of one class only.
    """
    table = columns_of(columns)
    checks.one_of(target, table, "target column")
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    for name in drop:
        checks.one_of(name, table, "column to drop")
    if target in drop:
        raise ValueError(f"The target {target!r} cannot be dropped.")
    names = [name for name in table if name != target and name not in drop]
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"The table has {len(names)} columns, more than the {MAX_COLUMNS} that are accepted.")
    _refuse_long("The header", [*names, target])
    if not names:
        raise ValueError("No columns are left to predict from: only the target remains.")
    read = {name: read_column(f"Column {name!r}", table[name]) for name in names}
    values = read_column(f"Target {target!r}", table[target])
    n = common_length([*read.values(), values])
    if n == 0:
        raise ValueError("The table has no rows to learn from.")
    chosen = _checked_rows(rows, n)
    return Preprocessing(
        tuple(_fit_column(name, column, chosen) for name, column in read.items()),
        _fit_target(target, values, chosen, problem, ()),
    )


def fit_arrays(
    x: Any,
    y: Any,
    *,
    input_names: Sequence[str] | None = None,
    target_name: str = "target",
    class_names: Sequence[str] = (),
    problem: str | None = None,
    common_scale: bool = False,
    rows: Any = None,
) -> Preprocessing:
    """Learns the transformation of an array of inputs, such as the bundled data sets.

    Args:
        x: numbers of shape (n, n_columns).
        y: targets of shape (n,).
        input_names: one name per column; "x0", "x1", … by default.
        target_name: a name for the target.
        class_names: names of the classes in the sorted order of their labels; the labels themselves by default.
        problem: "classes" or "numbers"; None decides by `problem_of`.
        common_scale: one mean and one scale for all columns, as for the pixels of an image.
        rows: indices of the training rows, all by default.

    Raises:
        ValueError: shapes or names do not fit together, or as `fit`.
    """
    x = np.asarray(x)
    if input_names is None:
        input_names = [f"x{j}" for j in range(x.shape[1] if x.ndim == 2 else 0)]
    check_matrix(x, None)
    if x.shape[1] == 0:
        raise ValueError("The array of inputs has no columns.")
    if len(input_names) != x.shape[1] or len(set(input_names)) != len(input_names):
        raise ValueError(
            f"input_names must be {x.shape[1]} different names, got {len(input_names)}"
            f" ({len(set(input_names))} different)."
        )
    if x.dtype.kind not in "biuf":
        raise ValueError(f"The array of inputs must hold numbers, got {x.dtype}: use fit(columns).")
    values = read_column(f"Target {target_name!r}", y)
    if len(values.missing) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, targets have {len(values.missing)}.")
    if len(x) == 0:
        raise ValueError("The arrays have no rows to learn from.")
    chosen = _checked_rows(rows, len(x))
    if common_scale:
        if not np.isfinite(x).all():
            raise ValueError("A common scale is for images, which have no missing or infinite values.")
        mean, scale = _mean_and_scale(x[chosen].astype(np.float64).ravel())
        columns = tuple(Column(name, "number", mean, scale) for name in input_names)
    else:
        columns = tuple(
            _fit_column(name, read_column(f"Column {name!r}", x[:, j]), chosen) for j, name in enumerate(input_names)
        )
    return Preprocessing(columns, _fit_target(target_name, values, chosen, problem, tuple(class_names)))


def problem_of(values: Any) -> tuple[Problem, str]:
    """Whether targets are classes or numbers, and the reason in words.

    Text and booleans are classes; so are whole numbers with at most 20 different values, each met twice on average.

    Args:
        values: targets of shape (n,).
    """
    return _problem_of(read_column("The target", values))


def _checked_rows(rows: Any, n: int) -> np.ndarray:
    """Row indices, or all rows for None."""
    if rows is None:
        return np.arange(n)
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
        raise ValueError(f"rows must be a non-empty array of row indices, got {rows.dtype} {rows.shape}.")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"rows must be in 0..{n - 1}, got {rows.min()}..{rows.max()}.")
    return rows


def _mean_and_scale(x: np.ndarray) -> tuple[float, float]:
    """The mean and standard deviation of x; the deviation of a constant is taken as 1.

    Taken relative to the largest magnitude, so that neither sums nor squares overflow.
    """
    if x.min() == x.max():
        return float(x[0]), 1.0
    unit = float(np.abs(x).max())
    relative = x / unit
    deviation = float(relative.std()) * unit
    return float(relative.mean()) * unit, deviation if deviation > 0 else 1.0


def _fit_column(name: str, read: Values, rows: np.ndarray) -> Column:
    """Learns one column of inputs from its training rows."""
    advice = f"leave it out (drop {name!r}; --drop on the command line)"
    if read.kind == "date":
        raise ValueError(
            f"Column {name!r} holds dates, which have no meaning as inputs by themselves: {advice},"
            " or replace it by numbers such as an age or a month."
        )
    missing = read.missing[rows]
    if missing.all():
        raise ValueError(f"Column {name!r} has no values in the training rows: {advice}.")
    policy: Missing = "marked" if missing.any() else "filled" if read.missing.any() else "refused"
    if read.kind == "category":
        texts = [read.values[row] for row in rows[~missing].tolist()]
        categories = sorted(set(texts))
        _refuse_long(read.what, categories)
        _refuse_written_numbers(read, advice)
        identifier = len(categories) > 20 and len(categories) > 0.9 * len(texts)
        if len(categories) > MAX_CATEGORIES or identifier:
            _refuse_slips(read)
            raise ValueError(
                f"Column {name!r} has {len(categories)} different texts in {len(texts)} rows, such as"
                f" {categories[0]!r}: more like an identifier than a category; {advice}."
            )
        return Column(name, "category", categories=tuple(categories), missing=policy)
    refuse_infinite(read)
    present = read.values[rows][~missing]
    if read.kind == "boolean":
        return Column(name, "boolean", mean=float(present.mean()), missing=policy)
    _refuse_large(read.what, read.values)
    mean, scale = _mean_and_scale(present)
    return Column(name, "number", mean, scale, missing=policy)


def _fit_target(
    name: str,
    read: Values,
    rows: np.ndarray,
    problem: str | None,
    class_names: tuple[str, ...],
) -> Target:
    """Learns the target: its classes, or its mean and scale."""
    if problem not in (None, "classes", "numbers"):
        raise ValueError(f'problem must be "classes" or "numbers", got {problem!r}.')
    if read.kind == "date":
        raise ValueError(f"{read.what} holds dates; a number or a class can be predicted.")
    refuse_missing_target(read)
    if (problem or _problem_of(read)[0]) == "numbers":
        numbers = numbers_of(read)
        _refuse_large(read.what, numbers)
        if len(rows) > 1 and (numbers[rows] == numbers[rows[0]]).all():
            raise ValueError(
                f"{read.what} has one value only in the training rows, {numbers[rows[0]]:g}: there is nothing to learn."
            )
        mean, scale = _mean_and_scale(numbers[rows])
        return Target(name, "numbers", mean=mean, scale=scale)
    classes = _classes(read)
    if class_names and len(class_names) != len(classes):
        raise ValueError(f"class_names must be {len(classes)} names, one for each class, got {len(class_names)}.")
    return Target(name, "classes", classes, class_names or tuple(str(c) for c in classes))


def _problem_of(read: Values) -> tuple[Problem, str]:
    """As `problem_of`, for a column that has been read."""
    if read.kind == "category":
        return "classes", "the values are text"
    if read.kind == "boolean":
        return "classes", "the values are true or false"
    if read.kind in ("date", "nothing"):
        raise ValueError(f"The target holds {read.kind}: a number or a class can be predicted.")
    values = read.values[~read.missing]
    if (values != np.round(values)).any():
        return "numbers", "the values are numbers with fractions"
    different = len(np.unique(values))
    told = f"the values are whole numbers, {different} different ones in {len(values)} rows"
    few = different <= FEW and 2 * different <= len(values)
    return ("classes", told) if few else ("numbers", told)


def _classes(read: Values) -> tuple[Label, ...]:
    """The different labels of a target, sorted."""
    if read.kind == "number":
        refuse_infinite(read)
        if np.abs(read.values).max() >= 2**53:
            raise ValueError(f"{read.what} has whole numbers of 2⁵³ and more, too large to be told apart: use text.")
    classes: list[Label] = sorted(set(labels_like((), distinct(read)[0])))
    if len(classes) < 2:
        raise ValueError(f"{read.what} has one class only, {classes[0]!r}: there is nothing to tell apart.")
    if len(classes) > MAX_CLASSES:
        raise ValueError(
            f"{read.what} has {len(classes)} different values, more than the {MAX_CLASSES} classes"
            " that are accepted: is it a number, or an identifier?"
        )
    _refuse_long(read.what, classes)
    return tuple(classes)


def _refuse_long(what: str, texts: Sequence[Label]) -> None:
    """Raises ValueError for free text, which a model could be saved with but not loaded."""
    longest = max((len(text) for text in texts if isinstance(text, str)), default=0)
    if longest > MAX_NAME:
        raise ValueError(f"{what} holds a text of {longest} characters, more than the {MAX_NAME} of a category.")


def _refuse_large(what: str, numbers: np.ndarray) -> None:
    """Raises ValueError for numbers beyond single precision, which would drown all others in the mean and the scale."""
    large = np.abs(numbers) > LARGEST
    if large.any():
        value = float(numbers[int(np.argmax(large))])
        raise ValueError(
            f"{what} is {value!r} in {rows_told(large)}, beyond the largest number that is accepted,"
            f" {LARGEST:.3g}: mend it, or leave it empty."
        )


def _refuse_written_numbers(read: Values, advice: str) -> None:
    """Refuses text that is numbers throughout to people, and would become a category for each of them."""
    texts = {text for text in read.values if text is not None}
    written = [text for text in texts if not reads_as_number(text)]
    if written and all(WRITTEN_NUMBER.fullmatch(text.strip()) for text in written):
        raise ValueError(
            f"{read.what} holds numbers with separators or percent signs, such as {min(written)!r}, which are read as"
            f" text: write them plainly, such as 1045 or 0.45, or {advice}."
        )


def _refuse_slips(read: Values) -> None:
    """Of a column of text that is mostly numbers, names the first cell that is not."""
    slips = np.array([not reads_as_number(text) for text in read.values], bool) & ~read.missing
    if 0 < slips.sum() < 0.5 * len(slips):
        value = read.values[int(np.argmax(slips))]
        raise ValueError(f"{read.what} holds numbers, but {value!r} in {rows_told(slips)}: mend it, or leave it empty.")
