"""A column that was learnt, with the notes on it; and one that carries no information."""

from typing import NamedTuple

from jaxnn.preprocessing.learnt import Column, Missing
from jaxnn.preprocessing.notes import Note

CONSTANT = "left out, because the training rows hold a single value"
CONSTANT_OR_MISSING = "holds one value or none, so the only input is whether it is missing"
NOTHING = "left out, because the training rows hold no value"


class Fitted(NamedTuple):
    """A column that was learnt, and the notes on it.

    Attributes:
        column: the column.
        notes: what the user should know.
        identifier: why it seems to name the rows, if it does.
    """

    column: Column
    notes: tuple[Note, ...] = ()
    identifier: str = ""


def constant(name: str, value: str, policy: Missing) -> Fitted:
    """A column that carries no information, except perhaps where it is missing."""
    marked = policy == "marked"
    about = CONSTANT_OR_MISSING if marked else CONSTANT
    return Fitted(
        Column(name, "unused", missing="marked" if marked else "filled"), (Note(about, f"{name!r} ({value})"),)
    )


def without_values(name: str) -> Fitted:
    """A column without any value in the training rows."""
    return Fitted(Column(name, "unused", missing="filled"), (Note(NOTHING, repr(name)),))
