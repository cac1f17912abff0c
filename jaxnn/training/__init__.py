"""Training: one step, one scan, or a whole run with everything around it; and models as files.

step        a pure function (state, batch) -> (state, info)
run         many steps in one scan: jit it, vmap it, differentiate it
minimise    the whole data at every step, to the limit of the precision: for second-order methods
fit         a whole run: progress, validation, early stopping, checkpoints, interrupts
diagnose    says in words what is wrong with a network or a run, from the statistics of its layers
save, load  a model as one file that holds no code
"""

from jaxnn.training.diagnosis import Diagnosis, Finding, diagnose
from jaxnn.training.epochs import Carry
from jaxnn.training.fitting import Epoch, Fit, fit
from jaxnn.training.history import History
from jaxnn.training.minimise import Path, Solution, minimise
from jaxnn.training.model import Model, load, save
from jaxnn.training.named_arrays import flatten, unflatten
from jaxnn.training.ordering import batches, order
from jaxnn.training.statistics import LayerStatistics, Watch, layer_statistics
from jaxnn.training.steps import Info, TrainState, init, run, step
from jaxnn.training.stopping import Stop

__all__ = [
    "Carry",
    "Diagnosis",
    "Epoch",
    "Finding",
    "Fit",
    "History",
    "Info",
    "LayerStatistics",
    "Model",
    "Path",
    "Solution",
    "Stop",
    "TrainState",
    "Watch",
    "batches",
    "diagnose",
    "fit",
    "flatten",
    "init",
    "layer_statistics",
    "load",
    "minimise",
    "order",
    "run",
    "save",
    "step",
    "unflatten",
]
