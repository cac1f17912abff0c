"""What is done with each column of a table, as data, and as text when printed."""

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn.preprocessing import dates
from jaxnn.preprocessing.faults import raise_all
from jaxnn.preprocessing.fitted import CONSTANT, CONSTANT_OR_MISSING, NOTHING, Fitted
from jaxnn.preprocessing.learnt import Column
from jaxnn.preprocessing.notes import grouped
from jaxnn.preprocessing.raw import Values, text_of
from jaxnn.wording import listed

WIDTH = 100
LONGEST = 24  # characters of a name or an example in the table
HEADER = ("column", "read as", "inputs", "missing", "example", "to change it")


class Explained(NamedTuple):
    """What is done with one column.

    Attributes:
        column: its name.
        read_as: "number", "boolean", "category", "date", "left out", "target: classes", "target: numbers", or "fault".
        inputs: how many inputs of the network it becomes.
        missing: how many of its values are missing, of all rows.
        example: its first value, as text; empty if there is none.
        decided: what was decided, in a sentence.
        change: the options that would change it, such as `--category zip`.
    """

    column: str
    read_as: str
    inputs: int
    missing: int
    example: str
    decided: str
    change: str


class Explanation(NamedTuple):
    """What is done with each column of a table; `print` gives a table.

    Attributes:
        rows: one for each column, in the order of the table.
        refusal: the error that training would end with, or None.
    """

    rows: tuple[Explained, ...]
    refusal: ValueError | None = None

    def __str__(self) -> str:
        cells = [HEADER, *(_cells(row) for row in self.rows)]
        widths = [max(len(row[j]) for row in cells) for j in range(len(HEADER))]
        lines = [_line(cells[0], widths)]
        indent = " " * (widths[0] + 3)
        for row, each in zip(self.rows, cells[1:], strict=True):
            lines.append(_line(each, widths))
            lines += textwrap.wrap(row.decided, WIDTH, initial_indent=indent, subsequent_indent=indent)
        return "\n".join(lines)


def explanation(
    read: Mapping[str, Values | ValueError],
    fitted: Mapping[str, Fitted],
    faults: Mapping[str, ValueError],
    target: Explained,
    fault: ValueError | None = None,
) -> Explanation:
    """What is done with each column, from what was read and learnt, and from the faults.

    Args:
        read: the raw columns.
        fitted: those that were learnt.
        faults: why the others cannot be used.
        target: the row of the target.
        fault: why the target cannot be predicted, if it cannot.
    """
    rows = []
    for name, values in read.items():
        if name in fitted:
            rows.append(explained(fitted[name], values))
        else:
            missing, example = of_values(values)
            change = f"--drop {shlex.quote(name)}"
            rows.append(Explained(name, "fault", 0, missing, example, str(faults[name]), change))
    refusal: ValueError | None = None
    try:
        raise_all(faults, fault)
    except ValueError as error:
        refusal = error
    return Explanation((target, *rows), refusal)


def explained(fitted: Fitted, values: Values | ValueError) -> Explained:
    """What is done with a column that was learnt."""
    column = fitted.column
    missing, example = of_values(values)
    kind = "left out" if column.kind == "unused" and column.missing != "marked" else column.kind
    decided = "; ".join(grouped(fitted.notes)) or described(column)
    change = ", ".join(f"--{option} {shlex.quote(column.name)}" for option in _options(fitted, values))
    return Explained(column.name, kind, len(column.input_names), missing, example, decided, change)


def _options(fitted: Fitted, values: Values | ValueError) -> tuple[str, ...]:
    """The options that would change what is done with a column."""
    number = isinstance(values, Values) and values.kind == "number"
    if fitted.column.kind == "unused":
        empty = {note.about for note in fitted.notes} & {CONSTANT, CONSTANT_OR_MISSING, NOTHING}
        return () if empty else ("number",) if number else ("category",)
    if fitted.column.kind == "category":
        return ("number", "drop") if number else ("drop",)
    return "category", "drop"


def described(column: Column) -> str:
    """What a model does with a column, in words."""
    said = {
        "number": f"(x - {column.mean:.6g}) / {column.scale:.6g}",
        "boolean": "0 or 1",
        "category": f"one input for each of {len(column.categories)}: {listed(column.categories)}",
        "date": "",
        "unused": "ignored",
    }[column.kind]
    if column.kind == "date":
        example = dates.example(column.form)
        said = f"{listed(['the time elapsed in days', *column.parts])}; written like {example}"
    if column.kind == "number" and column.notation is not None and not column.notation.plain:
        said += f"; written {column.notation.example}"
    if column.other:
        said += "; one for all others"
    if column.absent:
        said += f"; missing where it says {listed(tuple(map(repr, column.absent)))}"
    if column.missing == "marked":
        return f"{said}; one more input where it is missing" if column.kind != "unused" else "whether it is missing"
    return said


def of_values(values: Values | ValueError) -> tuple[int, str]:
    """How many values are missing, and the first that is not, as text."""
    if isinstance(values, ValueError) or values.missing.all():
        return (0, "") if isinstance(values, ValueError) else (len(values.missing), "")
    first: Any = values.values[int(np.argmin(values.missing))]
    if values.kind == "boolean":
        return int(values.missing.sum()), str(bool(first))
    return int(values.missing.sum()), text_of(first)


def _cells(row: Explained) -> tuple[str, ...]:
    name, example = (textwrap.shorten(text, LONGEST, placeholder="…") for text in (row.column, row.example))
    return (name or row.column[:LONGEST], row.read_as, str(row.inputs), str(row.missing), example, row.change)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """A line of the table: numbers flush right, all else flush left."""
    aligned = (
        cell.rjust(width) if j in (2, 3) else cell.ljust(width)
        for j, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "   ".join(aligned).rstrip()
