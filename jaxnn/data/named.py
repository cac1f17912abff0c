"""Data sets by name."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from jaxnn import checks
from jaxnn.data import bundled, generators
from jaxnn.data.dataset import Dataset
from jaxnn.data.fashion_mnist import fashion_mnist

TABLE: dict[str, Callable[..., Dataset]] = {
    **{name: partial(bundled.load, name) for name in bundled.NAMES},
    "fashion_mnist": fashion_mnist,
    "spirals": generators.spirals,
    "stroke_risk": generators.stroke_risk,
    "two_moons": generators.two_moons,
    "xor": generators.xor,
}
NAMES: tuple[str, ...] = tuple(sorted(TABLE))


def load(name: str, **options: Any) -> Dataset:
    """The data set called `name`, one of `NAMES`.

    Args:
        name: such as "digits" or "spirals".
        **options: for generators: `n` rows, `seed`, and `noise` where there is some; for "fashion_mnist": `folder`.

    Raises:
        ValueError: the name or an option is unknown, or an option's value is out of range.
        ImportError: scikit-learn, which brings the set along, is not installed.
        OSError: the files of Fashion-MNIST are not there.
    """
    make = checks.one_of(name, TABLE, "data set")
    known = inspect.signature(make).parameters
    for option in options:
        if not known:
            raise ValueError(f"The data set {name!r} takes no options, got {option!r}.")
        checks.one_of(option, known, f"option of {name!r}")
    return make(**options)
