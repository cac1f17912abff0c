"""What is told of columns, in as few lines as can be."""

from collections.abc import Iterable
from typing import NamedTuple

DECIMAL_COMMAS = "read with decimal commas"


class Note(NamedTuple):
    """One thing to tell of one column.

    Attributes:
        about: what is the case.
        column: the column, where the same may be the case of many; nothing where `about` names it.
    """

    about: str
    column: str = ""


def told(notes: Iterable[Note]) -> tuple[str, ...]:
    """One line for each thing that is the case, with the columns of which it is."""
    columns: dict[str, list[str]] = {}
    for note in notes:
        columns.setdefault(note.about, []).extend([note.column] if note.column else [])
    return tuple(f"{about}: {_listed(names)}" if names else about for about, names in columns.items())


def _listed(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
