"""Learning one column of inputs from its training rows."""

import numpy as np

from jaxnn.preprocessing import dates, deciding, sentinels
from jaxnn.preprocessing.categories import fit_category
from jaxnn.preprocessing.deciding import ColumnOptions, Decided
from jaxnn.preprocessing.fitted import Fitted, constant, without_values
from jaxnn.preprocessing.identifiers import role
from jaxnn.preprocessing.learnt import Column, Missing
from jaxnn.preprocessing.notes import DECIMAL_COMMAS, Note, option
from jaxnn.preprocessing.raw import Values, refuse_infinite
from jaxnn.preprocessing.scales import is_constant, mean_and_scale, refuse_large
from jaxnn.preprocessing.written import Notation
from jaxnn.wording import listed


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
    form = dict(given.date).get(name, "")
    decided = deciding.decide(name, read, wanted, given.decimal, form=form, plainly=options is None)
    missing = decided.read.missing[rows]
    if missing.all():
        return without_values(name)
    policy: Missing = "marked" if missing.any() else "filled" if decided.read.missing.any() else "refused"
    if decided.read.kind == "category":
        return fit_category(name, decided, rows, policy, declared=wanted == "category")
    if decided.read.kind == "date":
        return _fit_dates(name, decided, rows, policy)
    fitted = _fit_numbers(name, decided, rows, policy)
    plain = decided.notation is None or decided.notation.plain  # nobody numbers rows in dollars, or as 1,045
    if options is None or wanted or fitted.column.kind != "number" or not plain:
        return fitted
    return _with_role(name, decided.read, fitted._replace(notes=(*fitted.notes, *sentinels.notes(decided.read))))


def _fit_numbers(name: str, decided: Decided, rows: np.ndarray, policy: Missing) -> Fitted:
    """Learns a column of numbers or booleans."""
    read = decided.read
    refuse_infinite(read)
    refuse_large(read.what, read.values)
    present = read.values[rows][~read.missing[rows]]
    if len(rows) > 1 and is_constant(present, read.precision):
        return constant(name, f"{present[0]:g}", policy)
    if read.kind == "boolean":
        return Fitted(Column(name, "boolean", mean=float(present.mean()), missing=policy))
    mean, scale = mean_and_scale(present)
    least, most = float(present.min()), float(present.max())
    column = Column(name, "number", mean, scale, (), policy, least, most, decided.notation, absent=decided.absent)
    return Fitted(column, decided.notes)


def with_decimal_commas(fitted: Fitted) -> Fitted:
    """Marks a column whose numbers had decimal commas in the file, so later files are read the same way."""
    if fitted.column.kind != "number":
        return fitted
    note = Note(DECIMAL_COMMAS, repr(fitted.column.name))
    return fitted._replace(column=fitted.column._replace(notation=Notation(",")), notes=(*fitted.notes, note))


def _fit_dates(name: str, decided: Decided, rows: np.ndarray, policy: Missing) -> Fitted:
    """Learns a column of dates: the mean and the scale of days, and which cyclic parts vary."""
    read = decided.read
    form = (read.dated or dates.Dated()).form
    days = dates.days_of(read.values, form)
    present = days[rows][~read.missing[rows]]
    if len(rows) > 1 and is_constant(present, read.precision):
        return constant(name, dates.written(float(present[0]), form), policy)
    mean, scale = mean_and_scale(present)
    least, most, parts = float(present.min()), float(present.max()), dates.varying(present)
    column = Column(name, "date", mean, scale, (), policy, least, most, form=form, parts=parts, absent=decided.absent)
    return Fitted(column, (*decided.notes, _note_of_dates(name, decided, days, column)))


def _note_of_dates(name: str, decided: Decided, days: np.ndarray, column: Column) -> Note:
    """How a column of dates was read, and what it becomes."""
    read = decided.read
    row = int(np.argmax(~read.missing))
    example = deciding.text_of(read.values[row])
    inputs = listed(["the time elapsed", *column.parts])
    text = f"{read.what} is read as dates, {example!r} as {dates.written(float(days[row]), column.form)}"
    if read.dated is not None and read.dated.otherwise is not None:
        first, second = ("month", "day") if read.dated.form.startswith("%m") else ("day", "month")
        text += (
            f", with the {first} first, which no cell contradicts (if the {second} is first:"
            f" {option('date', f'{name}={read.dated.otherwise}')[1:]}"
        )
    return Note(f"{text}; inputs: {inputs}; to leave it out, drop it {option('drop', name)}")


def _with_role(name: str, read: Values, fitted: Fitted) -> Fitted:
    """A column of numbers, marked if they seem to number the rows, with a note if they might."""
    what = role(name, read.values)
    if what is None:
        return fitted
    present = read.values[~read.missing]
    repeats = len(present) - len(np.unique(present))
    different = f"all different but {repeats}" if repeats else "all different"
    text = f"{len(present):,} whole numbers from {present.min():.0f} to {present.max():.0f}, {different}"
    if what == "identifier":
        return fitted._replace(identifier=f"{read.what} seems to number the rows ({text})")
    note = Note(f"{read.what} has {text}: if they only number the rows, drop it {option('drop', name)}")
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
    text = f"{fitted.identifier}, so it is left out; to keep it, declare it a number {option('number', name)}"
    return Fitted(Column(name, "unused", missing="filled"), (Note(text),))


def refuse_nothing_left(fitted: list[Fitted]) -> None:
    """Raises ValueError if no column can be used."""
    if not any(each.column.input_names for each in fitted):
        names = ", ".join(repr(each.column.name) for each in fitted[:10])
        raise ValueError(
            "No columns are left to predict from: in the training rows each holds a single value, up to rounding, or"
            f" none, or names ({names}): declare one of them a category (category=…; --category COLUMN)."
        )
