"""The curvature of a function at its parameters: the spectrum of its Hessian, without forming it, and its landscape.

All functions work on any pytree, in float32 and float64, and inside `jit` and `vmap`. Most take `(f, params)` with
f(params) a scalar, or `(objective, params, batch)`. Calls with the same f are compiled once.
"""

from jaxnn.curvature.density import Density, spectral_density
from jaxnn.curvature.eigenpairs import Eigenpair, Eigenpairs, Extremes, eigenpairs, extreme_eigenpairs, outside
from jaxnn.curvature.lanczos import Lanczos, lanczos
from jaxnn.curvature.landscape import Plane, eigen_directions, interpolation, line, plane, random_directions
from jaxnn.curvature.summary import (
    LayerCurvature,
    condition_number,
    condition_of,
    extremes,
    layer_curvature,
    parts_of,
    sharpness,
    top_eigenpairs,
)
from jaxnn.curvature.trace import Estimate, trace

__all__ = [
    "Density",
    "Eigenpair",
    "Eigenpairs",
    "Estimate",
    "Extremes",
    "Lanczos",
    "LayerCurvature",
    "Plane",
    "condition_number",
    "condition_of",
    "eigen_directions",
    "eigenpairs",
    "extreme_eigenpairs",
    "extremes",
    "interpolation",
    "lanczos",
    "layer_curvature",
    "line",
    "outside",
    "parts_of",
    "plane",
    "random_directions",
    "sharpness",
    "spectral_density",
    "top_eigenpairs",
    "trace",
]
