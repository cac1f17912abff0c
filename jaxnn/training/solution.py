"""What `minimise` returns."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from jaxnn import html
from jaxnn.training.stopping import Stop
from jaxnn.types import OptState, Params
from jaxnn.wording import counted

MOST_SHOWN = 20  # starts in a notebook


class Trajectory(NamedTuple):
    """The history of a minimisation: arrays of shape (steps + 1,), the start first; nan where a value is undefined.

    Under jit or vmap they have shape (max_steps + 1,), with nan after the last step.
    """

    value: Float[Array, "*steps"]  # J
    gradient_norm: Float[Array, "*steps"]  # ‖∇J‖₂
    damping: Float[Array, "*steps"]  # λ, σ or trust radius after the step
    gain_ratio: Float[Array, "*steps"]  # of the step that led here
    predicted_reduction: Float[Array, "*steps"]  # of the step that led here
    evaluations: Float[Array, "*steps"]  # of J, gradients and products in that step, besides one value and gradient


class Solution(NamedTuple):
    """The result of `minimise`."""

    params: Params
    value: Float[Array, "*starts"]  # J there
    gradient_norm: Float[Array, "*starts"]  # ‖∇J‖₂ there
    steps: Int[Array, "*starts"]  # taken
    stop: Any  # why it ended: a sentence; under jit and vmap a `Stop`, whose `words()` returns it afterwards
    history: Trajectory
    value_error: Float[Array, "*starts"]  # change of J if every parameter changes by a rounding error
    gradient_error: Float[Array, "*starts"]  # norm of the change of ∇J; smaller gradients are indistinguishable from 0
    state: OptState  # the optimiser's state

    def _repr_html_(self) -> str:
        """What a notebook shows: where the method arrived and why it ended; of several starts, of each."""
        stop = self.stop.words() if isinstance(self.stop, Stop) else self.stop
        columns = {"J": self.value, "gradient norm": self.gradient_norm, "steps": self.steps, "ended": stop}
        if np.ndim(self.value) == 0:
            value, norm, steps = float(self.value), float(self.gradient_norm), int(self.steps)
            known = {"J": value, "gradient norm": norm, "steps": steps, "ended": stop}
            return html.page("Solution", html.facts(known))
        starts = list(zip(*(np.ravel(column).tolist() for column in columns.values()), strict=True))
        rows = [(number, *start) for number, start in enumerate(starts[:MOST_SHOWN])]
        more = f"{len(starts) - MOST_SHOWN:,} more" if len(starts) > MOST_SHOWN else ""
        heading = f"Solutions from {counted(len(starts), 'start')}"
        return html.page(heading, html.table(("start", *columns), rows), html.listing([more] if more else []))
