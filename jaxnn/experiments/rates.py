"""The learning-rate range test for the network that a recipe describes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from jaxnn import optimisers, training
from jaxnn.experiments.network import network
from jaxnn.experiments.recipe import Recipe, check_memory, complete
from jaxnn.experiments.rows import Rows, split_and_preprocess
from jaxnn.experiments.sources import Source, source


class Rates(NamedTuple):
    """The result of `learning_rates`.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: the rows as the network sees them.
        recipe: every choice, defaults filled in; `learning_rate` is the default's.
        test: the result of `training.learning_rate_range_test`.
    """

    source: Source
    rows: Rows
    recipe: Recipe
    test: training.RangeTest


def learning_rates(
    rows: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
) -> Rates:
    """Runs a learning-rate range test on the training rows, from the network with which `run` would start.

        found = experiments.learning_rates("digits", {"optimiser": "adam"})
        experiments.run("digits", {"optimiser": "adam", "learning_rate": found.test.suggestion})

    Args:
        rows: as for `run`.
        recipe: as for `run`, with a first-order optimiser; the learning rate and the schedule are not used.
        validation: as for `run`: these rows are left out.
        test: as for `run`: these rows are left out.
        seed: as for `run`.
        low: the first rate, > 0.
        high: the last rate, > low.
        steps: whole number ≥ 50.

    Raises:
        ValueError: as `run` and `training.learning_rate_range_test` raise it, or the optimiser is a second-order
            method.
        TypeError: an argument has the wrong type.
        OSError: a file cannot be read.
        ImportError: a library that the data need is not installed.
    """
    found = source(rows)
    ready = split_and_preprocess(found, validation=validation, test=test, seed=seed)
    whole = complete({} if recipe is None else recipe, rows=len(ready.split.train), problem=ready.problem)
    if whole.follows_curvature:
        raise ValueError(
            f"{whole.optimiser} finds its own step length, so there is no learning rate to test: choose an optimiser"
            f" such as {', '.join(list(optimisers.TABLE)[:3])}."
        )
    check_memory(whole, ready)
    made = network(ready, whole, seed=seed)
    result = training.learning_rate_range_test(
        made.objective,
        factory(whole),
        made.params,
        ready.batch(ready.split.train),
        key=made.key,
        low=low,
        high=high,
        steps=steps,
        batch_size=whole.batch_size,
    )
    return Rates(found, ready, whole, result)


def factory(recipe: Recipe) -> Callable[..., Any]:
    """The recipe's optimiser as a function of the learning rate."""
    return partial(optimisers.get(recipe.optimiser), weight_decay=recipe.weight_decay)
