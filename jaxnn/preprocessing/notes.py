"""Notes on columns, grouped into as few lines as possible."""

import shlex
from collections.abc import Iterable
from typing import NamedTuple

DECIMAL_COMMAS = "read with decimal commas"


class Note(NamedTuple):
    """One note on one column.

    Attributes:
        about: what the note says.
        column: the column, where the same may apply to many; empty where `about` names it.
    """

    about: str
    column: str = ""


def grouped(notes: Iterable[Note]) -> tuple[str, ...]:
    """One line per distinct note, with the columns that it applies to."""
    columns: dict[str, list[str]] = {}
    for note in notes:
        columns.setdefault(note.about, []).extend([note.column] if note.column else [])
    return tuple(f"{about}: {_listed(names)}" if names else about for about, names in columns.items())


def _listed(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def option(keyword: str, name: str) -> str:
    """How to set an option of a column, in Python and at the command line, for messages."""
    return f"({keyword}={name!r}; --{keyword} {shlex.quote(name)})"
