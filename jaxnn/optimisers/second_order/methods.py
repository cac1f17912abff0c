"""The second-order methods by name: optimisers that evaluate the objective themselves, on all data in every step.

`jaxnn.optimisers` exports those in `__all__`.
"""

from types import MappingProxyType
from typing import Any

from jaxnn.optimisers.second_order.bayesian import BayesianRegularisationState, bayesian_regularisation
from jaxnn.optimisers.second_order.bfgs import BFGSState, bfgs
from jaxnn.optimisers.second_order.gauss_newton import GaussNewtonState, gauss_newton
from jaxnn.optimisers.second_order.lbfgs import LBFGSState, lbfgs
from jaxnn.optimisers.second_order.levenberg_marquardt import LevenbergMarquardtState, levenberg_marquardt
from jaxnn.optimisers.second_order.newton import NewtonState, newton
from jaxnn.optimisers.second_order.newton_cg import NewtonCGState, newton_cg
from jaxnn.optimisers.second_order.saddle_free_newton import SaddleFreeNewtonState, saddle_free_newton

__all__ = [
    "METHODS",
    "BFGSState",
    "BayesianRegularisationState",
    "GaussNewtonState",
    "LBFGSState",
    "LevenbergMarquardtState",
    "NewtonCGState",
    "NewtonState",
    "SaddleFreeNewtonState",
    "bayesian_regularisation",
    "bfgs",
    "gauss_newton",
    "lbfgs",
    "levenberg_marquardt",
    "newton",
    "newton_cg",
    "saddle_free_newton",
]

METHODS: MappingProxyType[str, Any] = MappingProxyType(
    {
        method.__name__: method
        for method in (
            levenberg_marquardt,
            bayesian_regularisation,
            gauss_newton,
            newton,
            saddle_free_newton,
            newton_cg,
            lbfgs,
            bfgs,
        )
    }
)
