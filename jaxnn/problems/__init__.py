"""The kinds of problems: one row of a table for each, so no other code needs to ask which kind it has.

    classes     k outputs o for k classes; softmax(o) are their probabilities, and the largest is the prediction
    numbers     one output: the standardised target
    counts      one output: the logarithm of the expected count, relative to the mean of the training rows

To add a kind, add a file and its row here. `preprocessing` decides the kind from the target and stores it in the model.
Saved models (`training.Model`), `experiments` and the command line all look it up here.
"""

from collections.abc import Mapping

from jaxnn.problems.classes import CLASSES, MOST_AREAS, log_softmax, softmax
from jaxnn.problems.counts import COUNTS
from jaxnn.problems.numbers import NUMBERS
from jaxnn.problems.problem import PRINTED, Part, Problem

PROBLEMS: Mapping[str, Problem] = {problem.name: problem for problem in (CLASSES, NUMBERS, COUNTS)}

__all__ = [
    "CLASSES",
    "COUNTS",
    "MOST_AREAS",
    "NUMBERS",
    "PRINTED",
    "PROBLEMS",
    "Part",
    "Problem",
    "log_softmax",
    "softmax",
]
