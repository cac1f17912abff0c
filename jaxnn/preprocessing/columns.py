"""Learning one column of inputs from its training rows."""

from typing import NamedTuple

import numpy as np

from jaxnn.preprocessing import deciding, written
from jaxnn.preprocessing.deciding import ColumnOptions, Decided
from jaxnn.preprocessing.identifiers import role
from jaxnn.preprocessing.notes import DECIMAL_COMMAS, Note
from jaxnn.preprocessing.raw import Values, refuse_infinite
from jaxnn.preprocessing.scales import is_constant, mean_and_scale, refuse_large, refuse_long
from jaxnn.preprocessing.stored import MAX_CATEGORIES
from jaxnn.preprocessing.transform import Column, Missing
from jaxnn.preprocessing.written import Notation

CONSTANT = "left out, because the training rows hold a single value"
CONSTANT_OR_MISSING = "holds one value or none, so the only input is whether it is missing"


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


def fit_column(name: str, read: Values, rows: np.ndarray, options: ColumnOptions | None = None) -> Fitted:
    """Learns one column of inputs.

    Args:
        name: the column's name.
        read: its values in all rows, which decide what kind it is.
        rows: indices of the training rows, from which everything else is learnt.
        options: what the caller says; None for an array, which holds measured numbers and no identifiers.

    Raises:
        ValueError: the column cannot be used as it is.
    """
    given = options or ColumnOptions()
    wanted = given.kind(name)
    advice = f"leave it out (drop {name!r}; --drop on the command line)"
    if read.kind == "date" and wanted != "category":
        raise ValueError(
            f"Column {name!r} holds dates, which cannot be inputs by themselves: {advice},"
            " replace it by numbers such as an age or a month, or declare it a category"
            f" {deciding.option('category', name)}."
        )
    decided = deciding.decide(name, read, wanted, given.decimal)
    missing = decided.read.missing[rows]
    if missing.all():
        raise ValueError(f"Column {name!r} has no values in the training rows: {advice}.")
    policy: Missing = "marked" if missing.any() else "filled" if decided.read.missing.any() else "refused"
    if decided.read.kind == "category":
        return _fit_category(name, decided, rows, policy, "" if wanted == "category" else advice)
    fitted = _fit_numbers(name, decided, rows, policy)
    if options is None or wanted or fitted.column.kind != "number":
        return fitted
    return _noted_if_all_different(name, decided.read, fitted)


def _fit_numbers(name: str, decided: Decided, rows: np.ndarray, policy: Missing) -> Fitted:
    """Learns a column of numbers or booleans."""
    read = decided.read
    refuse_infinite(read)
    refuse_large(read.what, read.values)
    present = read.values[rows][~read.missing[rows]]
    if len(rows) > 1 and is_constant(present, read.precision):
        return _constant(name, f"{present[0]:g}", policy)
    if read.kind == "boolean":
        return Fitted(Column(name, "boolean", mean=float(present.mean()), missing=policy))
    mean, scale = mean_and_scale(present)
    least, most = float(present.min()), float(present.max())
    column = Column(name, "number", mean, scale, (), policy, least, most, decided.notation)
    return Fitted(column, decided.notes)


def with_decimal_commas(fitted: Fitted) -> Fitted:
    """Marks a column whose numbers had decimal commas in the file, so later files are read the same way."""
    if fitted.column.kind != "number":
        return fitted
    note = Note(DECIMAL_COMMAS, repr(fitted.column.name))
    return fitted._replace(column=fitted.column._replace(notation=Notation(",")), notes=(*fitted.notes, note))


def _fit_category(name: str, decided: Decided, rows: np.ndarray, policy: Missing, advice: str) -> Fitted:
    """Learns one column of categories; without `advice` the caller declared it one, however many there are."""
    read = decided.read
    texts = [read.values[row] for row in rows[~read.missing[rows]].tolist()]
    categories = sorted(set(texts))
    refuse_long(read.what, categories)
    everywhere = [text for text in read.values if text is not None]
    different = len(set(everywhere))
    identifier = bool(advice) and different > 20 and different > 0.9 * len(everywhere)
    if len(categories) > MAX_CATEGORIES or identifier:
        text = f"{read.what} has {different} different texts in {len(everywhere)} rows, such as {categories[0]!r}"
        number = (
            f", or declare it a number {deciding.option('number', name)}"
            if written.is_code(categories[0]) or written.is_number(categories[0])
            else ""
        )
        raise ValueError(
            f"{text}, which looks like an identifier, not a category: {advice}{number}."
            if advice
            else (
                f"{text}, more than the {MAX_CATEGORIES} that are accepted:"
                " group the rare ones, or leave the column out."
            )
        )
    if len(categories) == 1 and len(rows) > 1:
        return _constant(name, repr(categories[0]), policy)
    return Fitted(Column(name, "category", categories=tuple(categories), missing=policy), decided.notes)


def _constant(name: str, value: str, policy: Missing) -> Fitted:
    """A column that carries no information, except perhaps where it is missing."""
    marked = policy == "marked"
    about = CONSTANT_OR_MISSING if marked else CONSTANT
    return Fitted(
        Column(name, "unused", missing="marked" if marked else "filled"), (Note(about, f"{name!r} ({value})"),)
    )


def _noted_if_all_different(name: str, read: Values, fitted: Fitted) -> Fitted:
    """A column of numbers, marked if they seem to number the rows, with a note if they might."""
    what = role(name, read.values)
    if what is None:
        return fitted
    least, most = read.values.min(), read.values.max()
    text = f"{len(read.values):,} whole numbers from {least:.0f} to {most:.0f}, all different"
    if what == "identifier":
        return fitted._replace(identifier=f"{read.what} seems to number the rows ({text})")
    note = Note(f"{read.what} has {text}: if they only number the rows, drop it {deciding.option('drop', name)}")
    return fitted._replace(notes=(*fitted.notes, note))


def without_identifiers(fitted: list[Fitted]) -> list[Fitted]:
    """The columns, where those that number the rows are unused if others are left."""
    others = any(each.column.input_names and not each.identifier for each in fitted)
    return [_settled(each, others) if each.identifier else each for each in fitted]


def _settled(fitted: Fitted, others: bool) -> Fitted:
    """A column that seems to number the rows: left out if there are others, else kept."""
    name = fitted.column.name
    if not others:
        return fitted._replace(
            notes=(*fitted.notes, Note(f"{fitted.identifier}; it is kept because there is no other column"))
        )
    text = f"{fitted.identifier}, so it is left out; to keep it, declare it a number {deciding.option('number', name)}"
    return Fitted(Column(name, "unused", missing="filled"), (Note(text),))


def refuse_nothing_left(fitted: list[Fitted]) -> None:
    """Raises ValueError if no column can be used."""
    if not any(each.column.input_names for each in fitted):
        names = ", ".join(repr(each.column.name) for each in fitted[:10])
        raise ValueError(
            "No columns are left to predict from: in the training rows each holds a single value, up to rounding"
            f" ({names})."
        )
