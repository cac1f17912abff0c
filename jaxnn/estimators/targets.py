"""What y says: how a loss takes it, and what predictions the outputs of a network are.

classes    k outputs, softmax(o) are the probabilities         codes 0 … k - 1
labels     k outputs, σ(oⱼ) is the probability of label j      0 or 1 for each label
numbers    k outputs, ŷ = mean + scale · o             (y - mean) / scale
counts     k outputs, ŷ = scale · eᵒ: numbers with the loss "poisson"   y / scale, with scale the mean
"""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from jaxnn.estimators.tables import weighted_mean_and_scale
from jaxnn.preprocessing.transform import Target
from jaxnn.problems import softmax

Kind: TypeAlias = Literal["classes", "labels", "numbers"]


class Targets(NamedTuple):
    """What was learnt about y.

    Attributes:
        kind: see above.
        outputs: k, of the network.
        classes: the labels in the order of their codes, or the numbers of the labels; None for numbers.
        mean: (k,), of numbers.
        scale: (k,) > 0, of numbers; the mean of counts.
        counts: whether outputs are logarithms of relative rates.
        flat: whether predictions have shape (n,).
    """

    kind: Kind
    outputs: int
    classes: np.ndarray | None = None
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    counts: bool = False
    flat: bool = True

    @property
    def out_activation(self) -> str:
        """scikit-learn's name of what turns outputs into predictions."""
        if self.kind == "numbers":
            return "exp" if self.counts else "identity"
        return "softmax" if self.kind == "classes" else "logistic"

    def encoded(self, y: np.ndarray) -> np.ndarray:
        """As the loss takes it: int32 codes (n,), 0 or 1 (n, k), or standardised numbers (n, k).

        Raises:
            ValueError: a class is unknown, the number of columns is another, or counts are negative.
        """
        if self.kind == "classes":
            assert self.classes is not None
            codes = np.searchsorted(self.classes, y)
            known = np.take(self.classes, codes, mode="clip") == y
            if not known.all():
                stranger = y[~known].tolist()[0]
                raise ValueError(
                    f"y has the class {stranger!r}, which is none of the classes of fit,"
                    f" {self.classes.tolist()}: fit anew, or leave out its rows."
                )
            return codes.astype(np.int32)
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.outputs:
            raise ValueError(f"y has {columns.shape[1]} columns, but that of fit had {self.outputs}.")
        if self.counts:
            _refuse_negative(columns)
        return columns.astype(np.float64) if self.kind == "labels" else (columns - self.mean) / self.scale

    def averaged(self, outputs: np.ndarray) -> np.ndarray:
        """Raw outputs as what the mean of an ensemble is taken of: probabilities or numbers (n, k)."""
        outputs = np.asarray(outputs, np.float64)
        if self.kind == "classes":
            return softmax(outputs)
        if self.kind == "labels":
            return _sigmoid(outputs)
        return np.exp(outputs) * self.scale if self.counts else outputs * self.scale + self.mean

    def predictions(self, averaged: np.ndarray) -> np.ndarray:
        """Classes (n,), labels 0 or 1 (n, k), or numbers (n,) or (n, k)."""
        if self.kind == "classes":
            assert self.classes is not None
            return self.classes[averaged.argmax(axis=1)]
        if self.kind == "labels":
            return (averaged > 0.5).astype(int)
        return averaged[:, 0] if self.flat else averaged

    @property
    def stored(self) -> Target | None:
        """The target of a saved model; None where that has no such target."""
        if self.kind == "classes":
            assert self.classes is not None
            own = tuple(each if isinstance(each, str | bool | int | float) else str(each) for each in self.labels)
            return Target("target", "classes", own, tuple(map(str, own)))
        if self.kind == "labels" or self.outputs > 1:
            return None
        assert self.mean is not None
        assert self.scale is not None
        if self.counts:
            return Target("target", "counts", scale=float(self.scale[0]))
        return Target("target", "numbers", mean=float(self.mean[0]), scale=float(self.scale[0]))

    @property
    def labels(self) -> list[Any]:
        """The classes as Python's own values."""
        return [] if self.classes is None else self.classes.tolist()


def _sigmoid(outputs: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ᵒ), without overflow."""
    small = np.exp(-np.abs(outputs))
    return np.where(outputs >= 0, 1, small) / (1 + small)


def classes_of(y: Any, name: str) -> np.ndarray:
    """The targets of a classifier: labels (n,), or 0 and 1 (n, k) for several labels.

    Raises:
        ValueError: they are absent, missing, infinite, numbers with fractions, or several classes for each row.
    """
    _refuse_absent(y, name)
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind.startswith("multilabel"):
        return np.asarray(y)
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"{name} predicts one class for each row, or several labels of 0 and 1, got y of shape {np.shape(y)} with"
            " other values: fit one classifier for each column (MultiOutputClassifier)."
        )
    return column_or_1d(y, warn=True)


def fitted_classes(y: np.ndarray) -> Targets:
    """What y, of rows of weight > 0, says about the classes; or the classes that the caller names.

    Raises:
        ValueError: there is one class only.
    """
    if y.ndim == 2:
        return Targets("labels", y.shape[1], np.arange(y.shape[1]))
    found = np.unique(y)
    if len(found) < 2:
        only = found.tolist()[0]
        raise ValueError(
            f"y has only one class, {only!r}, in rows of weight > 0: a classifier needs rows of at least two classes."
        )
    return Targets("classes", len(found), found)


def numbers_of(y: Any, name: str) -> np.ndarray:
    """The targets of a regressor, float64 (n,) or (n, k).

    Raises:
        ValueError: they are absent, text, complex, missing or infinite.
    """
    _refuse_absent(y, name)
    try:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    except ValueError as error:
        if "convert string" not in str(error):
            raise
        raise ValueError(f"{name} predicts numbers, but y holds text ({error}): use MLPClassifier.") from error
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def fitted_numbers(y: np.ndarray, weight: np.ndarray | None, *, scale: bool, counts: bool) -> Targets:
    """What the training rows' numbers say: their mean and spread, (k,), weighted; of counts, the mean is the scale.

    Raises:
        ValueError: counts are negative.
    """
    columns = y.reshape(len(y), -1)
    k = columns.shape[1]
    if counts:
        _refuse_negative(columns)
    mean, spread = np.zeros(k), np.ones(k)
    if scale:
        mean, spread = weighted_mean_and_scale(columns, np.ones(len(y)) if weight is None else weight)
    if scale and counts:
        mean, spread = np.zeros(k), np.where(mean > 0, mean, 1.0)
    return Targets("numbers", k, None, mean, spread, counts, y.ndim == 1)


def _refuse_negative(counts: np.ndarray) -> None:
    if (counts < 0).any():
        raise ValueError(f"The loss 'poisson' needs counts ≥ 0 in y, got {counts.min():g}: use squared_error.")


def _refuse_absent(y: Any, name: str) -> None:
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
