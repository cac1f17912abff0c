"""The words that loops send to an update, beyond gradients, state and parameters.

A loop always sends `value`, `grad` and `value_fn`. An update that ends in `**words`, as all of ours and optax's
extended ones do, takes them; one of optax's plain transformations, `update(updates, state, params)`, takes none; one
that names some keyword-only gets those.

Our loops have three more, `objective`, `batch` and `key`, for methods that need J's parts rather than its values
(Gauss-Newton). They go to an update that names them, and through optimisers that are made of others (`passes_on`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jaxnn.types import OptimiserLike

ALWAYS = ("value", "grad", "value_fn")
PARTS_OF_J = ("objective", "batch", "key")

Update = TypeVar("Update", bound=Callable[..., Any])


def understood(optimiser: OptimiserLike, words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that this optimiser's update takes.

    The three that every loop sends go wherever `**words` does; any other only to an update that names it or passes it
    on, since optax's line searches refuse words that they do not know.
    """
    if getattr(optimiser.update, "passes_on", False):
        return dict(words)
    parameters = inspect.signature(optimiser.update).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return {name: word for name, word in words.items() if name in named or (takes_all and name in ALWAYS)}


def passes_on(update: Update) -> Update:
    """Marks the update of an optimiser made of others: it takes every word, and each part gets its own."""
    update.passes_on = True  # type: ignore[attr-defined]
    return update


def row_by_row(update: Update) -> Update:
    """Marks the update of a method that takes each row's outputs on their own: predict must not mix rows."""
    update.row_by_row = True  # type: ignore[attr-defined]
    return update
