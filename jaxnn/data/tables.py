"""Tables from files: delimited text (comma, semicolon, tab, bar) and Parquet, as columns of numpy arrays.

Text is read strictly. A row with a field too many or too few is an error that names its line, and a cell is a number
only if it looks like one: `1_0` and `2 # x` do not. A column becomes

    float64           if every cell is a number or missing (NaN); `−5` with U+2212 is a number, and so is `1,5` in a
                      column without points, where the comma does not separate fields; `00501` is a code, not a number
    bool              if every cell is `true` or `false` in any case (with missing cells: objects, None among them)
    text              otherwise: objects, str or None

Dates stay text, and so do `$120`, `45%` and `1,045`: `preprocessing.fit` decides what they are. Values that cannot be
used are refused only there, so you can drop the column first.
"""

import codecs
import contextlib
import csv
import itertools
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks

DELIMITERS = ("\t", ";", "|", ",")
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "?")
USUALLY_MISSING = frozenset(MISSING)
LINES_AT_ONCE = 50_000  # rows converted at a time: bounds the memory that cells take as text
MAX_COLUMNS = 100_000
CODES = re.compile(r"^[ \t]*0\d+[ \t]*$", re.MULTILINE)
COMMA = re.compile(r"^[ \t]*[+-]?(?:0,|\d{4,},|\d*,(?!\d{3}[ \t]*$))", re.MULTILINE)  # no comma between thousands
NOT_TEXT = {
    b"\x1f\x8b": "is compressed: unpack it first (gunzip)",
    b"PK\x03\x04": "is a spreadsheet or a zip archive: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "is an old spreadsheet: save the table as CSV",
}


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name.

    Attributes:
        columns: name -> array of shape (n_rows,): float64, bool, or objects (str, bool, None).
        n_rows: the number of rows, also `len(table)`.
        path: the file.
        decimal_commas: the columns whose numbers were written with decimal commas.
    """

    columns: dict[str, np.ndarray]
    n_rows: int
    path: str
    decimal_commas: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the file's order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, name: str) -> np.ndarray:
        return checks.one_of(name, self.columns, "column")


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    missing: Collection[str] = MISSING,
    decimal: str | None = None,
    text: Collection[str] = (),
    number: Collection[str] = (),
) -> Table:
    """Reads a table with a line of names at the top.

    Args:
        path: a file of delimited text (UTF-8, or UTF-16 with its mark), or Parquet.
        delimiter: one of comma, semicolon, tab and bar; None finds out from the first lines.
        missing: cells that stand for a missing value. `None` is not among them by default: it is a common answer. If
            a model was fitted with its own `missing`, read its tables with the same.
        decimal: the decimal mark, "." or ","; None decides column by column. With a comma, numbers with marks stay
            text, which `preprocessing.fit(…, decimal=",")` then reads.
        text: names of columns that stay text, such as `Preprocessing.as_text` of a model; others are ignored.
        number: names of columns in which a leading zero does not make a code; others are ignored.

    Raises:
        ValueError: the file is not such a table; the message names the file, the line and the remedy.
        OSError: the system refuses to open it.
        ImportError: Parquet, and narwhals or pyarrow is not installed.
    """
    name = os.fspath(path)
    if delimiter is not None and delimiter not in DELIMITERS:
        raise ValueError(f"delimiter must be one of {DELIMITERS}, got {delimiter!r}.")
    if decimal not in (None, ".", ","):
        raise ValueError(f'decimal must be ".", "," or None, got {decimal!r}.')
    with open(path, "rb", opener=_open_without_waiting) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"{name!r} is not a regular file.")
        start = file.read(65_536)
    if not start.strip():
        raise ValueError(f"{name!r} is empty.")
    if start.startswith(b"PAR1"):
        return _read_parquet(name)
    for magic, remedy in NOT_TEXT.items():
        if start.startswith(magic):
            raise ValueError(f"{name!r} {remedy}.")
    utf_16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in start and not utf_16:
        raise ValueError(f"{name!r} is binary, not a table as text.")
    encoding = "utf-16" if utf_16 else "utf-8-sig"
    try:
        return _read_delimited(name, encoding, delimiter, frozenset(missing), _Kinds(decimal, set(text), set(number)))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name!r} is not {error.encoding} text ({error.reason}): save it as CSV UTF-8.") from None


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens for reading without blocking: a pipe that nobody writes to would block forever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


# Delimited text --------------------------------------------------------------------------------------------------


class _Kinds(NamedTuple):
    """What is known of the columns: the decimal mark, and the names of those that are text and numbers."""

    decimal: str | None
    text: set[str]
    number: set[str]

    def readers(self, name: str, delimiter: str) -> list[Callable[..., np.ndarray | None]]:
        """The readers to try for a column, in turn."""
        if name in self.text:
            return [_texts]
        numbers = _numbers if name in self.number else _numbers_without_codes
        if self.decimal == ",":
            return [_whole_numbers, _booleans, _texts]
        commas = [] if delimiter == "," or self.decimal else [_comma_numbers]
        return [numbers, *commas, _booleans, _texts]


def _read_delimited(name: str, encoding: str, delimiter: str | None, missing: frozenset[str], kinds: _Kinds) -> Table:
    """Reads text some lines at a time, each column by the first reader that can read all of it.

    If a reader fails in later lines, the next reader reads the column again from the start.
    """
    delimiter = delimiter or _find_delimiter(name, encoding)
    header = _header(name, encoding, delimiter)
    readers = [kinds.readers(each, delimiter) for each in header]
    reader_of = [0] * len(header)
    columns: dict[int, list[np.ndarray]] = {j: [] for j in range(len(header))}
    unread = set(columns)
    n_rows = 0
    while unread:
        again: set[int] = set()
        n_rows = 0
        for rows in _some_lines(name, encoding, delimiter, len(header)):
            cells = list(zip(*rows, strict=True))
            for j in unread - again:
                part = readers[j][reader_of[j]](cells[j], missing)
                while part is None and n_rows == 0:
                    reader_of[j] += 1
                    part = readers[j][reader_of[j]](cells[j], missing)
                if part is None:
                    reader_of[j] += 1
                    columns[j].clear()
                    again.add(j)
                else:
                    columns[j].append(part)
            n_rows += len(rows)
        unread = again
    if n_rows == 0:
        raise ValueError(f"{name!r} has a line of names but no rows.")
    commas = tuple(header[j] for j in columns if readers[j][reader_of[j]] is _comma_numbers)
    return Table({header[j]: _joined(parts) for j, parts in columns.items()}, n_rows, name, commas)


def _lines(name: str, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    with open(name, encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            first = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                if reader.line_num > first or "unexpected end" in str(error):
                    raise ValueError(
                        f"{name!r}, line {first}: unclosed quote; check that quotes come in pairs"
                    ) from None
                raise ValueError(
                    f"{name!r}, line {reader.line_num}: {error}; check that quotes come in pairs"
                ) from None
            if row is None:
                return
            if row:
                yield reader.line_num, row


def _find_delimiter(name: str, encoding: str) -> str:
    """The first of `DELIMITERS` that cuts the first lines into equally many fields; else that of the longest header.

    The comma is asked last, because it is also found inside numbers and names.
    """
    fields = {}
    fault: ValueError | None = None
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for _, row in itertools.islice(_lines(name, encoding, delimiter), 20)]
        except UnicodeDecodeError:
            raise
        except ValueError as error:  # quotes that do not pair up under this delimiter
            fault = error
            continue
        if widths and widths[0] > 1 and len(set(widths)) == 1:
            return delimiter
        fields[delimiter] = widths[0] if widths else 0
    if fault is not None and max(fields.values(), default=0) < 2:
        raise fault
    return max(reversed(DELIMITERS), key=lambda each: fields.get(each, 0))


def _header(name: str, encoding: str, delimiter: str) -> list[str]:
    """The names of the columns, checked."""
    line, header = next(_lines(name, encoding, delimiter), (1, [""]))
    header = [each.strip() for each in header]
    where = f"{name!r}, line {line}:"
    if len(header) > MAX_COLUMNS:
        raise ValueError(f"{where} {len(header)} columns, more than the {MAX_COLUMNS} that are accepted.")
    if "" in header:
        raise ValueError(
            f"{where} column {header.index('') + 1} has no name (row numbers that another program wrote?):"
            " name it, and drop it if it is useless."
        )
    if len(set(header)) < len(header):
        twice = next(each for each in header if header.count(each) > 1)
        raise ValueError(f"{where} two columns are called {twice!r}: rename one.")
    if not all(each.isdecimal() for each in header) and _numbers(tuple(header), frozenset()) is not None:
        raise ValueError(f"{where} numbers where the names of the columns should be: add a line of names at the top.")
    return header


def _some_lines(name: str, encoding: str, delimiter: str, width: int) -> Iterator[list[list[str]]]:
    """The rows below the header, `LINES_AT_ONCE` at a time."""
    rows: list[list[str]] = []
    for line, row in itertools.islice(_lines(name, encoding, delimiter), 1, None):
        if len(row) != width:
            raise ValueError(
                f"{name!r}, line {line}: {len(row)} field{'s' * (len(row) != 1)}, but the first line names {width}."
            )
        rows.append(row)
        if len(rows) == LINES_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


def _numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """The cells as float64, or None if one of them is neither a number nor missing."""
    joined = "\n".join(cells)
    if "_" in joined:  # Python's 1_000, which no table means
        return None
    texts = joined.replace("\N{MINUS SIGN}", "-").split("\n")
    if len(texts) != len(cells):  # a quoted cell with a line break
        return None
    if missing == USUALLY_MISSING:  # among which is `nan`, and no other number
        with contextlib.suppress(ValueError):
            return np.array(texts, np.float64)
    absent = np.array([cell.strip() in missing for cell in cells], bool)
    try:
        numbers = np.array(["nan" if gone else text for gone, text in zip(absent, texts, strict=True)], np.float64)
    except ValueError:
        return None
    return numbers if missing == USUALLY_MISSING or (np.isnan(numbers) == absent).all() else None


def _numbers_without_codes(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `_numbers`, but `00501` is a code: a number would lose its zeros."""
    return None if CODES.search("\n".join(cells)) else _numbers(cells, missing)


def _comma_numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `_numbers`, with decimal commas: where there are points too, or three digits behind all, it may be another."""
    joined = "\n".join(cells)
    if "." in joined or ("," in joined and not COMMA.search(joined)) or CODES.search(joined):
        return None
    return _numbers(tuple(cell.replace(",", ".") for cell in cells), missing)


def _whole_numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `_numbers`, where no mark stands between the digits that could mean one thing or another."""
    joined = "\n".join(cells)
    return None if "." in joined or "," in joined else _numbers_without_codes(cells, missing)


def _booleans(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """The cells as bool, or as objects with None among them; None if one of them is something else."""
    values = {"true": True, "false": False} | dict.fromkeys(map(str.lower, missing))
    words = [cell.strip().lower() for cell in cells]
    if not set(words) <= set(values):
        return None
    return _compact(np.array([values[word] for word in words], object))


def _texts(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray:
    """The cells as text without surrounding space, None where missing; equal cells share one string."""
    shared: dict[str, str | None] = dict.fromkeys(missing)
    stripped = [cell.strip() for cell in cells]
    texts = np.empty(len(cells), object)
    texts[:] = [shared.setdefault(cell, cell) for cell in stripped]
    return texts


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """One column from its parts."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _compact(values: np.ndarray) -> np.ndarray:
    """Objects that are all booleans as bool."""
    return values.astype(bool) if set(map(type, values.tolist())) == {bool} else values


# Parquet ---------------------------------------------------------------------------------------------------------


def _read_parquet(name: str) -> Table:
    """Reads Parquet; whatever a damaged file makes its reader raise becomes a ValueError."""
    parquet = checks.require("pyarrow.parquet", extra="tables", purpose="to read Parquet")
    narwhals = checks.require("narwhals", extra="tables", purpose="to read Parquet")
    try:
        schema = parquet.read_schema(name)
        twice = next((each for each in schema.names if schema.names.count(each) > 1), None)
        if twice is not None:
            raise ValueError(f"two columns are called {twice!r}; rename one")
        frame = narwhals.read_parquet(name, backend="pyarrow")
        categorical = _categorical_for_pandas(schema)
        columns = {str(each): _parquet_column(frame[each], each in categorical) for each in frame.columns}
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{name!r} is a damaged Parquet file: {_first_line(error)}.") from None
    except Exception as error:
        raise ValueError(f"{name!r} cannot be read as Parquet: {_first_line(error)}.") from None
    if not columns or len(frame) == 0:
        raise ValueError(f"{name!r} has no {'rows' if columns else 'columns'}.")
    return Table(columns, len(frame), name)


def _categorical_for_pandas(schema: Any) -> set[str]:
    """The columns that pandas wrote as categorical; of numbers, the file's own types have forgotten it."""
    described = schema.pandas_metadata or {}
    return {each["name"] for each in described.get("columns", ()) if each.get("pandas_type") == "categorical"}


def _parquet_column(series: Any, categorical: bool) -> np.ndarray:
    """A narwhals series: numbers as float64, categories as text, the rest as objects for preprocessing."""
    if categorical or type(series.dtype).__name__ in ("Categorical", "Enum"):
        values = np.empty(len(series), object)
        values[:] = [None if each is None else str(each) for each in series.to_list()]
        return values
    if series.dtype.is_numeric():
        if series.null_count() or series.dtype.is_decimal():
            return np.array([np.nan if each is None else float(each) for each in series.to_list()])
        return np.asarray(series.to_numpy(), np.float64)
    values = np.empty(len(series), object)
    values[:] = series.to_list()
    return _compact(values)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
