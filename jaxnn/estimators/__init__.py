"""`MLPClassifier` and `MLPRegressor`: networks with scikit-learn's interface, trained as `jaxnn train` trains them.

    MLPClassifier(random_state=0).fit(X, y).predict_proba(X)

A table gets the same defaults, and so the same network, as on the command line (`jaxnn.experiments`), without test
rows: the caller keeps those. Parameters that scikit-learn has too mean the same here. None stands for the default,
which depends on the number of rows.

    names       scikit-learn's and jaxnn's names of losses, activations, optimisers; parameters that go together
    tables      X to inputs: arrays of numbers, or DataFrames whose columns may be categories
    weights     rows that count more than others, in means and scales as in the loss
    targets     y to what a loss takes, and outputs to predictions
    objectives  J in scikit-learn's units, and its penalty `alpha`
    rows        which rows train, and in which precision
    learning    recipe, network and training
    partial     one epoch over the given rows, after another

Reference: Pedregosa et al., Scikit-learn: Machine Learning in Python (2011); the interface is that of its developer's
guide, whose checks both classes pass.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxnn import checks

if TYPE_CHECKING:
    from jaxnn.estimators.classifier import MLPClassifier
    from jaxnn.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

_MODULES = {"MLPClassifier": "classifier", "MLPRegressor": "regressor"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    checks.require("sklearn", extra="sklearn", purpose="for estimators")  # whose own message would name no extra
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
