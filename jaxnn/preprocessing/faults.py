"""All faults of a table told at once: one error, with a line for each and a remedy for all of them."""

import shlex
from collections.abc import Mapping, Sequence


class Faults(ValueError):
    """Several columns, or a column and the target, cannot be used.

    Attributes:
        lines: one sentence or two for each fault, and at the end what to do about all columns.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def raise_all(columns: Mapping[str, ValueError], target: ValueError | None = None) -> None:
    """Raises the one fault as it is, or several as one; does nothing if there are none.

    Args:
        columns: the fault of each column that has one.
        target: that of the target, if it has one.
    """
    faults = [*([] if target is None else [target]), *columns.values()]
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    lines = [f"The table has {len(faults)} faults:", *(f"  {str(fault).strip()}" for fault in faults)]
    if len(columns) > 1:
        names = list(columns)
        lines.append(f"To leave out all of these columns: drop={names!r}; --drop {' '.join(map(shlex.quote, names))}")
    raise Faults(lines)
