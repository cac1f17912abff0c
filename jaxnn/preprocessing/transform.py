"""What was learnt about a table, and its application to the next one."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from jaxnn.preprocessing.raw import (
    Values,
    check_matrix,
    columns_of,
    common_length,
    distinct,
    is_array,
    listed,
    numbers_of,
    read_column,
    reads_as_number,
    rows_told,
)

Problem: TypeAlias = Literal["classes", "numbers"]
Kind: TypeAlias = Literal["number", "boolean", "category"]
Missing: TypeAlias = Literal["refused", "filled", "marked"]
Label: TypeAlias = str | bool | int | float

LARGEST = float(np.finfo(np.float32).max)  # a network in single precision sees infinity beyond


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
        if is_array(table):
            return self._inputs_of_array(np.asarray(table))
        columns = columns_of(table)
        _refuse_absent(tuple(column.name for column in self.columns), columns)
        read = [(column, read_column(f"Column {column.name!r}", columns[column.name])) for column in self.columns]
        n = common_length([values for _, values in read])
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
        read = read_column(f"Target {target.name!r}", values)
        refuse_missing_target(read)
        if target.problem == "numbers":
            return _standardise(read.what, numbers_of(read), target.mean, target.scale)
        code_of = {label: code for code, label in enumerate(target.classes)}
        different, place = distinct(read)
        labels = labels_like(target.classes, different)
        unknown = np.array([label not in code_of for label in labels], bool)[place]
        if unknown.any():
            label = labels[place[np.argmax(unknown)]]
            raise ValueError(
                f"{read.what} is {label!r} in {rows_told(unknown)}, which is none of the classes"
                f" of the training rows: {listed(target.class_names)}."
            )
        return np.array([code_of[label] for label in labels], np.int32)[place]

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
        columns = columns_of(table)
        unknown = {}
        for column in self.columns:
            if column.kind == "category" and column.name in columns:
                different, _ = distinct(read_column(f"Column {column.name!r}", columns[column.name]))
                texts = _texts_like(column, different)
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
                f"The model has columns of categories ({listed(names)}), which an array cannot hold:"
                " give a table with named columns."
            )
        check_matrix(x, len(self.columns))
        plain = all(c.kind == "number" and c.missing == "refused" for c in self.columns)
        if not plain or x.dtype.kind not in "iuf":
            return self.inputs({c.name: x[:, j] for j, c in enumerate(self.columns)})
        inputs = np.subtract(x, [column.mean for column in self.columns], dtype=np.float64)
        with np.errstate(over="ignore"):  # what overflows is refused below, by name
            inputs /= np.array([column.scale for column in self.columns])
        if not (np.abs(inputs) <= LARGEST).all():
            j = int(np.argmin((np.abs(inputs) <= LARGEST).all(axis=0)))
            _fill(inputs[:, j : j + 1], self.columns[j], read_column(f"Column {self.columns[j].name!r}", x[:, j]))
        return inputs


def _fill(block: np.ndarray, column: Column, read: Values) -> None:
    """Writes a column's inputs into `block` of shape (n, number of its inputs)."""
    if column.missing == "refused" and read.missing.any():
        raise ValueError(
            f"Column {column.name!r} is missing a value in {rows_told(read.missing)}, and had none missing"
            " in training: fill it in, or leave the row out."
        )
    if column.kind == "category":
        code_of = {category: j for j, category in enumerate(column.categories)}
        different, place = distinct(read)
        texts = _texts_like(column, different)
        codes = np.array([-1 if text is None else code_of.get(text, -1) for text in texts], np.int64)
        block[:, : len(code_of)] = codes[place][:, None] == np.arange(len(code_of))
    else:
        numbers = numbers_of(read)
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
            f"{what} is {value!r} in {rows_told(far)}, too far from the training values,"
            f" whose mean is {mean:.4g} and whose spread is {scale:.4g}."
        )
    return standardised


def _texts_like(column: Column, read: Values) -> Sequence[str | None]:
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
        elif read.kind == "number" and reads_as_number(word):
            spelt[float(word)] = category
    return [
        None if missing else spelt.get(value, f"{value:g}")
        for value, missing in zip(read.values.tolist(), read.missing.tolist(), strict=True)
    ]


def labels_like(classes: tuple[Label, ...], read: Values) -> list[Label]:
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


def _refuse_absent(wanted: tuple[str, ...], columns: Mapping[str, Any]) -> None:
    """Names the columns that the table lacks, and for the first one the nearest that it has."""
    absent = [name for name in wanted if name not in columns]
    if absent:
        near = difflib.get_close_matches(absent[0], columns, n=1, cutoff=0.5)
        hint = f" The nearest to {absent[0]!r} is {near[0]!r}." if near else ""
        raise ValueError(f"The table lacks the columns {listed(absent)}.{hint}")


def _refuse_not_boolean(read: Values) -> None:
    wrong = ~np.isin(read.values, (0.0, 1.0)) & ~read.missing
    if wrong.any():
        value = float(read.values[int(np.argmax(wrong))])
        raise ValueError(f"{read.what} is {value:g} in {rows_told(wrong)}; it was true or false in training.")


def refuse_missing_target(read: Values) -> None:
    """Raises ValueError, naming the row, if a target is missing."""
    if read.missing.any():
        raise ValueError(f"{read.what} is missing in {rows_told(read.missing)}: leave such rows out.")
