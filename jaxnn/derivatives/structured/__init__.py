"""The structured exact Hessian of a multi-layer perceptron: the recursion, the blocks, the whole.

recursion   the curvature of J in the pre-activations of every layer: the mathematics
blocks      sums over examples of products of what the recursion gives, and their places in the matrix
memory      how many examples at a time
network     is the objective's prediction that MLP?
penalties   the penalty's own curvature
hessians    the public functions
kinks       units where there is no Hessian
"""

from jaxnn.derivatives.structured.hessians import (
    mlp_hessian,
    mlp_hessian_blocks,
    mlp_hessian_diagonal,
    mlp_hessian_trace,
)
from jaxnn.derivatives.structured.kinks import kinked_units

__all__ = ["kinked_units", "mlp_hessian", "mlp_hessian_blocks", "mlp_hessian_diagonal", "mlp_hessian_trace"]
