"""Derivatives of a scalar function of a pytree, and checks that they are correct."""

from jaxnn.derivatives.budget import MemoryBudgetError
from jaxnn.derivatives.dense import hessian, hessian_blocks, hessian_diagonal
from jaxnn.derivatives.differences import Curve, GradientCheck, check_gradient
from jaxnn.derivatives.gauss_newton import empirical_fisher, fisher, gauss_newton_matrix
from jaxnn.derivatives.hessian_check import HessianCheck, check_hessian
from jaxnn.derivatives.products import gauss_newton_vp, hvp
from jaxnn.derivatives.structured import (
    kinked_units,
    mlp_hessian,
    mlp_hessian_blocks,
    mlp_hessian_diagonal,
    mlp_hessian_trace,
)

__all__ = [
    "Curve",
    "GradientCheck",
    "HessianCheck",
    "MemoryBudgetError",
    "check_gradient",
    "check_hessian",
    "empirical_fisher",
    "fisher",
    "gauss_newton_matrix",
    "gauss_newton_vp",
    "hessian",
    "hessian_blocks",
    "hessian_diagonal",
    "hvp",
    "kinked_units",
    "mlp_hessian",
    "mlp_hessian_blocks",
    "mlp_hessian_diagonal",
    "mlp_hessian_trace",
]
