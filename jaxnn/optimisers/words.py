"""The words that loops send to an update, beyond gradients, state and parameters.

A loop always sends `value`, `grad` and `value_fn`. An update that ends in `**words`, as all of ours and optax's
extended ones do, takes them; one of optax's plain transformations, `update(updates, state, params)`, takes none; one
that names some keyword-only gets those.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from jaxnn.types import OptimiserLike

ALWAYS = ("value", "grad", "value_fn")


def understood(optimiser: OptimiserLike, words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that this optimiser's update takes.

    The three that every loop sends go wherever `**words` does; any other only to an update that names it, since
    optax's line searches refuse words that they do not know.
    """
    parameters = inspect.signature(optimiser.update).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return {name: word for name, word in words.items() if name in named or (takes_all and name in ALWAYS)}
