"""Derivatives of a scalar function of a pytree, and whether they are right."""

from jaxnn.derivatives.differences import Curve, GradientCheck, check_gradient
from jaxnn.derivatives.products import hvp

__all__ = ["Curve", "GradientCheck", "check_gradient", "hvp"]
