"""Fitted networks of scikit-learn as models: `MLPClassifier` and `MLPRegressor`, whose parameters have the same shapes.

A classifier of two classes has one output z there, whose logistic function is the probability of the second. Here it
has two, 0 and z, whose softmax is the same.
"""

from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.export.network import params_of
from jaxnn.preprocessing import Column, Preprocessing, Target
from jaxnn.preprocessing.learnt import Problem
from jaxnn.training import Model

ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
PROBLEMS: dict[str, Problem] = {
    "softmax": "classes",
    "logistic": "classes",
    "identity": "numbers",
    "exp": "counts",
}  # by last activation


def from_sklearn(estimator: Any) -> Model:
    """A model that predicts what a fitted network of scikit-learn predicts.

    It is in float32, unless jax_enable_x64 is on. Its columns have the names that the estimator has seen, or x0, x1, …,
    and are not scaled. A scaler before the network is no part of it: give raw tables to the pipeline, or scale first.

    Args:
        estimator: a fitted `sklearn.neural_network.MLPClassifier` or `MLPRegressor`.

    Raises:
        ValueError: it is not fitted, is another estimator, or predicts several labels for a row.
    """
    kind = type(estimator).__name__
    if type(estimator).__module__.partition(".")[0] == "jaxnn":
        raise ValueError(f"{kind} is jaxnn's own: its model is `estimator.model_`.")
    if not hasattr(estimator, "activation") or kind not in ("MLPClassifier", "MLPRegressor"):
        raise ValueError(f"A fitted MLPClassifier or MLPRegressor of scikit-learn is needed, got {kind}.")
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"This {kind} is not fitted: call fit first.")
    problem = checks.one_of(estimator.out_activation_, PROBLEMS, "output activation")
    layers = list(zip(map(np.asarray, estimator.coefs_), map(np.asarray, estimator.intercepts_), strict=True))
    if estimator.out_activation_ == "logistic":
        layers[-1] = _two_outputs(*layers[-1])
    n_in, n_out = layers[0][0].shape[0], layers[-1][0].shape[1]
    config = {
        "sizes": [n_in, *(w.shape[1] for w, _ in layers)],
        "activation": checks.one_of(estimator.activation, ACTIVATIONS, "activation"),
        "problem": problem,
    }
    fitted = None
    if problem == "classes" or n_out == 1:  # of several numbers there is no preprocessing: they are raw outputs
        names = [str(name) for name in getattr(estimator, "feature_names_in_", (f"x{j}" for j in range(n_in)))]
        labels = tuple(np.asarray(estimator.classes_).tolist()) if problem == "classes" else ()
        target = Target("target", problem, labels, tuple(map(str, labels)))
        fitted = Preprocessing(tuple(Column(name, "number") for name in names), target)
    return Model(params_of(layers, None), config, fitted)


def _two_outputs(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outputs 0 and z in place of z."""
    if len(b) != 1:
        raise ValueError(
            f"The classifier predicts {len(b)} labels for a row, and a model of jaxnn one class: fit one for"
            " each label."
        )
    return np.concatenate([np.zeros_like(w), w], axis=1), np.concatenate([np.zeros_like(b), b])
