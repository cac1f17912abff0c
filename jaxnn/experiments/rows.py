"""Rows ready for a network: split, read, and turned into inputs and targets by what the training rows teach."""

from typing import NamedTuple

import numpy as np

from jaxnn import data, preprocessing
from jaxnn.experiments.problems import PROBLEMS, Problem
from jaxnn.experiments.sources import Source
from jaxnn.experiments.text import counted
from jaxnn.preprocessing.raw import Values, read_column, reads_as_number, rows_named

LEAST_ROWS = 10


class Rows(NamedTuple):
    """The rows of a source, ready for a network.

    Attributes:
        preprocessing: learnt from the training rows.
        problem: what is predicted.
        reason: why the problem is what it is.
        x: inputs (n, n_in) of all rows, float32.
        y: targets of all rows as the problem's loss takes them: int32 class codes (n,), or standardised numbers (n, 1).
        weight: (n,) or None.
        split: which rows train, validate and test.
    """

    preprocessing: preprocessing.Preprocessing
    problem: Problem
    reason: str
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    split: data.Split

    @property
    def held_out(self) -> tuple[str, ...]:
        """The parts besides the training rows that have rows: "validation", "test", both or neither."""
        return tuple(name for name in ("validation", "test") if len(getattr(self.split, name)))

    @property
    def judged(self) -> dict[str, np.ndarray]:
        """The numbers of the rows that judge a model: of each part held out, or those that train if none was."""
        return {name: getattr(self.split, name) for name in self.held_out} or {"training": self.split.train}

    @property
    def choosing(self) -> np.ndarray:
        """The rows that choose between epochs and models: those for validation, or the training rows without."""
        return self.split.validation if len(self.split.validation) else self.split.train

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """(inputs, targets) or (inputs, targets, weight) of some rows."""
        arrays = [self.x, self.y] if self.weight is None else [self.x, self.y, self.weight]
        return tuple(array[rows] for array in arrays)


def prepare(source: Source, *, validation: float, test: float, seed: int) -> Rows:
    """Splits the rows and learns the preprocessing from those that train.

    Args:
        source: the rows, and what is said of their columns.
        validation: fraction of the rows, in [0, 1).
        test: fraction of the rows, in [0, 1).
        seed: of the split.

    Raises:
        ValueError: a column does not exist or is of no use, or there are too few rows.
    """
    if source.n_rows < LEAST_ROWS:
        rows = counted(source.n_rows, "row")
        raise ValueError(f"{source.name!r} has {rows}: at least {LEAST_ROWS} are needed to train and to test on.")
    dataset, columns, problem = source.dataset, source.columns, PROBLEMS[source.problem]
    split = data.split(
        source.n_rows,
        validation=validation,
        test=test,
        seed=seed,
        stratify=np.asarray(source.target) if problem.stratified else None,
    )
    _refuse_small_parts(split, problem, validation, test)
    weight = _weight(source, split)
    if dataset is None:
        fitted = preprocessing.fit(
            source.rows,
            str(columns.target),
            problem=columns.problem,
            drop=columns.drop if columns.weight is None else (*columns.drop, columns.weight),
            rows=split.train,
            category=columns.category,
            number=columns.number,
            decimal=columns.decimal,
            missing=columns.missing,
        )
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
    y = problem.as_targets(fitted.targets(source.target), np.float32)
    x = fitted.inputs(source.rows).astype(np.float32)
    return Rows(fitted, problem, source.reason, x, y, weight, split)


def _refuse_small_parts(split: data.Split, problem: Problem, validation: float, test: float) -> None:
    """Raises ValueError where a part that was asked for could not be judged."""
    for name, fraction in (("validation", validation), ("test", test)):
        if fraction and len(getattr(split, name)) < problem.least_rows:
            raise ValueError(
                f"--{name} {fraction:g} leaves {counted(len(getattr(split, name)), 'row')}, and R² needs two: "
                f"give a larger part, or 0 to go without."
            )


def _weight(source: Source, split: data.Split) -> np.ndarray | None:
    """How much each row counts, float32 (n,), of mean 1 over the training rows: penalties then mean the same beside it.

    Raises:
        ValueError: they are no numbers ≥ 0, or all of a part are 0.
    """
    if source.weight is None:
        return None
    what = "weight" if source.columns.weight is None else f"--weight {source.columns.weight}"
    read = read_column(what, source.weight)
    wrong = _no_weights(read)
    if wrong.any():
        row = int(np.argmax(wrong))
        told = "missing" if read.missing[row] else repr(np.asarray(read.values, object)[row])
        raise ValueError(
            f"{what}: the column must hold finite numbers ≥ 0 in every row, and is {told} in {rows_named(wrong)}."
        )
    weight = np.asarray(source.weight, np.float64)
    weight = weight / (weight.max() or 1)  # so that sums of the largest numbers are finite
    for part, rows in split._asdict().items():
        if len(rows) and not weight[rows].any():
            raise ValueError(f"{what}: all {part} rows have weight 0, so that nothing would count.")
    return (weight / weight[split.train].mean()).astype(np.float32)


def _no_weights(read: Values) -> np.ndarray:
    """Which values of a column are no weights: bool (n,)."""
    if isinstance(read.values, np.ndarray):
        return ~(np.isfinite(read.values) & (read.values >= 0))
    of_text = [text is None or not reads_as_number(text) for text in read.values]
    return np.array(of_text) if any(of_text) else np.ones(len(of_text), bool)
