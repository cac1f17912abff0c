"""Other libraries' optimisers under their own names: one short function each, with their keywords and defaults.

    preset("torch.RMSprop", 1e-2, alpha=0.9, momentum=0.9, centered=True)

follows `torch.optim.RMSprop` step for step, also with a changing learning rate. Each function body expresses in our
rules what that library does; the formulae are in the rules' files. The libraries differ in these conventions:

    momentum, learning rate inside the velocity     keras, goodfellow, sklearn; optax and keras in RMSProp
    momentum, learning rate outside                 torch; optax in SGD
    weight decay, L2: λθ joins the gradient         torch, unless decoupled; optax in Adadelta
    weight decay, decoupled: a step takes ηλθ       keras, always; optax in the -w's and Lion; torch's AdamW
    ε under the root                                RMSProp and AdaGrad of optax and keras; the book's RMSProp
    ε̂, beside the uncorrected root                  Adam of keras and sklearn; RAdam of torch

Keywords of a library that are missing here do not change the rule (`foreach`, `fused`), belong to the training loop
(averaging, loss scaling), or choose a dtype for the state, which ours never narrow. One rule is missing: optax's RAdam
with `nesterov`. Learning rates are numbers or schedules; the first step of every library is step 0.

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
        learning_rate: η ≥ 0, or a schedule, step -> rate from step 0. None for the library's default, if it has one.
        keywords: the library's own; the learning rate may also be given as `lr` or under the library's name for it.

    Raises:
        ValueError: the name is unknown (the message suggests the closest one), or a hyperparameter is out of range.
        TypeError: a keyword is unknown, or the learning rate is missing and the library has no default.
    """
    if not isinstance(name, str):
        raise TypeError(f"A preset must be given by name, such as 'torch.Adam', got {name!r}.")
    library, dot, _ = name.partition(".")
    if not dot:
        raise ValueError(
            f"A preset's name is a library, a dot and the library's own name, such as 'torch.Adam', got {name!r}."
        )
    rows = checks.one_of(library, LIBRARIES, "library")
    row = checks.one_of(name, {f"{library}.{own}": row for own, row in rows.items()}, "preset")
    parameters = inspect.signature(row).parameters
    for keyword in keywords:
        if keyword not in parameters:
            raise TypeError(f"The preset {name} has no keyword {keyword!r}. Known: {', '.join(parameters)}.")
    first = next(iter(parameters.values()))
    if learning_rate is not None:
        return row(learning_rate, **keywords)
    if first.default is first.empty and first.name not in keywords:
        raise TypeError(f"{name} has no default learning rate: give one, such as preset({name!r}, 1e-3).")
    return row(**keywords)
