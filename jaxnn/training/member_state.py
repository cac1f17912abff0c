"""The state of many members: what the host keeps of each, and groups of one shape, which are trained in chunks."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jaxnn.training import lockstep
from jaxnn.training.checkpoint import named
from jaxnn.training.epochs import Carry, Plan
from jaxnn.training.headers import Tensors
from jaxnn.training.history import Records
from jaxnn.training.lockstep import Share


class Book(NamedTuple):
    """What the host keeps of a member."""

    records: Records
    notes: list[str]
    retries: int = 0
    diverged_after: int = -1
    noted_undefined: bool = False


@dataclass
class Chunk:
    """Members that are trained in step."""

    numbers: np.ndarray  # (members,), the number of each
    places: np.ndarray  # (at once,), the place of each in its group; further places are beyond the group's end
    plan: Plan
    keys: Any
    share: Share
    carry: Carry
    limit: np.ndarray  # (at once,), epochs; 0 fills an incomplete chunk


@dataclass
class Group:
    """Members of one shape: the same numbers of rows."""

    numbers: np.ndarray  # (members,), the number of each
    carry: Carry  # of all, as of when the chunks were made
    at_once: int  # members in a chunk
    waiting: np.ndarray  # the places of members that have not begun, which are the last
    chunks: list[Chunk] = field(default_factory=list)

    def collect(self) -> None:
        """Writes the chunks' members back; there are no chunks then."""
        for chunk in self.chunks:
            self.carry = lockstep.placed(self.carry, chunk.places, chunk.carry)
        self.chunks = []

    def on_host(self, name: str) -> Tensors:
        """The same as named arrays, for a checkpoint: compiles nothing, so the first one takes as long as any."""
        arrays = {leaf: array.copy() for leaf, array in named({name: self.carry}).items()}
        for chunk in self.chunks:
            inside = chunk.places < len(self.numbers)
            for leaf, array in named({name: chunk.carry}).items():
                arrays[leaf][chunk.places[inside]] = array[inside]
        return arrays
