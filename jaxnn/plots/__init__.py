"""Pictures of training and its results, readable from the last row of a lecture hall.

Each function takes arrays and returns a `matplotlib.figure.Figure`; `save` writes it. No window system, no pyplot and
no global state: pictures can be made in threads and on machines without a screen. Needs the extra `plot`.
"""

from jaxnn.plots.boundary import decision_boundary
from jaxnn.plots.composed import demo, training_report
from jaxnn.plots.confusion import confusion
from jaxnn.plots.curves import learning_curves
from jaxnn.plots.examples import examples
from jaxnn.plots.importance import importance
from jaxnn.plots.landscape import curvature_report, landscape, landscape_line
from jaxnn.plots.rates import learning_rates
from jaxnn.plots.regression import regression
from jaxnn.plots.save import save
from jaxnn.plots.search import search
from jaxnn.plots.spectrum import spectrum
from jaxnn.plots.ulps import ulp_errors
from jaxnn.plots.weights import first_layer

__all__ = [
    "confusion",
    "curvature_report",
    "decision_boundary",
    "demo",
    "examples",
    "first_layer",
    "importance",
    "landscape",
    "landscape_line",
    "learning_curves",
    "learning_rates",
    "regression",
    "save",
    "search",
    "spectrum",
    "training_report",
    "ulp_errors",
]
