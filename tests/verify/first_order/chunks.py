"""The equal rows of the table of twins in portions that compile as one program each."""

from jaxnn.verify import table
from jaxnn.verify.first_order import twins

SIZE = 12


def equal_rows(libraries):
    return [twin for twin in twins.TWINS if twin.library in libraries and twin.apart is None]


def chunk(libraries, name):
    """The rows of the portion that goes by that name."""
    number = int(name.partition(":")[0])
    return equal_rows(libraries)[number * SIZE : (number + 1) * SIZE]


def names(libraries):
    rows = equal_rows(libraries)
    firsts = range(0, len(rows), SIZE)
    return [f"{n}: {rows[i].rule} to {rows[min(i + SIZE, len(rows)) - 1].rule}" for n, i in enumerate(firsts)]


NAMES = {libraries: names(libraries) for libraries in (("optax", "sklearn"), ("torch",), ("keras",))}


def checked(rows, index):
    found = twins.compared_rows(rows, index)
    assert [row for row in found if row.verdict != table.EQUAL] == []
    assert len(found) == len(rows) > 0
