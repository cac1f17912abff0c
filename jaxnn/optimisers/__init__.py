"""Update rules as pairs of pure functions, one family per file.

    optimiser = adam(1e-3)
    state = optimiser.init(params)
    updates, state = optimiser.update(grads, state, params)
    params = apply_updates(params, updates)

First-order rules use a gradient (`TABLE`); second-order methods evaluate the objective themselves (`METHODS`: Newton,
Gauss-Newton, Levenberg-Marquardt, quasi-Newton) and are meant for `training.minimise`.

An optimiser is a pytree whose leaves are its hyperparameters: as an argument of a compiled program its numbers are
data, `jax.grad` can differentiate with respect to them, and `stack(adam, learning_rate=[…])` makes many for `jax.vmap`.

`optax.GradientTransformationExtraArgs(*adam(1e-3))` is an optax optimiser, and our loops accept optax's optimisers.
"""

from typing import Any

from jaxnn import checks
from jaxnn.factories import stack
from jaxnn.optimisers.compose.accumulate import AccumulateState, accumulate
from jaxnn.optimisers.compose.combine import chain, masked
from jaxnn.optimisers.compose.inject import InjectState, inject
from jaxnn.optimisers.compose.links import add_weight_decay, clip_by_global_norm, clip_by_value, set_to_zero
from jaxnn.optimisers.first_order import rules
from jaxnn.optimisers.first_order.rules import *  # noqa: F403 - every rule and its state, as rules.__all__ lists them
from jaxnn.optimisers.first_order.rules import TABLE
from jaxnn.optimisers.presets import PRESETS, preset
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import methods
from jaxnn.optimisers.second_order.methods import *  # noqa: F403 - likewise every method
from jaxnn.optimisers.second_order.methods import METHODS
from jaxnn.optimisers.specs import from_spec, spec
from jaxnn.tree import add as apply_updates
from jaxnn.types import Optimiser

__all__ = [
    "PRESETS",
    "AccumulateState",
    "InjectState",
    "Optimiser",
    "Report",
    "accumulate",
    "add_weight_decay",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "from_spec",
    "get",
    "inject",
    "masked",
    "preset",
    "set_to_zero",
    "spec",
    "stack",
]
__all__ += rules.__all__
__all__ += methods.__all__


def get(name: str) -> Any:
    """The factory of that name, of a first-order rule (`TABLE`) or a second-order method (`METHODS`).

    Raises:
        ValueError: the name is unknown; the message suggests the closest one.
    """
    return checks.one_of(name, {**TABLE, **METHODS}, "optimiser")
