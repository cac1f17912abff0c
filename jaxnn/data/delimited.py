"""Delimited text: rows from lines, the delimiter from the first of them, and columns from rows.

The delimiter is the first of tab, semicolon, bar and comma that cuts the first lines into equally many fields; else
runs of spaces, if they do and some field is always a number; else the one by which each row has one field more than the
line of names, as in R's `write.table`, which names no column of row names; else that of the longest line of names.
"""

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxnn.data import cells, naming
from jaxnn.data.cells import Kinds
from jaxnn.data.opening import Opened
from jaxnn.data.table import Table

DELIMITERS = ("\t", ";", "|", ",")  # the comma is asked last, because it is also found inside numbers and names
SPACES = " "  # runs of them
SAMPLE = 20  # rows that decide the delimiter
LINES_AT_ONCE = 50_000  # rows converted at a time: bounds the memory that cells take as text

Reader = Callable[..., np.ndarray | None]


class Columns(NamedTuple):
    """The columns of a file as they were read, by position, and by which readers."""

    parts: dict[int, list[np.ndarray]]
    readers: list[Reader]
    words: dict[int, set[str]]
    n_rows: int


def read_delimited(file: Opened, delimiter: str | None, missing: frozenset[str], kinds: Kinds) -> Table:
    """Reads text as a table.

    Raises:
        ValueError: the text is not a table, or is in another encoding (`UnicodeDecodeError`).
    """
    delimiter = delimiter or find_delimiter(file)
    line, header = next(rows(file, delimiter), (1, [""]))
    if file.names_in_comment:
        header[0] = header[0].lstrip().lstrip("#")
        header = header[1:] if not header[0].strip() and delimiter == SPACES else header
    width, shifted = _width(file, delimiter, header)
    full = ["", *header] if shifted else [*header, *[""] * (width - len(header))]
    names = naming.named(full, f"{file.name!r}, line {line}:")
    read = _columns(file, delimiter, missing, names.names, len(header), kinds)
    if read.n_rows == 0:
        raise ValueError(f"{file.name!r} has a line of names but no rows.")
    commas = tuple(names.names[j] for j, reader in enumerate(read.readers) if reader is cells.comma_numbers)
    columns = {names.names[j]: _joined(parts) for j, parts in read.parts.items()}
    if shifted and len(set(columns[names.names[0]].tolist())) < read.n_rows:
        first, row = next(itertools.islice(rows(file, delimiter), 1, None))
        raise _ragged(file, first, row, len(header))
    words = {names.names[j]: found for j, each in read.words.items() if (found := cells.spelling(each)) is not None}
    table = Table(columns, read.n_rows, file.name, commas, names.remarks, words)
    return naming.settled(table, names.unnamed, needed=(*kinds.text, *kinds.number))


def rows(file: Opened, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    lines: Iterator[str] = file.lines()
    if delimiter == SPACES:  # a space at the end of a line would be an empty field
        lines = (f"{line.expandtabs(1).strip()}\n" for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)  # `1, "a"` is quoted too
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            if reader.line_num > first or "unexpected end" in str(error):
                fault = f"line {file.skipped + first}: unclosed quote"
            else:
                fault = f"line {file.skipped + reader.line_num}: {error}"
            raise ValueError(f"{file.name!r}, {fault}; check that quotes come in pairs") from None
        if row is None:
            return
        if row:
            yield file.skipped + reader.line_num, row


def find_delimiter(file: Opened) -> str:
    """The delimiter that the first rows suggest."""
    samples: dict[str, list[list[str]]] = {}
    fault: ValueError | None = None
    for delimiter in (*DELIMITERS, SPACES):
        try:
            samples[delimiter] = [row for _, row in itertools.islice(rows(file, delimiter), SAMPLE)]
        except UnicodeDecodeError:
            raise
        except ValueError as error:  # quotes that do not pair up under this delimiter
            fault = fault or error
    for delimiter, sample in samples.items():
        widths = [len(row) for row in sample]
        if widths and widths[0] > 1 and len(set(widths)) == 1 and (delimiter != SPACES or _has_numbers(sample[1:])):
            return delimiter
    for delimiter, sample in samples.items():
        if _one_name_less(sample) and len(sample[0]) > 1:
            return delimiter
    lengths = {delimiter: len(sample[0]) if sample else 0 for delimiter, sample in samples.items()}
    lengths.pop(SPACES, None)
    if fault is not None and max(lengths.values(), default=0) < 2:
        raise fault
    return max(reversed(DELIMITERS), key=lambda each: lengths.get(each, 0))


def is_number(cell: str) -> bool:
    """Whether a cell is a number as programs write it."""
    return bool(cell.strip()) and cells.numbers((cell,), frozenset()) is not None


def _has_numbers(sample: Sequence[Sequence[str]]) -> bool:
    """Whether some column holds numbers only: words alone do not make a table of a text with spaces."""
    return bool(sample) and any(all(is_number(cell) for cell in column) for column in zip(*sample, strict=True))


def _one_name_less(sample: Sequence[Sequence[str]]) -> bool:
    """Whether each row has one field more than the first."""
    return len(sample) > 1 and {len(row) for row in sample[1:]} == {len(sample[0]) + 1}


def _width(file: Opened, delimiter: str, header: Sequence[str]) -> tuple[int, bool]:
    """The number of fields of each row, and whether the first of them is the one that has no name."""
    sample = [row for _, row in itertools.islice(rows(file, delimiter), SAMPLE)]
    if len(header) < 2 or not _one_name_less([header, *sample[1:]]):
        return len(header), False
    ends_empty = not any(row[-1].strip() for row in sample[1:])
    return len(header) + 1, not ends_empty


def _columns(
    file: Opened, delimiter: str, missing: frozenset[str], names: Sequence[str], named: int, kinds: Kinds
) -> Columns:
    """Reads some lines at a time, each column by the first reader that can read all of it.

    If a reader fails in later lines, the next reader reads the column again from the start.
    """
    readers = [kinds.readers(each, delimiter) for each in names]
    reader_of = [0] * len(names)
    parts: dict[int, list[np.ndarray]] = {j: [] for j in range(len(names))}
    words: dict[int, set[str]] = {}
    unread = set(parts)
    n_rows = 0
    while unread:
        again: set[int] = set()
        n_rows = 0
        for some in _some_rows(file, delimiter, len(names), named):
            columns = list(zip(*some, strict=True))
            for j in unread - again:
                part = readers[j][reader_of[j]](columns[j], missing)
                while part is None and n_rows == 0:
                    reader_of[j] += 1
                    part = readers[j][reader_of[j]](columns[j], missing)
                if part is None:
                    reader_of[j] += 1
                    parts[j].clear()
                    again.add(j)
                else:
                    parts[j].append(part)
                    if readers[j][reader_of[j]] is cells.booleans:
                        words.setdefault(j, set()).update(columns[j])
            n_rows += len(some)
        unread = again
    used = [readers[j][reader_of[j]] for j in range(len(names))]
    return Columns(parts, used, {j: each for j, each in words.items() if used[j] is cells.booleans}, n_rows)


def _some_rows(file: Opened, delimiter: str, width: int, named: int) -> Iterator[list[list[str]]]:
    """The rows below the header, `LINES_AT_ONCE` at a time."""
    some: list[list[str]] = []
    for line, row in itertools.islice(rows(file, delimiter), 1, None):
        if len(row) != width:
            raise _ragged(file, line, row, named)
        some.append(row)
        if len(some) == LINES_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _ragged(file: Opened, line: int, row: Sequence[str], named: int) -> ValueError:
    fields = f"{len(row)} field{'s' * (len(row) != 1)}"
    return ValueError(f"{file.name!r}, line {line}: {fields}, but the first line names {named}.")


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """One column from its parts."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
