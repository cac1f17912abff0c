"""Where to search: the default space, the draw of each trial, and grids.

Trials differ in two ways. Another learning rate, weight decay or dropout rate is another number in the same compiled
program; other layers, another activation or batch size are another program, which takes a second or two to compile. So
numbers are drawn for each trial, and structure once for each block of `BLOCK` trials, which then run side by side.

References:
    Bergstra & Bengio, Random search for hyper-parameter optimization (2012): of many hyperparameters few matter, and
    random trials try as many values of each of these as there are trials, where a grid repeats a few.
"""

import itertools
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.experiments.recipe import Recipe
from jaxnn.search.distributions import Choice, Distribution, LogUniform, Uniform, as_json, listed

BLOCK = 16  # trials with the same structure: as many members as `training.fit_ensemble` trains in one call
NUMBERS = ("learning_rate", "weight_decay", "dropout", "input_dropout")  # data: another value compiles nothing
LAYERS = (1, 2, 3)
FACTORS = (0.5, 1.0, 2.0)  # of the default width and batch size
ACTIVATIONS = ("relu", "silu", "tanh")
SMOOTH = ("tanh", "silu")  # second-order methods need second derivatives
DECOUPLED = ("adamw", "lion")  # the learning rate multiplies their decay, so it is larger
NO_DECAY: dict[bool, tuple[float, float]] = {True: (1e-3, 1.0), False: (1e-6, 1e-2)}  # searched where the default is 0

FIELDS = {name: name for name in Recipe._fields}


def around(recipe: Recipe, *, fixed: Collection[str] = ()) -> dict[str, Distribution]:
    """The default space: what matters for most small networks, around the default that suits the rows.

        learning_rate    LogUniform(rate/10, 10 rate)
        weight_decay     LogUniform(decay/30, 10 decay); around 0, (1e-6, 1e-2), or (1e-3, 1) if the rate multiplies it
        dropout          Uniform(0, 0.5)
        hidden           half, once and twice the default widths, in one to three layers
        activation       relu, silu or tanh
        batch_size       half, once and twice the default

    A second-order method finds its own step length and uses all rows without dropout, so only its hidden layers, smooth
    activations and its L2 penalty are searched; a linear model has no hidden layers to search.

    Args:
        recipe: the defaults, as `experiments.recipe.complete` gives them.
        fixed: fields that are given, and so not searched.

    Returns:
        field of `Recipe` -> distribution.

    Raises:
        ValueError: a fixed field does not exist, or nothing is left to search.
    """
    for name in fixed:
        checks.one_of(name, FIELDS, "hyperparameter")
    rate, decay = recipe.learning_rate, recipe.weight_decay
    space: dict[str, Distribution] = {}
    if not recipe.follows_curvature:
        space["learning_rate"] = _between(rate / 10, rate * 10)
    least, most = (decay / 30, decay * 10) if decay else NO_DECAY[recipe.optimiser in DECOUPLED]
    space["weight_decay"] = _between(least, most)
    if recipe.hidden:
        if not recipe.follows_curvature:
            space["dropout"] = Uniform(0.0, 0.5)
        one_per_layer = "activation" in fixed and len(recipe.activation) > 1
        space["hidden"] = Choice(tuple(_shapes(recipe.hidden, (len(recipe.hidden),) if one_per_layer else LAYERS)))
        names = SMOOTH if recipe.follows_curvature else ACTIVATIONS
        space["activation"] = Choice(tuple(dict.fromkeys((*names, *recipe.activation))))
    if not recipe.follows_curvature:
        sizes = (max(1, int(recipe.batch_size * factor)) for factor in FACTORS)
        space["batch_size"] = Choice(tuple(dict.fromkeys(sizes)))
    left = {name: distribution for name, distribution in space.items() if name not in fixed}
    if not left:
        raise ValueError(f"Nothing is left to search: leave out one of {', '.join(space)}.")
    return left


def draw(space: Mapping[str, Any], seed: int, number: int, *, block: int = BLOCK) -> dict[str, Any]:
    """The choices of one trial, in JSON's types: a pure function of its arguments, whatever ran before.

    Trial 0 is the defaults, {}. Trials n of equal n // block have the same structure and differ in `NUMBERS`; in a
    space without any of these, each trial has a structure of its own. Each hyperparameter has its own random numbers,
    so taking one out of the space leaves the others as they were.

    Args:
        space: field of `Recipe` -> distribution.
        seed: ≥ 0.
        number: of the trial, ≥ 0.
        block: trials with the same structure, ≥ 1.

    Raises:
        ValueError: a field does not exist or is not searched by a distribution, or a number is negative.
        TypeError: a number is not whole.
    """
    checks.whole(0, seed=seed, number=number)
    checks.whole(1, block=block)
    for name, distribution in space.items():
        checks.one_of(name, FIELDS, "hyperparameter")
        if not isinstance(distribution, Distribution):
            raise ValueError(f"{name} must be searched by Uniform, LogUniform or Choice, got {distribution!r}.")
    if number == 0:
        return {}
    if not set(space) & set(NUMBERS):
        block = 1
    choices = {}
    for name, distribution in space.items():
        turn = number if name in NUMBERS else number // block
        rng = np.random.default_rng([seed, turn, zlib.crc32(name.encode())])
        choices[name] = as_json(distribution.draw(rng))
    return choices


def grid(**values: Any) -> list[dict[str, Any]]:
    """All combinations of the values, in the order given, the last hyperparameter varying fastest.

        grid(optimiser=["adam", "sgd"], hidden=[(32,), (64, 64)])

    Args:
        **values: for each field of `Recipe`, the values to try.

    Returns:
        The choices of each combination, in JSON's types. One empty choice for no field.

    Raises:
        ValueError: a field does not exist (the message offers the nearest), or has no list of values that suit it.
    """
    for name in values:
        checks.one_of(name, FIELDS, "hyperparameter")
    given = {name: listed(name, tried) for name, tried in values.items()}
    if not all(isinstance(value, tuple | list) for value in given.get("hidden", ())):
        raise ValueError(
            f"hidden must be a list of sequences, one for each network, such as [(32,), (64, 64)], got "
            f"{list(given['hidden'])!r}."
        )
    return [
        {name: as_json(value) for name, value in zip(given, combination, strict=True)}
        for combination in itertools.product(*given.values())
    ]


def _between(low: float, high: float) -> LogUniform:
    """From `low` to `high`, both to three digits."""
    return LogUniform(float(f"{low:.3g}"), float(f"{high:.3g}"))


def _shapes(hidden: tuple[int, ...], counts: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    """Hidden layers of so many layers and other widths; the last layer is repeated where there are more."""
    for count in sorted({*counts, len(hidden)}):
        layers = (hidden + hidden[-1:] * count)[:count]
        for factor in FACTORS:
            yield tuple(max(1, int(units * factor)) for units in layers)
