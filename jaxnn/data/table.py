"""A table: columns of numpy arrays by name."""

from dataclasses import dataclass, field

import numpy as np

from jaxnn import checks, html
from jaxnn.wording import counted

MOST_SHOWN = 10  # rows and columns in a notebook


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name.

    Attributes:
        columns: name -> array of shape (n_rows,): float64, bool, or objects (str, bool, None, or dates and times of a
            file that has such a type).
        n_rows: the number of rows, also `len(table)`.
        path: the file.
        decimal_commas: the columns whose numbers were written with decimal commas.
        remarks: what was decided in reading that could have been meant otherwise, one sentence each.
        words: column -> (false, true), how a column of booleans spells them, such as ("FALSE", "TRUE"); columns that
            mix spellings are not in it.
    """

    columns: dict[str, np.ndarray]
    n_rows: int
    path: str
    decimal_commas: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    words: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the file's order."""
        return tuple(self.columns)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first rows and columns, and what was decided in reading."""
        shown = self.names[:MOST_SHOWN]
        rows = zip(*(self.columns[name][:MOST_SHOWN].tolist() for name in shown), strict=True)
        size = f"{counted(self.n_rows, 'row')}, {counted(len(self.names), 'column')}"
        more = len(self.names) - len(shown)
        rest = [f"and {counted(more, 'more column')}"] if more else []
        return html.page(f"Table of {size}", html.table(shown, rows), html.listing([*rest, *self.remarks]))

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, name: str) -> np.ndarray:
        return checks.one_of(name, self.columns, "column")
