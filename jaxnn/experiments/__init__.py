"""The practitioner's run: from a table to a trained, tested network and its Outcome, as data.

source      a file, a data set, a table or arrays, and how to read the columns
run         split, read columns, train, keep the best epoch, score it, compare it with simple models
cross_validate  train a recipe on every fold, score it on rows it did not see, average the networks
permutation_importance  how much worse a model gets if a column is shuffled
learning_rates  the range test, which suggests a learning rate
explain_columns  what is done with each column before training, as a table
Recipe      every choice of network and training; defaults depend on the number of rows
Outcome     the model, its scores and those of simple models, the history, and what was done with rows and columns
Listener    callbacks for the stages of a run
PROBLEMS    the kinds of problems: a table of everything that differs between classes and numbers

`jaxnn train` and `jaxnn demo` parse, call `run` and print.
"""

from jaxnn.experiments.cross_validation import CrossValidation, cross_validate
from jaxnn.experiments.folds import Folds, folded
from jaxnn.experiments.importance import Importance, permutation_importance
from jaxnn.experiments.many import Job, train_many
from jaxnn.experiments.outcome import Outcome
from jaxnn.experiments.rates import Rates, learning_rates
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows, explain_columns
from jaxnn.experiments.running import Listener, run
from jaxnn.experiments.sources import Columns, Source, source, source_for
from jaxnn.problems import PROBLEMS, Problem

__all__ = [
    "PROBLEMS",
    "Columns",
    "CrossValidation",
    "Folds",
    "Importance",
    "Job",
    "Listener",
    "Outcome",
    "Problem",
    "Rates",
    "Recipe",
    "Rows",
    "Source",
    "cross_validate",
    "explain_columns",
    "folded",
    "learning_rates",
    "permutation_importance",
    "run",
    "source",
    "source_for",
    "train_many",
]
