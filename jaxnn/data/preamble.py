"""What may stand above the line of names: comments that start with `#`, and Excel's `sep=;`.

A comment may also *be* the line of names (`# x y z`). It is if it has as many fields as the next line, unless the next
line holds no number, and the one after it does: then that next line names the columns.
"""

import itertools
from typing import NamedTuple

from jaxnn.data.delimited import DELIMITERS, find_delimiter, is_number, rows
from jaxnn.data.opening import Opened


class Begun(NamedTuple):
    """Where the table begins: the file with what is above it skipped, its delimiter if that is stated, and remarks."""

    file: Opened
    delimiter: str | None
    remarks: tuple[str, ...]


def begin(file: Opened, delimiter: str | None) -> Begun:
    """Skips what is above the table.

    Raises:
        ValueError: the text is not a table, or is in another encoding (`UnicodeDecodeError`).
    """
    first = next(file.lines(), "").strip()
    if first.lower().startswith("sep=") and first[4:] in DELIMITERS:
        return Begun(file._replace(skipped=1), delimiter or first[4:], ())
    count = sum(1 for _ in itertools.takewhile(_is_comment, file.lines()))
    below = file._replace(skipped=count)
    if not count or next(below.lines(), None) is None:
        return Begun(file, delimiter, ())
    told: list[str] = []
    found = delimiter or find_delimiter(below)
    named = _names_columns(file._replace(skipped=count - 1), below, found)
    skipped = count - 1 if named else count
    if skipped:
        lines = "The first line is a comment" if skipped == 1 else f"The first {skipped:,} lines are comments"
        told.append(f"{lines}, starting with '#': skipped.")
    if named:
        told.append(f"The names of the columns stand behind the '#' of line {count}.")
    return Begun(file._replace(skipped=skipped, names_in_comment=named), found, tuple(told))


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def _names_columns(comment: Opened, below: Opened, delimiter: str) -> bool:
    """Whether the last line of the comments names the columns of the rows below."""
    _, last = next(rows(comment, delimiter), (0, [""]))
    if last[0].strip() == "#":  # `# x y z`, cut at spaces
        last = last[1:]
    sample = [row for _, row in itertools.islice(rows(below, delimiter), 2)]
    if not sample or len(last) != len(sample[0]):
        return False
    numeric = [any(map(is_number, row)) for row in sample]
    return numeric[0] or not any(numeric)
