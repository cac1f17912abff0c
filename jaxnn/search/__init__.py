"""Hyperparameter search, its parts: where to search, when to stop a trial, what is recorded, and what mattered.

space        distributions, the default space around suitable defaults, the draw of each trial, grids
halving      successive halving by ASHA's rule
trials       the file of trials, which survives a kill
importance   the share of the scores' variance that each hyperparameter explains
"""

from jaxnn.search.distributions import Choice, LogUniform, Uniform
from jaxnn.search.halving import promoted, rungs
from jaxnn.search.importance import Importance, importance
from jaxnn.search.result import Search
from jaxnn.search.search import sweep, tune
from jaxnn.search.space import around, draw, grid
from jaxnn.search.trials import Trial

__all__ = [
    "Choice",
    "Importance",
    "LogUniform",
    "Search",
    "Trial",
    "Uniform",
    "around",
    "draw",
    "grid",
    "importance",
    "promoted",
    "rungs",
    "sweep",
    "tune",
]
