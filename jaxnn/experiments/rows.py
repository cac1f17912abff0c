"""Rows ready for a network: split, and turned into inputs and targets by preprocessing fitted to the training rows."""

from typing import Any, NamedTuple

import numpy as np

from jaxnn import data, preprocessing
from jaxnn.experiments.sources import Columns, Source
from jaxnn.preprocessing.filling import read_as
from jaxnn.preprocessing.raw import Values, numbered, read_column, reads_as_number, rows_named
from jaxnn.problems import PROBLEMS, Problem
from jaxnn.wording import counted

LEAST_ROWS = 10


class Rows(NamedTuple):
    """The rows of a source, ready for a network.

    Attributes:
        preprocessing: fitted to the training rows.
        problem: what is predicted.
        reason: why the problem is of this kind.
        x: inputs (n, n_in) of all rows, float32.
        y: targets of all rows as the problem's loss takes them: int32 class codes (n,), or standardised numbers (n, 1).
        weight: (n,) or None.
        split: the indices of the training, validation and test rows.
        notes: warnings of leaks, duplicates and rare classes, one sentence each, where `run` looked for them.
    """

    preprocessing: preprocessing.Preprocessing
    problem: Problem
    reason: str
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    split: data.Split
    notes: tuple[str, ...] = ()

    @property
    def held_out(self) -> tuple[str, ...]:
        """The parts held out: "validation", "test", both or neither."""
        return tuple(name for name in ("validation", "test") if len(getattr(self.split, name)))

    @property
    def scored(self) -> dict[str, np.ndarray]:
        """The indices of the rows that score a model: each part held out, or the training rows if there is none."""
        return {name: getattr(self.split, name) for name in self.held_out} or {"training": self.split.train}

    @property
    def choosing(self) -> np.ndarray:
        """The indices of the rows that choose between epochs and models: validation rows, or else the training rows."""
        return self.split.validation if len(self.split.validation) else self.split.train

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """(inputs, targets) or (inputs, targets, weight) of the rows of these indices."""
        arrays = [self.x, self.y] if self.weight is None else [self.x, self.y, self.weight]
        return tuple(array[rows] for array in arrays)


def split_and_preprocess(source: Source, *, validation: float, test: float, seed: int) -> Rows:
    """Splits the rows and fits the preprocessing to the training rows.

    Args:
        source: the rows, and how to read their columns.
        validation: fraction of the rows held out for validation, in [0, 1).
        test: fraction of the rows held out for the test, in [0, 1).
        seed: decides the split.

    Raises:
        ValueError: a column does not exist or cannot be used, or there are too few rows.
    """
    return preprocess(source, split_of(source, validation=validation, test=test, seed=seed))


def split_of(source: Source, *, validation: float, test: float, seed: int) -> data.Split:
    """How `split_and_preprocess` splits the rows."""
    check_count(source)
    problem = PROBLEMS[source.problem]
    split = data.split(
        source.n_rows,
        validation=validation,
        test=test,
        seed=seed,
        stratify=np.asarray(source.target) if problem.stratified else None,
    )
    _refuse_small_parts(split, problem, validation, test)
    return split


def check_count(source: Source) -> None:
    """Raises ValueError if there are too few rows."""
    if source.n_rows < LEAST_ROWS:
        rows = counted(source.n_rows, "row")
        raise ValueError(f"{source.name!r} has {rows}: at least {LEAST_ROWS} are needed to train and test a network.")


def preprocess(source: Source, split: data.Split) -> Rows:
    """The rows as a network sees them, with the preprocessing fitted to the training rows of a split.

    Raises:
        ValueError: a column does not exist or cannot be used.
    """
    with numbered(source.kept, source.n_given):
        return _preprocess(source, split)


def _preprocess(source: Source, split: data.Split) -> Rows:
    dataset, columns, problem = source.dataset, source.columns, PROBLEMS[source.problem]
    weight = _weight(source, split)
    if dataset is None:
        fitted = preprocessing.fit(source.rows, str(columns.target), rows=split.train, **_options(columns))
        fitted = _in_words_of_the_file(fitted, source)
    else:
        fitted = preprocessing.fit_arrays(
            dataset.x,
            dataset.y,
            input_names=dataset.feature_names,
            target_name=dataset.target_name,
            class_names=dataset.class_names,
            problem=problem.name,
            common_scale=dataset.image_shape is not None,
            rows=split.train,
        )
    fitted = _accepting(fitted, source.without_target)
    y = problem.as_targets(fitted.targets(source.target), np.float32)
    x = fitted.inputs(source.rows).astype(np.float32)
    return Rows(fitted, problem, source.reason, x, y, weight, split)


def _accepting(fitted: preprocessing.Preprocessing, without_target: Any) -> preprocessing.Preprocessing:
    """Accepts values missing where only rows without a target lack them: these are often what is to be predicted."""
    if without_target is None:
        return fitted
    by_name = isinstance(without_target, dict)
    columns = []
    for j, column in enumerate(fitted.columns):
        if column.missing == "refused":
            values = without_target[column.name] if by_name else without_target[:, j]
            if read_as(column, values, fitted.missing).missing.any():
                column = column._replace(missing="filled")
        columns.append(column)
    return fitted._replace(columns=tuple(columns))


def explain_columns(
    source: Source, *, validation: float = 0.2, test: float = 0.2, seed: int = 0
) -> preprocessing.Explanation:
    """What is done with each column of a table before training, or why it cannot be used, as data and as text.

        print(experiments.explain_columns(experiments.source("houses.csv", target="price")))

    Args:
        source: the rows, and how to read their columns.
        validation: as for `run`: what is learnt about a column is learnt from the training rows.
        test: as for `run`.
        seed: as for `run`.

    Raises:
        ValueError: a column does not exist, there are too few rows, or the source is a data set, whose columns are
            numbers.
    """
    if source.dataset is not None:
        raise ValueError(f"The columns of {source.name!r} are all numbers, which are standardised: give a table.")
    split = split_of(source, validation=validation, test=test, seed=seed)
    options = _options(source.columns)
    with numbered(source.kept, source.n_given):
        return preprocessing.explain(source.rows, str(source.columns.target), rows=split.train, **options)


def _options(columns: Columns) -> dict[str, Any]:
    """How to read the columns, as `preprocessing.fit` takes it."""
    return {
        "problem": columns.problem,
        "drop": columns.drop if columns.weight is None else (*columns.drop, columns.weight),
        "category": columns.category,
        "number": columns.number,
        "decimal": columns.decimal,
        "missing": columns.missing,
        "date": columns.date,
    }


def _in_words_of_the_file(fitted: preprocessing.Preprocessing, source: Source) -> preprocessing.Preprocessing:
    """Calls classes that are true or false as the file spells them, such as TRUE and FALSE, so predictions do too."""
    if not isinstance(source.rows, data.Table) or fitted.target.classes != (False, True):
        return fitted
    words = source.rows.words.get(fitted.target_name, fitted.class_names)
    return fitted._replace(target=fitted.target._replace(class_names=words))


def _refuse_small_parts(split: data.Split, problem: Problem, validation: float, test: float) -> None:
    """Raises ValueError if a requested part has too few rows to be scored."""
    for name, fraction in (("validation", validation), ("test", test)):
        if fraction and len(getattr(split, name)) < problem.least_rows:
            rows = counted(len(getattr(split, name)), "row")
            raise ValueError(
                f"--{name} {fraction:g} leaves {rows}, but the metrics need at least {problem.least_rows}: "
                f"give a larger fraction, or 0 to leave it out."
            )


def _weight(source: Source, split: data.Split) -> np.ndarray | None:
    """The rows' weights, float32 (n,), scaled to a mean of 1 over the training rows, so penalties keep their meaning.

    Raises:
        ValueError: they are not numbers ≥ 0, or all weights of a part are 0.
    """
    if source.weight is None:
        return None
    what = "weight" if source.columns.weight is None else f"--weight {source.columns.weight}"
    read = read_column(what, source.weight)
    wrong = _invalid_weights(read)
    if wrong.any():
        row = int(np.argmax(wrong))
        value = "missing" if read.missing[row] else repr(np.asarray(read.values, object)[row])
        raise ValueError(
            f"{what}: every row needs a finite number ≥ 0, but the value is {value} in {rows_named(wrong)}."
        )
    weight = np.asarray(source.weight, np.float64)
    weight = weight / (weight.max() or 1)  # so sums of very large weights stay finite
    for part, rows in split._asdict().items():
        if len(rows) and not weight[rows].any():
            raise ValueError(f"{what}: all {part} rows have weight 0: give some of them a weight > 0.")
    return (weight / weight[split.train].mean()).astype(np.float32)


def _invalid_weights(read: Values) -> np.ndarray:
    """Which values of a column are not valid weights: bool (n,)."""
    if isinstance(read.values, np.ndarray):
        return ~(np.isfinite(read.values) & (read.values >= 0))
    wrong = [text is None or not reads_as_number(text) for text in read.values]
    return np.array(wrong) if any(wrong) else np.ones(len(wrong), bool)
