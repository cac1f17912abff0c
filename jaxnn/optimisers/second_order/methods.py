"""The methods by name: optimisers that evaluate the objective themselves, and ask for the whole data at every step."""

from types import MappingProxyType
from typing import Any

from jaxnn.optimisers.second_order.bayesian import bayesian_regularisation
from jaxnn.optimisers.second_order.bfgs import bfgs
from jaxnn.optimisers.second_order.gauss_newton import gauss_newton
from jaxnn.optimisers.second_order.lbfgs import lbfgs
from jaxnn.optimisers.second_order.levenberg_marquardt import levenberg_marquardt
from jaxnn.optimisers.second_order.newton import newton
from jaxnn.optimisers.second_order.newton_cg import newton_cg
from jaxnn.optimisers.second_order.saddle_free_newton import saddle_free_newton

METHODS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "levenberg_marquardt": levenberg_marquardt,
        "bayesian_regularisation": bayesian_regularisation,
        "gauss_newton": gauss_newton,
        "newton": newton,
        "saddle_free_newton": saddle_free_newton,
        "newton_cg": newton_cg,
        "lbfgs": lbfgs,
        "bfgs": bfgs,
    }
)
