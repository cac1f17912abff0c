"""How does a step's cost grow with the rows, the width, the depth and the number of networks? Digits, ReLU, Adam.

One thing grows at a time, from 64-64-10 with batches of 32. A call is a run of few epochs, shuffled, as in `training`;
with members it is `fit_ensemble`, and torch trains a single network, which costs as much for each however many there
are. A step of members is one step of each of them. `python -m benchmarks.scaling_picture` draws the answers, with those
of `update` for the number of parameters.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks import ensembles
from benchmarks import training as single
from benchmarks.harness import Contender, Make, Question
from benchmarks.training import Layers, Run

WIDTH, BATCH_SIZE, STEPS = 64, 32, 56  # where the others are when one grows
GROWTH = {
    "rows": (8, 32, 128, 512, 2048),
    "width": (16, 64, 256, 1024),
    "depth": (1, 2, 4, 8, 16),
    "members": (1, 4, 16, 64),
}
QUICK = {"rows": (8, 16), "width": (8, 16), "depth": (1, 2), "members": (1, 2)}
AXES = {
    "rows": "rows in a batch",
    "width": "width of the hidden layer",
    "depth": "hidden layers",
    "members": "networks",
}


class Size(NamedTuple):
    """One size of what grows."""

    axis: str  # in `GROWTH`
    value: int
    run: Run
    bytes_moved: None = None

    @property
    def members(self) -> int | None:
        """Networks trained together, or None for a single one."""
        return self.value if self.axis == "members" else None

    @property
    def name(self) -> str:
        """What grows, how far, and all the rest."""
        return f"{AXES[self.axis]}: {self.value}; {self.run.name}"

    @property
    def units(self) -> int:
        """Steps."""
        return self.run.units

    @property
    def trial(self) -> "Size":
        """One epoch of it."""
        return self._replace(run=self.run.trial)


def problems(quick: bool) -> Iterable[Size]:
    (digits,) = single.problems(False)
    for axis, values in (QUICK if quick else GROWTH).items():
        for value in values:
            batch_size = value if axis == "rows" else BATCH_SIZE
            hidden = (value if axis == "width" else WIDTH,) * (value if axis == "depth" else 1)
            steps = 4 if quick else max(STEPS * BATCH_SIZE // max(batch_size, BATCH_SIZE), 8)
            at = np.arange(batch_size * steps) % len(digits.x)  # the digits again, where a large batch needs more
            epochs = 2 if quick else 1 if max(hidden) > 500 else 8 if axis == "members" else 4
            yield Size(axis, value, Run(digits.x[at], digits.y[at], (64, *hidden, 10), batch_size, epochs))


def jaxnn(problem: Size) -> Callable[[], Layers]:
    if problem.members is None:
        return single.jaxnn_run(problem.run)
    return ensembles.fit_ensemble(ensembles.Ensemble(problem.run, problem.members, highest=np.inf))


@dataclass(frozen=True)
class Alone:
    """A single network's run, standing for many that take as long each."""

    call: Callable[[], Layers]
    units: float  # steps, each of all members

    def __call__(self) -> Layers:
        """The run."""
        return self.call()


def torch(threads: int) -> Make:
    def make(problem: Size) -> Callable[[], Any]:
        return Alone(single.torch_eager(threads)(problem.run), problem.units / (problem.members or 1))

    return make


def first_loss(problem: Size, layers: Layers) -> float:
    """The final loss, of members that of the first."""
    first = layers if layers[0][0].ndim == 2 else [(w[0], b[0]) for w, b in layers]
    return single.final_loss(problem.run, first)


QUESTION = Question(
    name="scaling",
    title="How a step's cost grows",
    unit="step",
    witness_name="final loss",
    problems=problems,
    witness=first_loss,
    contenders=(
        Contender("jaxnn", "`run`; `fit_ensemble` for networks", jaxnn),
        Contender(
            "torch",
            "fused Adam; networks one by one",
            {f"{n} thread{'s' * (n > 1)}": torch(n) for n in (1, 2)},
            "torch",
        ),
    ),
    rounds=5,
)
