"""Where the rows come from: a file, a data set by its name, a table or arrays in memory; and what is said of them."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, data, preprocessing
from jaxnn.data.dataset import Dataset
from jaxnn.experiments.problems import PROBLEMS
from jaxnn.experiments.text import listed
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.raw import check_matrix

SAID = "as --problem says"


class Columns(NamedTuple):
    """What is said of the columns of a table; of what is not said, `preprocessing` decides.

    Attributes:
        target: the column to predict.
        problem: the name of a kind of problem, such as "classes"; None to read it from the target.
        drop: columns to leave out.
        category: columns whose values are categories.
        number: columns whose values are numbers.
        decimal: the decimal mark, "." or ",", where a column leaves it open.
        missing: texts that stand for a missing value; () for the usual ones.
        weight: a column that says how much each row counts, ≥ 0.
    """

    target: str | None = None
    problem: str | None = None
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    weight: str | None = None


class Source(NamedTuple):
    """Rows as `Model.predict` takes them, and what is known of them.

    Attributes:
        name: the file or the data set, as it was given.
        rows: a table, or an array (n, n_columns).
        n_rows: the number of rows.
        dataset: of an array, its targets and names; None for a table.
        columns: what was said of the columns.
        target: the raw targets (n,); None where a model's table has none.
        weight: how much each row counts, as it came (n,), or None.
        problem: the name of the kind of problem.
        reason: why it is that one.
    """

    name: str
    rows: Any
    n_rows: int
    dataset: Dataset | None = None
    columns: Columns = Columns()
    target: Any = None
    weight: Any = None
    problem: str = ""
    reason: str = "the data set says so"


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
    missing: Sequence[str] = (),
    weight: str | None = None,
) -> Source:
    """Rows to train on, with what is said of their columns.

    Args:
        rows: the name of a data set, or else the path of a file (`./digits` is a file of that name); a table in memory,
            which is a mapping from names to columns, a `data.Table` or a DataFrame; arrays `(x, y)` or `(x, y, weight)`
            with x (n, n_columns) and y, weight (n,); or a `data.Dataset`. A `Source` is given back as it is.
        name: what messages and the model call rows in memory; "table" or "arrays" by default.
        target: as all that follow, see `Columns`; a table needs a target.
        problem: the name of a kind of problem, the only thing that can be said of arrays and data sets.
        drop: columns to leave out.
        category: columns that are categories.
        number: columns that are numbers.
        decimal: the decimal mark.
        missing: texts that stand for a missing value.
        weight: a column of weights.

    Raises:
        ValueError: there is neither a data set nor a file of that name, it is no table, a column is unknown, or a table
            has no target; or the target is of no kind that can be predicted.
        TypeError: `rows` is none of these.
        OSError: the file cannot be read.
        ImportError: a library that the data set or the format needs is not installed.
    """
    if problem is not None:
        checks.one_of(problem, PROBLEMS, "problem")
    columns = Columns(
        target, problem, _names(drop), _names(category), _names(number), decimal, _missing(missing), weight
    )
    if isinstance(rows, Source):
        if columns != Columns():
            raise ValueError("These rows are a Source already: what is said of their columns belongs to it.")
        return rows
    if isinstance(rows, str | os.PathLike):
        said = {"missing": columns.missing} if columns.missing else {}
        found = _opened(rows, columns, decimal=decimal, text=columns.category, number=columns.number, **said)
    elif isinstance(rows, Dataset):
        found = _of_dataset(rows, name or rows.name, columns)
    elif isinstance(rows, tuple | list):
        found = _of_arrays(name or "arrays", columns, *rows)
    else:
        found = Source(name or "table", rows, 0)
    if found.dataset is not None:
        return found
    table = found.rows.columns if isinstance(found.rows, data.Table) else columns_of(found.rows)
    if target is None:
        raise ValueError(f"Which column is to be predicted? Give --target COLUMN, one of {listed(list(table), 12)}.")
    values = checks.one_of(target, table, "target column")
    weights = None if weight is None else checks.one_of(weight, table, "weight column")
    called = [each for each in PROBLEMS.values() if each.target_kind and target in getattr(columns, each.target_kind)]
    if problem is not None:
        reason = SAID
    elif called:
        problem, reason = called[0].name, f"as --{called[0].target_kind} says"
    else:
        problem, reason = preprocessing.problem_of(values, name=target, decimal=decimal, missing=columns.missing)
    return found._replace(
        n_rows=len(values), columns=columns, target=values, weight=weights, problem=problem, reason=reason
    )


def source_for(name: str, fitted: preprocessing.Preprocessing) -> Source:
    """The rows of a data set or a file, which is read as the training rows of a model were.

    Args:
        name: the data set or the file.
        fitted: the model's preprocessing.

    Raises:
        ValueError, OSError, ImportError: as for `source`.
    """
    numbers = [each.name for each in fitted.columns if each.kind == "number"]
    said: dict[str, Any] = {"text": fitted.as_text, "number": [*numbers, fitted.target_name]}
    found = _opened(name, Columns(), **said | ({"missing": fitted.missing} if fitted.missing else {}))
    found = found._replace(problem=fitted.problem, reason="the model says so")
    if found.dataset is None:
        return found._replace(target=found.rows.columns.get(fitted.target_name))
    return found if found.dataset.target_name == fitted.target_name else found._replace(target=None)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Names of columns; one alone may be given as itself."""
    return (given,) if isinstance(given, str) else tuple(given)


def _missing(given: Sequence[str]) -> tuple[str, ...]:
    """The texts that stand for a missing value, the empty one among them; () for the usual ones."""
    return tuple(dict.fromkeys(("", *map(str.strip, _names(given))))) if given else ()


def _opened(path: str | os.PathLike[str], columns: Columns, **words: Any) -> Source:
    """The data set or the file of that name; `words` are further ones for `data.read_table`."""
    name = os.fspath(path)
    if isinstance(path, str) and name in data.NAMES:
        return _of_dataset(data.load(name), name, columns)
    if not os.path.exists(name):
        raise ValueError(
            f"There is no file {name!r} and no data set of that name.{checks.nearest(name, data.NAMES)}"
            f" Data sets: {', '.join(data.NAMES)}."
        )
    if os.path.isdir(name):
        raise ValueError(f"{name!r} is a folder: give a file (CSV, TSV, Parquet) or a data set ({listed(data.NAMES)}).")
    table = data.read_table(name, **words)
    return Source(name, table, len(table))


def _of_dataset(dataset: Dataset, name: str, columns: Columns) -> Source:
    """A data set, which knows its target and its columns: only another kind of problem can be asked of it.

    Raises:
        ValueError: something else is said of its columns.
    """
    words = ("drop", "weight", "category", "number", "decimal", "missing")
    if columns.target not in (None, dataset.target_name) or any(getattr(columns, word) for word in words):
        raise ValueError(
            f"The data set {name!r} knows its target, {dataset.target_name!r}, and its columns: "
            f"--target, --{', --'.join(words[:-1])} and --{words[-1]} are for files."
        )
    found = Source(name, dataset.x, len(dataset.x), dataset, columns, dataset.y, problem=dataset.problem)
    return found if columns.problem is None else found._replace(problem=columns.problem, reason=SAID)


def _of_arrays(name: str, columns: Columns, *arrays: Any) -> Source:
    """Arrays (x, y) or (x, y, weight) as a data set of that name."""
    if len(arrays) not in (2, 3):
        raise ValueError(f"Arrays must be (x, y) or (x, y, weight), got {len(arrays)} of them.")
    x, y = np.asarray(arrays[0]), np.asarray(arrays[1])
    check_matrix(x, None)
    if len(y) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, targets have {len(y)}.")
    weight = arrays[2] if len(arrays) == 3 else None
    if weight is not None and len(weight) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, weights have {len(weight)}.")
    said: Any = columns.problem  # one of `PROBLEMS`
    decided, reason = preprocessing.problem_of(y, name="target") if said is None else (said, SAID)
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    dataset = Dataset(name, x, y, names, (), "target", decided, f"{len(x):,} rows in memory", "")
    return _of_dataset(dataset, name, columns)._replace(weight=weight, reason=reason)
