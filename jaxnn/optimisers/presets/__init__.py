"""Other people's optimisers, by their own names: one short function per row, its signature their keywords and defaults.

    preset("torch.RMSprop", 1e-2, alpha=0.9, momentum=0.9, centered=True)

follows `torch.optim.RMSprop` step for step, under a changing learning rate too. Each body says in our rules' terms what
that library does; the formulae stand beside the rules. Where the libraries part ways:

    momentum, learning rate inside the velocity     keras, goodfellow, sklearn; optax and keras in RMSProp
    momentum, learning rate outside                 torch; optax in SGD
    weight decay, L2: λθ joins the gradient         torch, unless decoupled; optax in Adadelta
    weight decay, decoupled: a step takes ηλθ       keras, always; optax in the -w's and Lion; torch's AdamW
    ε under the root                                RMSProp and AdaGrad of optax and keras; the book's RMSProp
    ε̂, beside the uncorrected root                  Adam of keras and sklearn; RAdam of torch

A keyword that a library has and its row has not does not change the rule (`foreach`, `fused`), or belongs to the loop
around it (averaging, loss scaling), or chooses a dtype for the state, which ours never narrow. One rule is missing:
optax's RAdam with `nesterov`. Learning rates are numbers or schedules; the first step of every library is step 0.

References:
    optax 0.2.8, PyTorch 2.13, Keras 3.15, scikit-learn 1.9: the releases that the tests compare with.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 8.
"""

import inspect
from types import MappingProxyType
from typing import Any

from jaxnn import checks
from jaxnn.optimisers.presets import goodfellow, keras, optax, sklearn, torch
from jaxnn.types import Optimiser, ScalarOrSchedule

LIBRARIES: dict[str, dict[str, Any]] = {
    "optax": optax.ROWS,
    "torch": torch.ROWS,
    "keras": keras.ROWS,
    "goodfellow": goodfellow.ROWS,
    "sklearn": sklearn.ROWS,
}

for library, rows in LIBRARIES.items():
    for name, row in rows.items():
        row.known_as = getattr(row, "known_as", f"{library}.{name}")

PRESETS: MappingProxyType[str, Any] = MappingProxyType(
    {f"{library}.{name}": row for library, rows in LIBRARIES.items() for name, row in rows.items()}
)


def preset(name: str, learning_rate: ScalarOrSchedule | None = None, **keywords: Any) -> Optimiser:
    """The optimiser that another library calls `name`, with that library's keywords, defaults and conventions.

    Args:
        name: the library, a dot and the library's own name: "torch.AdamW", "keras.Nadam", "optax.lion",
            "sklearn.sgd", "goodfellow.rmsprop"; `PRESETS` has them all.
        learning_rate: η ≥ 0, or a schedule, step -> rate from step 0. None for the library's default, where it has one.
        keywords: the library's own; `lr` and its like for the learning rate are understood too.

    Raises:
        ValueError: unknown name, the nearest known one is offered; a hyperparameter out of range.
        TypeError: a keyword that the row has not; no learning rate where the library has no default.
    """
    if not isinstance(name, str):
        raise TypeError(f"A preset is asked for by its name, such as 'torch.Adam'; got {name!r}.")
    library, dot, _ = name.partition(".")
    if not dot:
        raise ValueError(f"A preset is a library, a dot and the library's own name, as in 'torch.Adam'; got {name!r}.")
    rows = checks.one_of(library, LIBRARIES, "library")
    row = checks.one_of(name, {f"{library}.{own}": row for own, row in rows.items()}, "preset")
    parameters = inspect.signature(row).parameters
    for keyword in keywords:
        if keyword not in parameters:
            raise TypeError(f"{name} has no keyword {keyword!r} here. Known: {', '.join(parameters)}.")
    first = next(iter(parameters.values()))
    if learning_rate is not None:
        return row(learning_rate, **keywords)
    if first.default is first.empty and first.name not in keywords:
        raise TypeError(f"{name} has no default learning rate: give one, as in preset({name!r}, 1e-3).")
    return row(**keywords)
