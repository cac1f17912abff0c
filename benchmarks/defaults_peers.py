"""Other libraries' models on the rows of `benchmarks.defaults`, with the inputs of the network.

    linear model            ridge regression, its penalty chosen by leaving one out; logistic regression
    MLP                     scikit-learn's MLPRegressor or MLPClassifier
    HistGradientBoosting    scikit-learn's
    RealMLP-TD-S            pytabkit's, on the processor; Holzmüller, Grinsztajn & Steinwart, Better by default (2024)

All have their default arguments, but for what is named. scikit-learn's models are fitted to the training and
validation rows together; RealMLP is trained on the training rows, and chooses its epoch on the validation rows. For
classes it is given `use_ls=False` and `val_metric_name="cross_entropy"`, as its authors advise where the probabilities
count, since the score is made of them. It has one thread: two take longer for matrices this small.
"""

import functools
import importlib.util
import sys
import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from jaxnn.experiments.rows import Rows

REAL_MLP = "RealMLP-TD-S"
PEERS = ("linear model", "MLP", "MLP, early_stopping", "HistGradientBoosting", REAL_MLP)


def outputs(rows: Rows, seed: int, names: Collection[str]) -> dict[str, np.ndarray]:
    """Outputs like a network's, for all rows, of each model that could be fitted."""
    found = scikit_learn(rows, seed, [name for name in names if name != REAL_MLP])
    return found | ({REAL_MLP: real_mlp(rows, seed)} if REAL_MLP in names else {})


def installed(names: Collection[str]) -> list[str]:
    """The peers that can be asked; of one that cannot, a line says so."""
    if REAL_MLP in names and importlib.util.find_spec("pytabkit") is None:
        print(f"{REAL_MLP} is left out: pip install pytabkit", file=sys.stderr)
        return [name for name in names if name != REAL_MLP]
    return list(names)


def scikit_learn(rows: Rows, seed: int, names: Collection[str]) -> dict[str, np.ndarray]:
    """Outputs like a network's of models fitted to the training and validation rows."""
    from sklearn import ensemble, linear_model, neural_network

    part = np.concatenate([rows.split.train, rows.split.validation])
    classes = rows.problem.stratified
    y = rows.y[part] if classes else rows.y[part, 0]
    kind = "Classifier" if classes else "Regressor"
    linear = linear_model.LogisticRegression(max_iter=2000) if classes else linear_model.RidgeCV(np.logspace(-3, 4, 15))
    mlp = functools.partial(getattr(neural_network, f"MLP{kind}"), random_state=seed)
    models: dict[str, Callable[[], Any]] = {
        "linear model": lambda: linear,
        "MLP": mlp,
        "MLP, early_stopping": lambda: mlp(early_stopping=True),
        "HistGradientBoosting": lambda: getattr(ensemble, f"HistGradientBoosting{kind}")(random_state=seed),
    }
    found = {}
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = models[name]().fit(rows.x[part], y)
            except ValueError:  # early_stopping of too few rows of a class
                continue
            found[name] = _said(model, rows)
    return found


def real_mlp(rows: Rows, seed: int) -> np.ndarray:
    """Outputs like a network's of RealMLP-TD-S, with the training and validation rows that the network has."""
    import pytabkit

    classes = rows.problem.stratified
    kind = "Classifier" if classes else "Regressor"
    probable = {"use_ls": False, "val_metric_name": "cross_entropy"} if classes else {}
    model = getattr(pytabkit, f"RealMLP_TD_S_{kind}")(device="cpu", n_threads=1, random_state=seed, **probable)
    y, train, validation = rows.y if classes else rows.y[:, 0], rows.split.train, rows.split.validation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows.x[train], y[train], rows.x[validation], y[validation])
        return _said(model, rows)


def _said(model: Any, rows: Rows) -> np.ndarray:
    """Logarithms of probabilities, or numbers, (n, n_out)."""
    if rows.problem.stratified:
        return np.asarray(np.log(np.maximum(model.predict_proba(rows.x), 1e-15)))
    return np.asarray(model.predict(rows.x)).reshape(-1, 1)
