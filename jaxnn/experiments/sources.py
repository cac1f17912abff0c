"""Where the rows come from: a file, a named data set, a table or arrays in memory; and how to read their columns."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, data, preprocessing
from jaxnn.data.dataset import Dataset
from jaxnn.preprocessing.frames import columns_of, take
from jaxnn.preprocessing.raw import check_matrix, read_column, rows_named, words_of
from jaxnn.problems import PROBLEMS
from jaxnn.wording import counted, listed

CHOSEN = "chosen by --problem"


class Columns(NamedTuple):
    """How to read the columns of a table; `preprocessing` decides what is left open.

    Attributes:
        target: the column to predict.
        problem: the name of a kind of problem, such as "classes"; None to read it from the target.
        drop: columns to leave out.
        category: columns whose values are categories.
        number: columns whose values are numbers.
        decimal: the decimal mark, "." or ",", for columns where it is ambiguous.
        missing: cell contents that mean a missing value; () for the usual ones.
        weight: the column with the weight of each row, ≥ 0.
        date: columns that hold dates, or `column=form` with how these are written.
    """

    target: str | None = None
    problem: str | None = None
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    weight: str | None = None
    date: tuple[str, ...] = ()


class Source(NamedTuple):
    """Rows as `Model.predict` takes them, and what is known about them.

    Attributes:
        name: the file or the data set, as given.
        rows: a table, or an array (n, n_columns).
        n_rows: the number of rows.
        dataset: for an array, its targets and names; None for a table.
        columns: how the columns were read.
        target: the raw targets (n,); None if a table for prediction has no target column.
        weight: the raw weight of each row (n,), or None.
        problem: the name of the kind of problem.
        reason: why it is of that kind, as printed.
        kept: the row numbers, among those given, of the rows that have a target; None if all have one.
        notes: what was decided about rows, one sentence each.
        left_out: the number of rows without a target.
        without_target: these rows, as columns by name or an array; None if there are none.
    """

    name: str
    rows: Any
    n_rows: int
    dataset: Dataset | None = None
    columns: Columns = Columns()
    target: Any = None
    weight: Any = None
    problem: str = ""
    reason: str = "stated by the data set"
    kept: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    left_out: int = 0
    without_target: Any = None

    @property
    def n_given(self) -> int:
        """The number of rows given, with and without a target."""
        return self.n_rows + self.left_out

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was decided in reading the file, one sentence each."""
        return self.rows.remarks if isinstance(self.rows, data.Table) else ()


def source(
    rows: Any,
    *,
    name: str | None = None,
    target: str | None = None,
    problem: str | None = None,
    drop: Sequence[str] = (),
    category: Sequence[str] = (),
    number: Sequence[str] = (),
    decimal: str | None = None,
    missing: Any = (),
    weight: str | None = None,
    date: Sequence[str] = (),
) -> Source:
    """Rows to train on, and how to read their columns; rows without a target are left out and counted in `notes`.

    Args:
        rows: the name of a data set, or the path of a file (`./digits` is a file of that name); a table in memory,
            that is, a mapping from names to columns, a `data.Table` or a DataFrame; arrays `(x, y)` or `(x, y, weight)`
            with x (n, n_columns) and y, weight (n,); or a `data.Dataset`. A `Source` is returned unchanged.
        name: the name of rows in memory, in messages and in the model; "table" or "arrays" by default.
        target: the column to predict; required for a table.
        problem: the name of a kind of problem; the only one of these arguments that arrays and data sets accept.
        drop: columns to leave out.
        category: columns to treat as categories.
        number: columns to treat as numbers.
        decimal: the decimal mark, for columns where it is ambiguous.
        missing: cell contents, or numbers, that mean a missing value; in a file, besides `data.MISSING`, unless "" is
            among them.
        weight: the column with the weight of each row.
        date: columns that hold dates, or `column=form` with how these are written, such as "seen=%d/%m/%Y".

    Raises:
        ValueError: there is no data set or file of that name, the file is not a table, a column is unknown, a table has
            no target, or the target cannot be predicted.
        TypeError: `rows` is of another type.
        OSError: the file cannot be read.
        ImportError: a library that the data set or the format needs is not installed.
    """
    if problem is not None:
        checks.one_of(problem, PROBLEMS, "problem")
    words = _missing(missing, of_file=isinstance(rows, str | os.PathLike))
    columns = Columns(
        target, problem, _names(drop), _names(category), _names(number), decimal, words, weight, _names(date)
    )
    if isinstance(rows, Source):
        if columns != Columns():
            raise ValueError(
                "The rows are already a Source: pass target, problem and the other columns when you create it."
            )
        return rows
    if isinstance(rows, str | os.PathLike):
        missing_cells = {"missing": columns.missing} if columns.missing else {}
        found = _opened(rows, columns, decimal=decimal, text=columns.category, number=columns.number, **missing_cells)
    elif isinstance(rows, Dataset):
        found = _of_dataset(rows, name or rows.name, columns)
    elif isinstance(rows, tuple | list):
        found = _of_arrays(name or "arrays", columns, *rows)
    else:
        found = Source(name or "table", rows, 0)
    if found.dataset is not None:
        return with_targets_only(found)
    table = found.rows.columns if isinstance(found.rows, data.Table) else columns_of(found.rows)
    if target is None:
        raise ValueError(f"The target column is missing: add --target COLUMN, one of {listed(list(table), 12)}.")
    values = checks.one_of(target, table, "target column")
    weights = None if weight is None else checks.one_of(weight, table, "weight column")
    chosen = [each for each in PROBLEMS.values() if each.target_kind and target in getattr(columns, each.target_kind)]
    if problem is not None:
        reason = CHOSEN
    elif chosen:
        problem, reason = chosen[0].name, f"chosen by --{chosen[0].target_kind}"
    else:
        problem, reason = _problem_of_target(found.rows, values, columns)
    return with_targets_only(
        found._replace(
            n_rows=len(values), columns=columns, target=values, weight=weights, problem=problem, reason=reason
        )
    )


def _problem_of_target(table: Any, values: Any, columns: Columns) -> tuple[str, str]:
    """What the target is; if it cannot be predicted, the error tells the faults of all columns too."""
    options: dict[str, Any] = {"decimal": columns.decimal, "missing": columns.missing}
    target = str(columns.target)
    try:
        return preprocessing.problem_of(values, name=target, **options)
    except ValueError:
        drop = [*columns.drop, *([] if columns.weight is None else [columns.weight])]
        options |= {"category": columns.category, "number": columns.number, "date": columns.date}
        preprocessing.fit(table, target, drop=drop, **options)
        raise


def with_targets_only(found: Source) -> Source:
    """The rows that have a target; the others are left out and counted in a note."""
    what = found.columns.target or (found.dataset.target_name if found.dataset else "")
    read = read_column(f"Target {what!r}", found.target, found.columns.missing)
    if not read.missing.any() or read.missing.all():
        return found
    kept = np.flatnonzero(~read.missing)
    left_out = counted(found.n_rows - len(kept), "row")
    note = (
        f"{left_out} of {found.n_rows:,} without a target {what!r} {'is' if left_out == '1 row' else 'are'} left out:"
        f" {rows_named(read.missing)}"
    )
    chosen: dict[str, Any] = {
        "n_rows": len(kept),
        "target": take(found.target, kept),
        "weight": None if found.weight is None else take(found.weight, kept),
        "kept": kept,
        "left_out": found.n_rows - len(kept),
        "notes": (*found.notes, note),
    }
    if found.dataset is not None:
        risk = found.dataset.risk
        dataset = found.dataset._replace(
            x=found.dataset.x[kept], y=chosen["target"], risk=None if risk is None else risk[kept]
        )
        return found._replace(rows=dataset.x, dataset=dataset, without_target=found.rows[read.missing], **chosen)
    columns = found.rows.columns if isinstance(found.rows, data.Table) else columns_of(found.rows)
    table: Any = {name: take(values, kept) for name, values in columns.items()}
    others = {name: take(values, np.flatnonzero(read.missing)) for name, values in columns.items()}
    if isinstance(found.rows, data.Table):
        table = dataclasses.replace(found.rows, columns=table, n_rows=len(kept))
    return found._replace(rows=table, without_target=others, **chosen)


def source_for(name: str, fitted: preprocessing.Preprocessing, *, copied: Sequence[str] = ()) -> Source:
    """The rows of a data set or a file, read in the same way as the training rows of a model.

    Args:
        name: the data set or the file.
        fitted: the model's preprocessing.
        copied: columns that are to be read as they are written, as text, unless the model uses them.

    Raises:
        ValueError, OSError, ImportError: as `source` raises them.
    """
    numbers = [each.name for each in fitted.columns if each.kind == "number"]
    used = {fitted.target_name} | {each.name for each in fitted.columns if each.needed}
    reading: dict[str, Any] = {
        "text": (*fitted.as_text, *(each for each in copied if each not in used)),
        "number": [*numbers, fitted.target_name],
    }
    found = _opened(name, Columns(), **reading | ({"missing": fitted.missing} if fitted.missing else {}))
    found = found._replace(problem=fitted.problem, reason="stated by the model")
    if found.dataset is None:
        return found._replace(target=found.rows.columns.get(fitted.target_name))
    return found if found.dataset.target_name == fitted.target_name else found._replace(target=None)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Names of columns; a single name may be given without a list."""
    return (given,) if isinstance(given, str) else tuple(given)


def _missing(given: Any, *, of_file: bool) -> tuple[str, ...]:
    """The cell contents that mean a missing value, including the empty cell; () for the usual ones.

    In a file, the usual ones stay so beside those given, unless the empty cell is among these.
    """
    words = tuple(map(str.strip, words_of(given)))
    usual = data.MISSING if of_file and "" not in words else ("",)
    return tuple(dict.fromkeys((*usual, *words))) if words else ()


def _opened(path: str | os.PathLike[str], columns: Columns, **reading: Any) -> Source:
    """The data set or the file of that name; `reading` holds further arguments of `data.read_table`."""
    name = os.fspath(path)
    if isinstance(path, str) and name in data.NAMES:
        return _of_dataset(data.load(name), name, columns)
    if not os.path.exists(name):
        raise ValueError(
            f"There is no file or data set named {name!r}.{checks.nearest(name, data.NAMES)}"
            f" Data sets: {', '.join(data.NAMES)}."
        )
    if os.path.isdir(name):
        raise ValueError(
            f"{name!r} is a folder: give a file (CSV, TSV, .xlsx, Parquet) or a data set ({listed(data.NAMES)})."
        )
    table = data.read_table(name, **reading)
    return Source(name, table, len(table))


def _of_dataset(dataset: Dataset, name: str, columns: Columns) -> Source:
    """A data set, whose target and columns are fixed: only the kind of problem can be changed.

    Raises:
        ValueError: another target or a choice about columns is given.
    """
    options = ("drop", "weight", "category", "number", "date", "decimal", "missing")
    if columns.target not in (None, dataset.target_name) or any(getattr(columns, option) for option in options):
        raise ValueError(
            f"The data set {name!r} has a fixed target, {dataset.target_name!r}, and fixed columns: leave out "
            f"--target, --{', --'.join(options[:-1])} and --{options[-1]}, which apply to files."
        )
    found = Source(name, dataset.x, len(dataset.x), dataset, columns, dataset.y, problem=dataset.problem)
    return found if columns.problem is None else found._replace(problem=columns.problem, reason=CHOSEN)


def _of_arrays(name: str, columns: Columns, *arrays: Any) -> Source:
    """Arrays (x, y) or (x, y, weight) as a data set of that name."""
    if len(arrays) not in (2, 3):
        raise ValueError(f"Arrays must be given as (x, y) or (x, y, weight), got {len(arrays)} arrays.")
    x, y = np.asarray(arrays[0]), np.asarray(arrays[1])
    check_matrix(x, None)
    if len(y) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, but targets have {len(y)}: they need the same number.")
    weight = arrays[2] if len(arrays) == 3 else None
    if weight is not None and len(weight) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, but weights have {len(weight)}: they need the same number.")
    chosen: Any = columns.problem  # one of `PROBLEMS`
    decided, reason = preprocessing.problem_of(y, name="target") if chosen is None else (chosen, CHOSEN)
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    dataset = Dataset(name, x, y, names, (), "target", decided, f"{len(x):,} rows in memory", "")
    return _of_dataset(dataset, name, columns)._replace(weight=weight, reason=reason)
