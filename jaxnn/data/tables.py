"""Tables from files: delimited text (comma, semicolon, tab, bar, spaces), .gz of it, Parquet and .xlsx, as columns.

Text is read strictly. A row with a field too many or too few is an error that names its line, and a cell is a number
only if it looks like one: `1_0` and `2 # x` do not. A column becomes

    float64           if every cell is a number or missing (NaN); `−5` with U+2212 is a number, and so is `1,5` in a
                      column without points, where the comma does not separate fields; `00501` is a code, not a number
    bool              if every cell is `true` or `false` in any case (with missing cells: objects, None among them)
    text              otherwise: objects, str or None

Dates stay text, and so do `$120`, `45%` and `1,045`: `preprocessing.fit` decides what they are. Values that cannot be
used are refused only there, so you can drop the column first.

What else a file may do, such as have row numbers without a name or comments at its top, is in the file of that idea:
`opening`, `preamble`, `naming`, `delimited`, `cells`, `parquet`, `spreadsheet`. What was decided is in `Table.remarks`.
"""

import os
from collections.abc import Collection
from dataclasses import replace

from jaxnn.data import opening
from jaxnn.data.cells import MISSING, Kinds
from jaxnn.data.delimited import DELIMITERS, SPACES, read_delimited
from jaxnn.data.opening import Opened
from jaxnn.data.parquet import read_parquet
from jaxnn.data.preamble import begin
from jaxnn.data.spreadsheet import read_spreadsheet
from jaxnn.data.table import Table


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
        path: a file of delimited text (UTF-8, UTF-16 with its mark, or Windows-1252), which gzip may have compressed;
            Parquet; or a spreadsheet (.xlsx), of which the first sheet is read.
        delimiter: one of comma, semicolon, tab, bar and space (for any number of spaces); None finds out from the
            first lines.
        missing: cells that stand for a missing value. `None` is not among them by default: it is a common answer. If
            a model was fitted with its own `missing`, read its tables with the same.
        decimal: the decimal mark, "." or ","; None decides column by column. With a comma, numbers with marks stay
            text, which `preprocessing.fit(…, decimal=",")` then reads.
        text: names of columns that stay text, such as `Preprocessing.as_text` of a model; others are ignored.
        number: names of columns in which a leading zero does not make a code; others are ignored.

    Raises:
        ValueError: the file is not such a table; the message names the file, the line and the remedy. A compressed file
            must not unpack to more than 1 GiB.
        OSError: the system refuses to open it.
        ImportError: Parquet or a spreadsheet, and the library that reads it is not installed.
    """
    if delimiter is not None and delimiter not in (*DELIMITERS, SPACES):
        raise ValueError(f"delimiter must be one of {(*DELIMITERS, SPACES)}, got {delimiter!r}.")
    if decimal not in (None, ".", ","):
        raise ValueError(f'decimal must be ".", "," or None, got {decimal!r}.')
    file = opening.recognise(path)
    kinds, absent = Kinds(decimal, set(text), set(number)), frozenset(missing)
    if file.format == "parquet":
        return read_parquet(file.name)
    if file.format == "spreadsheet":
        return read_spreadsheet(file.name, absent, kinds)
    try:
        return _read_text(file, delimiter, absent, kinds)
    except UnicodeDecodeError as error:
        if file.encoding == "utf-16":
            raise ValueError(f"{file.name!r} is not UTF-16 text ({error.reason}): save it as CSV UTF-8.") from None
    western = opening.as_western(file)
    table = _read_text(western, delimiter, absent, kinds)
    told = "The file is not UTF-8, so it is read as Windows-1252: if names look wrong, save it as CSV UTF-8."
    return replace(table, remarks=(told, *table.remarks))


def _read_text(file: Opened, delimiter: str | None, missing: frozenset[str], kinds: Kinds) -> Table:
    """Delimited text, after what may stand above the line of names."""
    begun = begin(file, delimiter)
    table = read_delimited(begun.file, begun.delimiter, missing, kinds)
    return replace(table, remarks=(*begun.remarks, *table.remarks))
