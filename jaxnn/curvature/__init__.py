"""Curvature of a function at its parameters: the spectrum of its Hessian, without the matrix."""

from jaxnn.curvature.eigenpairs import Eigenpair, Eigenpairs, Extremes, eigenpairs, extreme_eigenpairs, outside
from jaxnn.curvature.lanczos import Lanczos, lanczos

__all__ = [
    "Eigenpair",
    "Eigenpairs",
    "Extremes",
    "Lanczos",
    "eigenpairs",
    "extreme_eigenpairs",
    "lanczos",
    "outside",
]
