"""What every named data set is: inputs, targets and their description."""

from typing import Literal, NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """A data set in raw units, ready for `preprocessing.fit_arrays`.

    Attributes:
        name: as given to `load`.
        x: inputs (n, n_in).
        y: targets (n,): integer codes into `class_names`, or float64.
        feature_names: one per column of `x`, with the unit where there is one.
        class_names: one per class; empty for numbers.
        target_name: what is predicted.
        problem: "classes", "numbers" or "counts".
        description: what it is, in a sentence or two.
        source: where it is from.
        image_shape: (height, width) where a row is an image, whose pixels share one scale; else None.
        risk: for generated risks, the true probability (n,) of class 1, from which `y` was drawn; else None.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    target_name: str
    problem: Literal["classes", "numbers", "counts"]
    description: str
    source: str
    image_shape: tuple[int, int] | None = None
    risk: np.ndarray | None = None
