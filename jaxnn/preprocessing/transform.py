"""What was learnt about a table, and its application to the next one."""

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn.preprocessing.filling import fill, numbers_written, read_as, relative_counts, standardised, texts_like
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.learnt import LARGEST, Column, Label, Problem, Target
from jaxnn.preprocessing.raw import (
    Values,
    check_matrix,
    common_length,
    distinct,
    is_array,
    listed,
    read_column,
    rows_named,
)


class Preprocessing(NamedTuple):
    """The fitted transformation between a raw table and a network: made by `fit`, `fit_arrays` or `from_spec`.

    Attributes:
        columns: what was learnt about each column of the inputs.
        target: what was learnt about the target.
        notes: what was decided about columns that could have been decided otherwise, one line each.
        missing: texts that stand for a missing value.
    """

    columns: tuple[Column, ...]
    target: Target
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

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
        """What is predicted: "classes", "numbers" or "counts"."""
        return self.target.problem

    @property
    def as_text(self) -> tuple[str, ...]:
        """The columns that are to be read from a file as text, for `data.read_table(path, text=…)`.

        They are the categories, of which `01` and `1` may be two, and what was numbers in another notation than that of
        programs, of which a cell such as `1.045` alone would be read in theirs.
        """
        notations = {column.name: column.notation for column in self.columns} | {self.target.name: self.target.notation}
        categories = [column.name for column in self.columns if column.kind == "category"]
        return (*categories, *(name for name, notation in notations.items() if notation is not None))

    def inputs(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """The network's inputs for the rows of `table`.

        Args:
            table: a `data.Table`, a mapping from names to columns, a DataFrame (pandas, polars, pyarrow, narwhals),
                or, where no column holds categories, an array of shape (n, number of raw columns) in their order.
                Columns that the model does not use are ignored.
            clip: limit numbers to the range of their column in training, [least, most].
            fill_missing: replace missing values by the mean, or by no category, even where training had none missing.

        Returns:
            float64 of shape (n, n_in), finite, n_in = len(input_names).

        Raises:
            ValueError: a column is absent or holds another kind of values; a value is missing where training had
                none missing, infinite, or too far from the training values for single precision.
        """
        if is_array(table):
            return self._inputs_of_array(np.asarray(table), clip, fill_missing)
        columns = columns_of(table)
        needed = [column for column in self.columns if column.needed]
        _refuse_absent(tuple(column.name for column in needed), columns)
        read = [(column, read_as(column, columns[column.name], self.missing)) for column in needed]
        n = common_length([values for _, values in read])
        inputs = np.empty((n, len(self.input_names)))
        start = 0
        for column, values in read:
            stop = start + len(column.input_names)
            fill(inputs[:, start:stop], column, values, clip, fill_missing)
            start = stop
        return inputs

    def targets(self, values: Any) -> np.ndarray:
        """The network's targets: int32 class codes, or float64 numbers, standardised or counts / mean, of shape (n,).

        Raises:
            ValueError: a target is missing, is not one of the known classes, is not a finite number, or is a negative
                count.
        """
        target = self.target
        read = read_column(f"Target {target.name!r}", values, self.missing)
        refuse_missing_target(read)
        if target.problem == "numbers":
            return standardised(read.what, numbers_written(read, target.notation), target.mean, target.scale)
        if target.problem == "counts":
            return relative_counts(read.what, numbers_written(read, target.notation), target.scale)
        code_of = {label: code for code, label in enumerate(target.classes)}
        different, place = distinct(read)
        labels = labels_like(target.classes, different)
        unknown = np.array([label not in code_of for label in labels], bool)[place]
        if unknown.any():
            label = labels[place[np.argmax(unknown)]]
            raise ValueError(
                f"{read.what} is {label!r} in {rows_named(unknown)}, which is not one of the classes"
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

        Those of counts are mean · eᵒ, from the logarithm o of a relative rate.

        Raises:
            ValueError: the problem is classes, or the shape is another.
        """
        if self.target.problem == "classes":
            raise ValueError("The target is a class, not a number: use labels(codes).")
        outputs = np.asarray(outputs, np.float64)
        if not (outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)):
            raise ValueError(f"Outputs must have shape (n,) or (n, 1), got {outputs.shape}.")
        if self.target.problem == "counts":
            with np.errstate(over="ignore"):  # an infinite prediction is told where it is made
                return np.exp(outputs.reshape(-1)) * self.target.scale
        return outputs.reshape(-1) * self.target.scale + self.target.mean

    def unknown_categories(self, table: Any) -> dict[str, tuple[str, ...]]:
        """For each category column of `table`, the values that training did not see; columns without are left out.

        So are columns that have an input for other categories: an unknown one is one of these.
        """
        columns = columns_of(table)
        unknown = {}
        for column in self.columns:
            if column.kind == "category" and not column.other and column.name in columns:
                different, _ = distinct(read_as(column, columns[column.name], self.missing))
                texts = texts_like(column, different)
                strangers = {text for text in texts if text is not None} - set(column.categories)
                if strangers:
                    unknown[column.name] = tuple(sorted(strangers))
        return unknown

    def to_spec(self) -> dict[str, Any]:
        """The same as JSON-able values, for `from_spec`; floats survive JSON exactly."""
        columns = [column.to_spec() for column in self.columns]
        target: dict[str, Any] = {"name": self.target.name, "problem": self.target.problem}
        if self.target.problem == "classes":
            target |= {
                "classes": list(self.target.classes),
                "class_names": list(self.target.class_names),
            }
        else:
            target |= {"mean": self.target.mean} if self.target.problem == "numbers" else {}
            target["scale"] = self.target.scale
            if self.target.notation is not None:
                target["notation"] = self.target.notation._asdict()
        optional = {"notes": list(self.notes), "missing": list(self.missing)}
        return {"columns": columns, "target": target} | {name: texts for name, texts in optional.items() if texts}

    def _inputs_of_array(self, x: np.ndarray, clip: bool, fill_missing: bool) -> np.ndarray:
        """As `inputs`, for an array: in one piece where all columns are complete numbers, as images are."""
        names = [column.name for column in self.columns if column.kind == "category"]
        if names:
            raise ValueError(
                f"The model has category columns ({listed(names)}), which an array cannot hold:"
                " give a table with named columns."
            )
        check_matrix(x, len(self.columns))
        used = [j for j, column in enumerate(self.columns) if column.needed]
        columns = [self.columns[j] for j in used]
        plain = all(c.kind == "number" and c.missing == "refused" for c in columns)
        if not plain or clip or fill_missing or x.dtype.kind not in "iuf":
            table = {column.name: x[:, j] for j, column in zip(used, columns, strict=True)}
            return self.inputs(table, clip=clip, fill_missing=fill_missing)
        if len(used) < len(self.columns):
            x = x[:, used]
        inputs = np.subtract(x, [column.mean for column in columns], dtype=np.float64)
        with np.errstate(over="ignore"):  # what overflows is refused below, by name
            inputs /= np.array([column.scale for column in columns])
        if not (np.abs(inputs) <= LARGEST).all():
            j = int(np.argmin((np.abs(inputs) <= LARGEST).all(axis=0)))
            fill(inputs[:, j : j + 1], columns[j], read_as(columns[j], x[:, j]), clip, fill_missing)
        return inputs


def labels_like(classes: tuple[Label, ...], read: Values) -> list[Label]:
    """Targets as labels of the classes' type, or of their own where there are no classes yet."""
    if read.kind in ("category", "date"):
        return list(read.values)
    text = bool(classes) and isinstance(classes[0], str)
    if text:
        spelling = Column("", "category", categories=tuple(map(str, classes)))
        return [str(value) for value in texts_like(spelling, read)]
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


def refuse_missing_target(read: Values) -> None:
    """Raises ValueError, naming the row, if a target is missing."""
    if len(read.missing) and read.missing.all():
        raise ValueError(f"{read.what} holds no values, but only numbers or classes can be predicted.")
    if read.missing.any():
        raise ValueError(f"{read.what} is missing in {rows_named(read.missing)}: leave such rows out.")
