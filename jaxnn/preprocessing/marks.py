"""What the other columns of a table say about a comma that may be a decimal comma or separate thousands.

One table writes its numbers in one way. If another column has decimal commas, the comma is one; if other columns have
fractions and none has decimal commas, their decimal mark is the point, and the comma separates thousands.
"""

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from jaxnn.preprocessing.fitted import Fitted
from jaxnn.preprocessing.notes import Note, option
from jaxnn.preprocessing.raw import Values


def evidence(
    read: Mapping[str, Values], fitted: Mapping[str, Fitted], commas: Collection[str]
) -> tuple[str | None, str]:
    """The decimal mark of the table, and a column that shows it; (None, "") where none does, or two contradict.

    Args:
        read: the raw columns, the target among them.
        fitted: those that were learnt.
        commas: the columns whose numbers had decimal commas in the file.
    """
    shown: dict[str, str] = {}
    for name, values in read.items():
        notation = fitted[name].column.notation if name in fitted else None
        if name in commas:
            shown.setdefault(",", name)
        elif notation is not None:
            if any(notation.decimal in text for text in _texts(values)):
                shown.setdefault(notation.decimal, name)
        elif values.kind == "number" and _has_fractions(values):
            shown.setdefault(".", name)
    return next(iter(shown.items())) if len(shown) == 1 else (None, "")


def noted(fitted: Fitted, name: str, mark: str, shown: str) -> Fitted:
    """The column, with a note on why its commas were read as they were."""
    what = "decimal commas" if mark == "," else "marks between thousands"
    others = "has decimal commas" if mark == "," else "has decimal points"
    text = (
        f"Column {name!r}: its commas are read as {what}, because column {shown!r} {others}; if that is wrong, say so"
    )
    note = Note(f"{text} (decimal; --decimal), or declare it a category {option('category', name)}")
    return fitted._replace(notes=(note, *fitted.notes))


def _texts(values: Values) -> Iterable[str]:
    return (value for value in values.values if isinstance(value, str))


def _has_fractions(values: Values) -> bool:
    numbers = values.values[np.isfinite(values.values)]
    return bool((numbers != np.round(numbers)).any())
