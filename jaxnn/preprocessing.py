"""From the columns of a raw table to a network's inputs and targets, and back.

What is learnt here is learnt from the training rows only, lives inside the saved model as plain JSON, and is applied
to every later table in the same way:

    number      (x - mean) / scale, with scale the standard deviation (divisor n), or 1 for a constant column
    boolean     0 or 1
    category    one input per category seen in training, 1 for the row's own category and 0 for the others
    target      class codes 0, 1, 2, … in sorted order, or (y - mean) / scale

A missing value (None, NaN, an empty field) stands at the column's mean, or at no category, and an input called
`name is missing` is 1 for that row. A column without missing values in training refuses them later: the network has
never seen one. A category that was not seen in training becomes zeros throughout, because a rare category may fall
into the validation part by chance; `unknown_categories` lists them for a caller who wants to know.

Standardising inputs: LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998), section 4.3.
"""

import datetime
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from jaxnn import checks

Problem: TypeAlias = Literal["classes", "numbers"]
Kind: TypeAlias = Literal["number", "boolean", "category"]
Missing: TypeAlias = Literal["refused", "filled", "marked"]
Label: TypeAlias = str | bool | int | float

MAX_CATEGORIES = 100  # of one column: more is an identifier or free text, not a category
MAX_CLASSES = 1_000
MAX_COLUMNS = 100_000
MAX_NAME = 10_000  # characters of a name, a category or a label in a stored description
FEW = 20  # different whole numbers at most for a target to be taken for classes
LARGEST = float(np.finfo(np.float32).max)  # a network in single precision sees infinity beyond

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


class Column(NamedTuple):
    """What was learnt about one raw column.

    Attributes:
        name: the column's name in the table.
        kind: "number", "boolean" or "category".
        mean: of the training values; stands in for a missing number or boolean.
        scale: > 0; a number is divided by it. 1 for the other kinds.
        categories: the texts seen in training, sorted; empty for the other kinds.
        missing: "refused", "filled" (at the mean, or at no category), or "marked" (filled, with an input of its own).
    """

    name: str
    kind: Kind
    mean: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] = ()
    missing: Missing = "refused"

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs that this column becomes."""
        names = tuple(f"{self.name}={category}" for category in self.categories)
        marker = (f"{self.name} is missing",) if self.missing == "marked" else ()
        return (names if self.kind == "category" else (self.name,)) + marker


class Target(NamedTuple):
    """What was learnt about the target.

    Attributes:
        name: the target's name.
        problem: "classes" or "numbers".
        classes: the labels in the order of their codes, all of one type; empty for numbers.
        class_names: the labels in words, for people.
        mean: of the training targets (numbers only).
        scale: > 0, their standard deviation (numbers only).
    """

    name: str
    problem: Problem
    classes: tuple[Label, ...] = ()
    class_names: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0


class Preprocessing(NamedTuple):
    """The fitted transformation between a raw table and a network: made by `fit`, `fit_arrays` or `from_spec`."""

    columns: tuple[Column, ...]
    target: Target

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the network's inputs, in order: a category has one for each of its values."""
        return tuple(name for column in self.columns for name in column.input_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in words, in the order of their codes; empty for numbers."""
        return self.target.class_names

    @property
    def target_name(self) -> str:
        """The name of the target."""
        return self.target.name

    @property
    def problem(self) -> Problem:
        """What is predicted: "classes" or "numbers"."""
        return self.target.problem

    def inputs(self, table: Any) -> np.ndarray:
        """The network's inputs for the rows of `table`.

        Args:
            table: a `data.Table`, a mapping from names to columns, a DataFrame (pandas, polars, pyarrow, narwhals),
                or, where no column holds categories, an array of shape (n, number of raw columns) in their order.
                Columns that the model does not use are ignored.

        Returns:
            float64 of shape (n, n_in), finite, n_in = len(input_names).

        Raises:
            ValueError: a column is absent or holds another kind of values; a value is missing where training had
                none missing, infinite, or too far from the training values for single precision.
        """
        if _is_array(table):
            return self._inputs_of_array(np.asarray(table))
        columns = _columns_of(table)
        _refuse_absent(tuple(column.name for column in self.columns), columns)
        read = [(column, _read(f"Column {column.name!r}", columns[column.name])) for column in self.columns]
        n = _common_length(read)
        inputs = np.empty((n, len(self.input_names)))
        start = 0
        for column, values in read:
            stop = start + len(column.input_names)
            _fill(inputs[:, start:stop], column, values)
            start = stop
        return inputs

    def targets(self, values: Any) -> np.ndarray:
        """The network's targets: int32 class codes, or standardised float64, of shape (n,).

        Raises:
            ValueError: a target is missing, is none of the known classes, or is no finite number.
        """
        target = self.target
        read = _read(f"Target {target.name!r}", values)
        _refuse_missing_target(read)
        if target.problem == "numbers":
            return _standardise(read.what, _numbers(read), target.mean, target.scale)
        code_of = {label: code for code, label in enumerate(target.classes)}
        labels = _labels_like(target.classes, read)
        unknown = np.array([label not in code_of for label in labels], bool)
        if unknown.any():
            label = labels[int(np.argmax(unknown))]
            raise ValueError(
                f"{read.what} is {label!r} in {_rows(unknown)}, which is none of the classes"
                f" of the training rows: {_list(target.class_names)}."
            )
        return np.array([code_of[label] for label in labels], np.int32)

    def labels(self, codes: Any) -> np.ndarray:
        """The labels, as they stood in the table, of class codes of shape (n,).

        Raises:
            ValueError: the problem is not classes, or a code is out of range.
        """
        if self.target.problem != "classes":
            raise ValueError("The target is a number, not a class: use numbers(outputs).")
        codes = np.asarray(codes)
        if codes.dtype.kind not in "iu" or codes.ndim != 1:
            raise ValueError(f"Class codes must be whole numbers of shape (n,), got {codes.dtype} {codes.shape}.")
        if codes.size and not (codes.min() >= 0 and codes.max() < len(self.target.classes)):
            raise ValueError(
                f"Class codes must be in 0..{len(self.target.classes) - 1}, got {codes.min()}..{codes.max()}."
            )
        text = isinstance(self.target.classes[0], str)
        return np.array(self.target.classes, dtype=object if text else None)[codes]

    def numbers(self, outputs: Any) -> np.ndarray:
        """Predictions in the target's own units, float64 (n,), from outputs of shape (n,) or (n, 1).

        Raises:
            ValueError: the problem is not numbers, or the shape is another.
        """
        if self.target.problem != "numbers":
            raise ValueError("The target is a class, not a number: use labels(codes).")
        outputs = np.asarray(outputs, np.float64)
        if not (outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)):
            raise ValueError(f"Outputs must have shape (n,) or (n, 1), got {outputs.shape}.")
        return outputs.reshape(-1) * self.target.scale + self.target.mean

    def unknown_categories(self, table: Any) -> dict[str, tuple[str, ...]]:
        """For each category column of `table`, the values that training did not see; columns without are left out."""
        columns = _columns_of(table)
        unknown = {}
        for column in self.columns:
            if column.kind == "category" and column.name in columns:
                texts = _texts_like(column, _read(f"Column {column.name!r}", columns[column.name]))
                strangers = {text for text in texts if text is not None} - set(column.categories)
                if strangers:
                    unknown[column.name] = tuple(sorted(strangers))
        return unknown

    def to_spec(self) -> dict[str, Any]:
        """The same as JSON-able values, for `from_spec`; floats survive JSON exactly."""
        columns: list[dict[str, Any]] = []
        for column in self.columns:
            spec: dict[str, Any] = {
                "name": column.name,
                "kind": column.kind,
                "missing": column.missing,
            }
            if column.kind == "category":
                spec["categories"] = list(column.categories)
            else:
                spec |= {"mean": column.mean, "scale": column.scale}
            columns.append(spec)
        target: dict[str, Any] = {"name": self.target.name, "problem": self.target.problem}
        if self.target.problem == "classes":
            target |= {
                "classes": list(self.target.classes),
                "class_names": list(self.target.class_names),
            }
        else:
            target |= {"mean": self.target.mean, "scale": self.target.scale}
        return {"columns": columns, "target": target}

    def _inputs_of_array(self, x: np.ndarray) -> np.ndarray:
        """As `inputs`, for an array: in one piece where all columns are complete numbers, as images are."""
        if any(column.kind == "category" for column in self.columns):
            names = [column.name for column in self.columns if column.kind == "category"]
            raise ValueError(
                f"The model has columns of categories ({_list(names)}), which an array cannot hold:"
                " give a table with named columns."
            )
        _check_matrix(x, len(self.columns))
        plain = all(c.kind == "number" and c.missing == "refused" for c in self.columns)
        if not plain or x.dtype.kind not in "iuf":
            return self.inputs({c.name: x[:, j] for j, c in enumerate(self.columns)})
        inputs = np.subtract(x, [column.mean for column in self.columns], dtype=np.float64)
        inputs /= np.array([column.scale for column in self.columns])
        if not (np.abs(inputs) <= LARGEST).all():
            j = int(np.argmin((np.abs(inputs) <= LARGEST).all(axis=0)))
            _fill(inputs[:, j : j + 1], self.columns[j], _read(f"Column {self.columns[j].name!r}", x[:, j]))
        return inputs


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
    table = _columns_of(columns)
    checks.one_of(target, table, "target column")
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    for name in drop:
        checks.one_of(name, table, "column to drop")
    if target in drop:
        raise ValueError(f"The target {target!r} cannot be dropped.")
    names = [name for name in table if name != target and name not in drop]
    if not names:
        raise ValueError("No columns are left to predict from: only the target remains.")
    read = [(Column(name, "number"), _read(f"Column {name!r}", table[name])) for name in names]
    values = _read(f"Target {target!r}", table[target])
    n = _common_length([*read, (Column(target, "number"), values)])
    if n == 0:
        raise ValueError("The table has no rows to learn from.")
    chosen = _checked_rows(rows, n)
    return Preprocessing(
        tuple(_fit_column(column.name, values, chosen) for column, values in read),
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
    _check_matrix(x, None)
    if x.shape[1] == 0:
        raise ValueError("The array of inputs has no columns.")
    if len(input_names) != x.shape[1] or len(set(input_names)) != len(input_names):
        raise ValueError(
            f"input_names must be {x.shape[1]} different names, got {len(input_names)}"
            f" ({len(set(input_names))} different)."
        )
    if x.dtype.kind not in "biuf":
        raise ValueError(f"The array of inputs must hold numbers, got {x.dtype}: use fit(columns).")
    values = _read(f"Target {target_name!r}", y)
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
            _fit_column(name, _read(f"Column {name!r}", x[:, j]), chosen) for j, name in enumerate(input_names)
        )
    return Preprocessing(columns, _fit_target(target_name, values, chosen, problem, tuple(class_names)))


def problem_of(values: Any) -> tuple[Problem, str]:
    """Whether targets are classes or numbers, and the reason in words.

    Text and booleans are classes; so are whole numbers with at most 20 different values, each met twice on average.

    Args:
        values: targets of shape (n,).
    """
    return _problem_of(_read("The target", values))


def from_spec(spec: Any) -> Preprocessing:
    """The transformation that `to_spec` described; the description may come from anybody, and nothing is believed.

    Raises:
        ValueError: the description is not one that `to_spec` writes.
    """
    top = _record(spec, "preprocessing", {"columns", "target"})
    columns = tuple(
        _column_from(column, f"column {j + 1}")
        for j, column in enumerate(_items(top["columns"], "columns", MAX_COLUMNS))
    )
    names = {column.name for column in columns}
    if not columns or len(names) != len(columns):
        raise ValueError("The stored preprocessing must have columns, each name once.")
    if sum(len(column.input_names) for column in columns) > MAX_COLUMNS:
        raise ValueError(f"The stored preprocessing has more than {MAX_COLUMNS} inputs.")
    return Preprocessing(columns, _target_from(top["target"]))


# Reading raw columns ---------------------------------------------------------------------------------------------


class _Values(NamedTuple):
    """One raw column: its kind, its values (float64, or a list of str and None), and which are missing."""

    what: str  # the column as messages call it
    kind: Literal["number", "boolean", "category", "date", "nothing"]
    values: Any
    missing: np.ndarray


def _is_array(table: Any) -> bool:
    """Whether `table` is an array without column names (DataFrames have `__array__` too)."""
    return isinstance(table, list | tuple) or (hasattr(table, "__array__") and not hasattr(table, "columns"))


def _columns_of(table: Any) -> dict[str, Any]:
    """The columns of any kind of table, by name."""
    if isinstance(table, Mapping):
        return {str(name): table[name] for name in table}
    labels = getattr(table, "columns", None)
    if hasattr(type(table), "column_names"):  # pyarrow, whose `columns` are the values
        labels = table.column_names
    if labels is None:
        raise TypeError(
            "A table must be a mapping from names to columns, a jaxnn.data.Table or a DataFrame,"
            f" got {type(table).__name__}."
        )
    return {str(label): table[label] for label in labels}


def _is_missing(value: Any) -> bool:
    """None, NaN, and the markers of pandas, which is not imported to ask."""
    return (
        value is None
        or (isinstance(value, float | np.floating) and value != value)
        or type(value).__name__ in ("NAType", "NaTType")
    )


def _read(what: str, values: Any) -> _Values:
    """Sorts a raw column into one of the kinds."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{what} must be one-dimensional, got shape {array.shape}.")
    if array.dtype.kind in "biuf":
        numbers = array.astype(np.float64)
        missing = np.isnan(numbers)
        kind: Any = "boolean" if array.dtype.kind == "b" else "number"
        return _Values(what, "nothing" if missing.all() else kind, numbers, missing)
    if array.dtype.kind in "mM":
        return _Values(what, "date", array.astype(object), np.isnat(array))
    if array.dtype.kind not in "OUT":
        raise ValueError(f"{what} holds {array.dtype}; numbers, booleans and text are understood.")
    items = array.tolist()
    missing = np.fromiter(map(_is_missing, items), bool, len(items))
    if missing.all():
        return _Values(what, "nothing", np.full(len(items), np.nan), missing)
    items = [None if absent else item for item, absent in zip(items, missing.tolist(), strict=True)]
    types = set(map(type, items)) - {type(None)}
    if all(issubclass(each, str) for each in types):
        return _Values(what, "date" if _are_dates(items) else "category", items, missing)
    if all(issubclass(each, datetime.date | datetime.time | datetime.timedelta) for each in types):
        return _Values(what, "date", items, missing)
    if all(issubclass(each, bool | np.bool_) for each in types):
        return _Values(what, "boolean", _floats(items), missing)
    if all(hasattr(each, "__float__") and not issubclass(each, str) for each in types):
        return _Values(what, "number", _floats(items), missing)
    if all(hasattr(each, "__float__") or issubclass(each, str) for each in types):
        return _Values(what, "category", [None if item is None else str(item) for item in items], missing)
    strange = next(each.__name__ for each in types if not hasattr(each, "__float__") and not issubclass(each, str))
    raise ValueError(f"{what} holds values of type {strange}; numbers, booleans and text are understood.")


def _floats(items: list[Any]) -> np.ndarray:
    """Python numbers as float64: NaN for None, infinity for whole numbers beyond all floats."""
    numbers = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if item is not None:
            try:
                numbers[row] = float(item)
            except OverflowError:
                numbers[row] = math.inf
    return numbers


def _are_dates(texts: list[str | None]) -> bool:
    """Whether all texts are ISO 8601 dates; the first that is not ends the search."""
    return all(text is None or ISO_DATE.fullmatch(text) for text in texts)


def _common_length(read: Sequence[tuple[Column, _Values]]) -> int:
    """The number of rows, which all columns share."""
    lengths = {len(values.missing): column.name for column, values in read}
    if len(lengths) > 1:
        told = ", ".join(f"{name!r} has {n}" for n, name in lengths.items())
        raise ValueError(f"All columns must have the same number of rows: {told}.")
    return next(iter(lengths))


def _check_matrix(x: np.ndarray, n_columns: int | None) -> None:
    """Refuses arrays that are not (n, n_columns)."""
    if x.ndim != 2:
        raise ValueError(
            f"An array of inputs must have shape (rows, columns), got {x.shape}; one row is x.reshape(1, -1)."
        )
    if n_columns is not None and x.shape[1] != n_columns:
        raise ValueError(f"The array has {x.shape[1]} columns, the model was trained on {n_columns}.")


def _refuse_absent(wanted: tuple[str, ...], columns: Mapping[str, Any]) -> None:
    """Names the columns that the table lacks, and for the first one the nearest that it has."""
    absent = [name for name in wanted if name not in columns]
    if absent:
        near = difflib.get_close_matches(absent[0], columns, n=1, cutoff=0.5)
        hint = f" The nearest to {absent[0]!r} is {near[0]!r}." if near else ""
        raise ValueError(f"The table lacks the columns {_list(absent)}.{hint}")


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


# Learning --------------------------------------------------------------------------------------------------------


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


def _fit_column(name: str, read: _Values, rows: np.ndarray) -> Column:
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
        identifier = len(categories) > 20 and len(categories) > 0.9 * len(texts)
        if len(categories) > MAX_CATEGORIES or identifier:
            _refuse_slips(read)
            raise ValueError(
                f"Column {name!r} has {len(categories)} different texts in {len(texts)} rows, such as"
                f" {categories[0]!r}: more like an identifier than a category; {advice}."
            )
        return Column(name, "category", categories=tuple(categories), missing=policy)
    _refuse_infinite(read)
    present = read.values[rows][~missing]
    if read.kind == "boolean":
        return Column(name, "boolean", mean=float(present.mean()), missing=policy)
    mean, scale = _mean_and_scale(present)
    return Column(name, "number", mean, scale, missing=policy)


def _fit_target(
    name: str,
    read: _Values,
    rows: np.ndarray,
    problem: str | None,
    class_names: tuple[str, ...],
) -> Target:
    """Learns the target: its classes, or its mean and scale."""
    if problem not in (None, "classes", "numbers"):
        raise ValueError(f'problem must be "classes" or "numbers", got {problem!r}.')
    if read.kind == "date":
        raise ValueError(f"{read.what} holds dates; a number or a class can be predicted.")
    _refuse_missing_target(read)
    if (problem or _problem_of(read)[0]) == "numbers":
        mean, scale = _mean_and_scale(_numbers(read)[rows])
        return Target(name, "numbers", mean=mean, scale=scale)
    classes = _classes(read)
    if class_names and len(class_names) != len(classes):
        raise ValueError(f"class_names must be {len(classes)} names, one for each class, got {len(class_names)}.")
    return Target(name, "classes", classes, class_names or tuple(str(c) for c in classes))


def _problem_of(read: _Values) -> tuple[Problem, str]:
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


def _classes(read: _Values) -> tuple[Label, ...]:
    """The different labels of a target, sorted."""
    classes: list[Label] = sorted(set(_labels_like((), read)))
    if len(classes) < 2:
        raise ValueError(f"{read.what} has one class only, {classes[0]!r}: there is nothing to tell apart.")
    if len(classes) > MAX_CLASSES:
        raise ValueError(
            f"{read.what} has {len(classes)} different values, more than the {MAX_CLASSES} classes"
            " that are accepted: is it a number, or an identifier?"
        )
    return tuple(classes)


# Applying --------------------------------------------------------------------------------------------------------


def _fill(block: np.ndarray, column: Column, read: _Values) -> None:
    """Writes a column's inputs into `block` of shape (n, number of its inputs)."""
    if column.missing == "refused" and read.missing.any():
        raise ValueError(
            f"Column {column.name!r} is missing a value in {_rows(read.missing)}, and had none missing"
            " in training: fill it in, or leave the row out."
        )
    if column.kind == "category":
        code_of = {category: j for j, category in enumerate(column.categories)}
        texts = _texts_like(column, read)
        codes = np.array([code_of.get(text, -1) for text in texts], np.int64)  # type: ignore[arg-type]
        block[:, : len(code_of)] = codes[:, None] == np.arange(len(code_of))
    else:
        numbers = _numbers(read)
        if column.kind == "boolean":
            _refuse_not_boolean(read)
            block[:, 0] = np.where(read.missing, column.mean, numbers)
        else:
            filled = np.where(read.missing, column.mean, numbers)
            block[:, 0] = _standardise(read.what, filled, column.mean, column.scale)
    if column.missing == "marked":
        block[:, -1] = read.missing


def _standardise(what: str, numbers: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """(x - mean) / scale, refusing what single precision would turn into infinity."""
    with np.errstate(over="ignore"):
        standardised = (numbers - mean) / scale
    far = ~(np.abs(standardised) <= LARGEST)
    if far.any():
        value = float(numbers[int(np.argmax(far))])
        raise ValueError(
            f"{what} is {value!r} in {_rows(far)}, too far from the training values,"
            f" whose mean is {mean:.4g} and whose spread is {scale:.4g}."
        )
    return standardised


def _numbers(read: _Values) -> np.ndarray:
    """The values as float64, NaN where missing."""
    if read.kind in ("category", "date"):
        wrong = np.array([not _reads_as_number(value) for value in read.values], bool) & ~read.missing
        where = wrong if wrong.any() else ~read.missing
        value = str(read.values[int(np.argmax(where))])
        raise ValueError(f"{read.what} is the text {value!r} in {_rows(where)}; a number is expected.")
    _refuse_infinite(read)
    return read.values


def _reads_as_number(text: Any) -> bool:
    try:
        return "_" not in str(text) and math.isfinite(float(text))
    except (TypeError, ValueError):
        return False


def _texts_like(column: Column, read: _Values) -> Sequence[str | None]:
    """The values of a category column as text.

    A file of which all rows say 1 or `true` is read as numbers or booleans, although the training file, which also said
    `G` or `unknown`, was text: such values stand for the category that reads the same.
    """
    if read.kind in ("category", "date"):
        return [None if value is None else str(value) for value in read.values]
    spelt = {}
    for category in reversed(column.categories):
        word = category.strip().lower()
        if read.kind == "boolean" and word in ("true", "false"):
            spelt[float(word == "true")] = category
        elif read.kind == "number" and _reads_as_number(word):
            spelt[float(word)] = category
    return [
        None if missing else spelt.get(value, f"{value:g}")
        for value, missing in zip(read.values.tolist(), read.missing.tolist(), strict=True)
    ]


def _labels_like(classes: tuple[Label, ...], read: _Values) -> list[Label]:
    """Targets as labels of the classes' type, or of their own where there are no classes yet."""
    if read.kind in ("category", "date"):
        return list(read.values)
    text = bool(classes) and isinstance(classes[0], str)
    if text:
        spelling = Column("", "category", categories=tuple(map(str, classes)))
        return [str(value) for value in _texts_like(spelling, read)]
    values = read.values.tolist()
    if (isinstance(classes[0], bool) if classes else read.kind == "boolean") and all(
        value in (0, 1) for value in values
    ):
        return [bool(value) for value in values]
    return [int(value) if value.is_integer() else value for value in values]


def _refuse_infinite(read: _Values) -> None:
    infinite = np.isinf(read.values)
    if infinite.any():
        raise ValueError(f"{read.what} is infinite in {_rows(infinite)}; numbers must be finite.")


def _refuse_slips(read: _Values) -> None:
    """Of a column of text that is mostly numbers, names the first cell that is not."""
    slips = np.array([not _reads_as_number(text) for text in read.values], bool) & ~read.missing
    if 0 < slips.sum() < 0.5 * len(slips):
        value = read.values[int(np.argmax(slips))]
        raise ValueError(f"{read.what} holds numbers, but {value!r} in {_rows(slips)}: mend it, or leave it empty.")


def _refuse_not_boolean(read: _Values) -> None:
    wrong = ~np.isin(read.values, (0.0, 1.0)) & ~read.missing
    if wrong.any():
        value = float(read.values[int(np.argmax(wrong))])
        raise ValueError(f"{read.what} is {value:g} in {_rows(wrong)}; it was true or false in training.")


def _refuse_missing_target(read: _Values) -> None:
    if read.missing.any():
        raise ValueError(f"{read.what} is missing in {_rows(read.missing)}: leave such rows out.")


def _rows(wrong: np.ndarray) -> str:
    """Where the first wrong value stands, and how many more there are."""
    more = int(wrong.sum()) - 1
    return f"row {int(np.argmax(wrong)) + 1} of {len(wrong)}" + (f" (and {more} more)" if more else "")


def _list(names: Sequence[Any], most: int = 10) -> str:
    """Names for a message, cut short when there are many."""
    told = ", ".join(repr(name) for name in names[:most])
    return told + (f" and {len(names) - most} more" if len(names) > most else "")


# Reading a stored description ------------------------------------------------------------------------------------


def _record(value: Any, what: str, keys: set[str]) -> dict[str, Any]:
    """A JSON object with exactly these keys."""
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"The stored {what} must be an object with the keys {sorted(keys)}.")
    return value


def _items(value: Any, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"The stored {what} must be a list of at most {most} items.")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"The stored {what} must be text of at most {MAX_NAME} characters.")
    return value


def _number(value: Any, what: str, *, above_zero: bool = False) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value) or (above_zero and value <= 0):
        raise ValueError(f"The stored {what} must be a finite number{' > 0' * above_zero}.")
    return value


def _choice(value: Any, what: str, choices: tuple[str, ...]) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"The stored {what} must be one of {', '.join(choices)}.")
    return value


def _column_from(spec: Any, what: str) -> Column:
    """One column, from its stored description."""
    kind = spec.get("kind") if isinstance(spec, dict) else None
    kind = _choice(kind, f"kind of {what}", ("number", "boolean", "category"))
    own = {"categories"} if kind == "category" else {"mean", "scale"}
    spec = _record(spec, what, {"name", "kind", "missing"} | own)
    name = _text(spec["name"], f"name of {what}")
    missing = _choice(spec["missing"], f"missing of {what}", ("refused", "filled", "marked"))
    if kind != "category":
        mean = _number(spec["mean"], f"mean of {what}")
        scale = _number(spec["scale"], f"scale of {what}", above_zero=True)
        return Column(name, kind, mean, scale, missing=missing)
    categories = tuple(
        _text(category, f"category of {what}")
        for category in _items(spec["categories"], f"categories of {what}", MAX_CATEGORIES)
    )
    if not categories or len(set(categories)) != len(categories):
        raise ValueError(f"The stored categories of {what} must be different, and at least one.")
    return Column(name, kind, categories=categories, missing=missing)


def _target_from(spec: Any) -> Target:
    """The target, from its stored description."""
    problem = spec.get("problem") if isinstance(spec, dict) else None
    problem = _choice(problem, "problem", ("classes", "numbers"))
    own = {"classes", "class_names"} if problem == "classes" else {"mean", "scale"}
    spec = _record(spec, "target", {"name", "problem"} | own)
    name = _text(spec["name"], "name of the target")
    if problem == "numbers":
        mean = _number(spec["mean"], "mean of the target")
        scale = _number(spec["scale"], "scale of the target", above_zero=True)
        return Target(name, problem, mean=mean, scale=scale)
    classes = tuple(_label(label) for label in _items(spec["classes"], "classes", MAX_CLASSES))
    names = tuple(_text(each, "class name") for each in _items(spec["class_names"], "class names", MAX_CLASSES))
    kinds = {"number" if type(label) in (int, float) else type(label).__name__ for label in classes}
    if len(classes) < 2 or len(set(classes)) != len(classes) or len(kinds) != 1:
        raise ValueError("The stored classes must be two or more different labels of one type.")
    if len(names) != len(classes):
        raise ValueError(f"The stored class names must be {len(classes)}, one for each class.")
    return Target(name, problem, classes, names)


def _label(value: Any) -> Label:
    """A class label: text, true or false, or a number."""
    if isinstance(value, str):
        return _text(value, "class")
    if isinstance(value, bool):
        return value
    number = _number(value, "class")
    return int(number) if isinstance(value, int) else number
