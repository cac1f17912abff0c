"""The small classic data sets that come inside scikit-learn: no download, raw units."""

from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.data.dataset import Dataset

# name -> (what is predicted, in a sentence, where from)
ABOUT = {
    "breast_cancer": (
        "diagnosis",
        "569 tumours, 30 measurements of cell nuclei each: malignant or benign?",
        "Wolberg, Street and Mangasarian (1995), UCI Machine Learning Repository, through scikit-learn",
    ),
    "diabetes": (
        "progression",
        "442 patients, 10 baseline variables: progression of the disease after one year.",
        "Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression (2004), through scikit-learn",
    ),
    "digits": (
        "digit",
        "1,797 handwritten digits as images of 8 × 8 pixels with values 0 to 16.",
        "Alpaydin and Kaynak (1998), UCI Machine Learning Repository, through scikit-learn",
    ),
    "iris": (
        "species",
        "150 irises of three species, 4 lengths and widths in cm each.",
        "Fisher, The use of multiple measurements in taxonomic problems (1936), through scikit-learn",
    ),
    "wine": (
        "cultivar",
        "178 Italian wines from three cultivars, 13 chemical measurements each.",
        "Aeberhard and Forina (1992), UCI Machine Learning Repository, through scikit-learn",
    ),
}
NAMES: tuple[str, ...] = tuple(ABOUT)


def load(name: str) -> Dataset:
    """One of `NAMES`, from scikit-learn.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    target_name, description, source = ABOUT[name]
    sklearn = checks.require("sklearn.datasets", extra="sklearn", purpose=f"for the data set {name!r}")
    options: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn, f"load_{name}")(**options)
    numbers = name == "diabetes"
    return Dataset(
        name=name,
        x=np.asarray(bunch.data, np.float64),
        y=np.asarray(bunch.target, np.float64 if numbers else np.int64),
        feature_names=tuple(str(each) for each in bunch.feature_names),
        class_names=() if numbers else tuple(str(each) for each in bunch.target_names),
        target_name=target_name,
        problem="numbers" if numbers else "classes",
        description=description,
        source=source,
        image_shape=(8, 8) if name == "digits" else None,
    )
