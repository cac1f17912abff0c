"""Training: one step, one scan, or a complete run; and models saved as files.

step        a pure function (state, batch) -> (state, info)
run         many steps in one scan: jit it, vmap it, differentiate it
minimise    all data in every step, to the limit of the precision: for second-order methods
fit         a complete run: progress, validation, early stopping, checkpoints, interrupts
learning_rate_range_test  a short run at a rising rate: suggests a learning rate
diagnose    explains what is wrong with a network or a run, from the statistics of its layers
save, load  a model, or an ensemble of several, as one file that contains no code
"""

import warnings
from typing import Any

from jaxnn.training.diagnosis import Diagnosis, Finding, diagnose
from jaxnn.training.ensemble_model import Ensemble
from jaxnn.training.ensembles import EnsembleFit, fit_ensemble
from jaxnn.training.epochs import Carry
from jaxnn.training.fitting import Fit, fit
from jaxnn.training.history import History
from jaxnn.training.host_loop import Epoch
from jaxnn.training.minimise import minimise
from jaxnn.training.model import Model
from jaxnn.training.model_files import load, save
from jaxnn.training.named_arrays import flatten, unflatten
from jaxnn.training.ordering import batches, order
from jaxnn.training.range_test import RangeTest, learning_rate_range_test
from jaxnn.training.solution import Solution, Trajectory
from jaxnn.training.statistics import LayerStatistics, Watch, layer_statistics
from jaxnn.training.steps import Info, TrainState, init, run, step
from jaxnn.training.stopping import Stop
from jaxnn.training.tensorboard import TensorBoard

__all__ = [
    "Carry",
    "Diagnosis",
    "Ensemble",
    "EnsembleFit",
    "Epoch",
    "Finding",
    "Fit",
    "History",
    "Info",
    "LayerStatistics",
    "Model",
    "RangeTest",
    "Solution",
    "Stop",
    "TensorBoard",
    "TrainState",
    "Trajectory",
    "Watch",
    "batches",
    "diagnose",
    "fit",
    "fit_ensemble",
    "flatten",
    "init",
    "layer_statistics",
    "learning_rate_range_test",
    "load",
    "minimise",
    "order",
    "run",
    "save",
    "step",
    "unflatten",
]


def __getattr__(name: str) -> Any:
    if name == "Path":
        warnings.warn("training.Path is now training.Trajectory.", DeprecationWarning, stacklevel=2)
        return Trajectory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
