"""Derivatives of a scalar function of a pytree, and whether they are right."""

from jaxnn.derivatives.differences import Curve, GradientCheck, check_gradient

__all__ = ["Curve", "GradientCheck", "check_gradient"]
