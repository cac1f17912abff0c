"""The parameters of an estimator, checked, and as the fields of a `Recipe`.

An optimiser is a name in `optimisers.TABLE` or `METHODS`, a preset's such as "torch.RMSprop", or an object. A rule that
is named takes the rate, schedule and weight decay of the estimator; an object brings all of its own.
"""

import operator
from typing import Any, NamedTuple

from jaxnn import activations, checks, factories, optimisers, schedules
from jaxnn.experiments.network import SCHEDULES
from jaxnn.types import OptimiserLike

SCIKIT_LEARNS = {"logistic": "sigmoid"}  # "identity", "tanh" and "relu" have one name
KNOWN = {**optimisers.TABLE, **optimisers.METHODS, **optimisers.PRESETS}


class Choices(NamedTuple):
    """What the caller chose.

    Attributes:
        recipe: fields of `experiments.Recipe`; the others get their defaults.
        optimiser: an object or a preset's name, which replaces the recipe's; None for the recipe's own.
        schedule: the name of the schedule of a preset's rate.
        rate: the rate of a preset; None for the preset's own.
        is_method: whether the optimiser is of second order.
    """

    recipe: dict[str, Any]
    optimiser: Any
    schedule: str
    rate: float | None
    is_method: bool


def given(value: Any) -> bool:
    """Whether a parameter was given; None and "auto" leave it to the default."""
    return value is not None and not (isinstance(value, str) and value == "auto")


def choices(estimator: Any) -> Choices:
    """The parameters of an estimator, checked.

    Raises:
        ValueError: a name is unknown, a number is out of range, or two parameters contradict each other.
        TypeError: a parameter has another type.
    """
    own = estimator.get_params(deep=False)
    named = {
        "max_iter": "epochs",
        "n_iter_no_change": "patience",
        "batch_size": "batch_size",
        "learning_rate_init": "learning_rate",
        "schedule": "schedule",
        "dropout": "dropout",
        "weight_decay": "weight_decay",
    }
    found = {field: own[name] for name, field in named.items() if given(own[name])}
    _check_numbers(own)
    if given(own["hidden_layer_sizes"]):
        found["hidden"] = _hidden(own["hidden_layer_sizes"])
    if given(own["activation"]):
        found["activation"] = _activations(own["activation"], found.get("hidden"))
    if "schedule" in found:
        checks.one_of(found["schedule"], schedules.TABLE, "schedule")
    if own["alpha"] is not None:
        if found.get("weight_decay"):
            raise ValueError(
                f"alpha={own['alpha']!r} and weight_decay={own['weight_decay']!r} are two penalties on one network:"
                " give one of them."
            )
        found["weight_decay"] = 0.0
    return _with_optimiser(own, found)


def _check_numbers(own: dict[str, Any]) -> None:
    """Raises ValueError or TypeError for numbers that are out of range."""
    for name in ("max_iter", "n_iter_no_change", "batch_size"):
        if given(own[name]):
            checks.whole(1, **{name: own[name]})
    if own["ensemble"] is not None:
        checks.whole(1, ensemble=own["ensemble"])
        if own["ensemble"] > 1 and own["warm_start"]:
            raise ValueError(f"warm_start goes on with one network, got ensemble={own['ensemble']}: choose one.")
    if given(own["learning_rate_init"]):
        checks.positive(learning_rate_init=own["learning_rate_init"])
    for name in ("alpha", "weight_decay", "tol"):
        if given(own[name]):
            checks.non_negative(**{name: own[name]})
    if given(own["dropout"]):
        checks.decay(dropout=own["dropout"])
    for name in ("early_stopping", "scale_inputs", "scale_targets", "warm_start"):
        if name in own and isinstance(own[name], str) and given(own[name]):
            raise TypeError(f"{name} must be True or False, got {own[name]!r}.")
    checks.positive(validation_fraction=own["validation_fraction"])
    checks.decay(validation_fraction=own["validation_fraction"])
    if own["dtype"] not in (None, "auto", "float32", "float64"):
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {own['dtype']!r}.")


def _hidden(sizes: Any) -> tuple[int, ...]:
    """Units of each hidden layer; a whole number is one layer."""
    try:
        layers: tuple[int, ...] = (operator.index(sizes),)
    except TypeError:
        try:
            layers = tuple(operator.index(size) for size in sizes)
        except TypeError:
            raise TypeError(
                f"hidden_layer_sizes must be whole numbers, such as (64, 64) or 100, got {sizes!r}."
            ) from None
    if any(units < 1 for units in layers):
        raise ValueError(f"hidden_layer_sizes must be ≥ 1 each, got {sizes!r}; () is a linear model.")
    return layers


def _activations(names: Any, hidden: tuple[int, ...] | None) -> tuple[str, ...]:
    """The names in `activations.TABLE`, one for all hidden layers or one for each."""
    if not isinstance(names, str | list | tuple):
        raise TypeError(f"activation must be a name, such as 'relu', or one for each hidden layer, got {names!r}.")
    several = (names,) if isinstance(names, str) else tuple(names)
    own = tuple(SCIKIT_LEARNS.get(name, name) for name in several)
    for name in own:
        checks.one_of(name, activations.TABLE, "activation")
    if hidden is not None and len(own) not in (1, len(hidden)):
        raise ValueError(
            f"activation has {len(own)} names for {len(hidden)} hidden layers: give one name for all layers, or one"
            " per layer."
        )
    return own


def _with_optimiser(own: dict[str, Any], found: dict[str, Any]) -> Choices:
    """The choices, with an optimiser by name in the recipe, or beside it."""
    chosen = own["optimiser"]
    schedule = found.get("schedule", "constant")
    if not given(chosen):
        return Choices(found, None, schedule, None, False)
    if isinstance(chosen, str):
        checks.one_of(chosen, KNOWN, "optimiser")
        if chosen in optimisers.PRESETS:
            _refuse(own, ("weight_decay",), f"The preset {chosen!r} has its own keywords", chosen)
            return Choices(found, chosen, schedule, found.get("learning_rate"), False)
        is_method = chosen in optimisers.METHODS
        if is_method:
            _refuse(own, ("learning_rate_init", "schedule"), f"{chosen} finds its own step length", None)
            _refuse(own, ("batch_size",), f"{chosen} uses all rows in every step", None)
            _refuse(own, ("dropout",), f"{chosen} needs the same objective in every step", None)
        return Choices({**found, "optimiser": chosen}, None, schedule, None, is_method)
    if not isinstance(chosen, OptimiserLike):
        raise TypeError(
            f"optimiser must be a name, such as 'adamw', or an object, such as optimisers.adam(1e-3), got {chosen!r}."
        )
    _refuse(own, ("learning_rate_init", "schedule", "weight_decay"), "An optimiser given as an object has its own", "")
    made = factories.made_by(chosen)
    is_method = made is not None and made.name in optimisers.METHODS
    name = {"optimiser": made.name} if is_method and made is not None else {}
    return Choices({**found, **name}, chosen, schedule, None, is_method)


def _refuse(own: dict[str, Any], names: tuple[str, ...], why: str, preset: str | None) -> None:
    """Raises ValueError if one of these parameters was given, although the optimiser has no use for it."""
    for name in names:
        if given(own[name]) and own[name] != 0:
            put = "" if preset is None else ", and put it into an object: optimisers.preset(…) or optimisers.adam(…)"
            raise ValueError(f"{why}, got {name}={own[name]!r}: leave it out{put}.")


def optimiser_of(choice: Choices, rule: Any, *, rate: float, steps: int) -> Any:
    """The optimiser of a network: the caller's object, the preset with its schedule, or the recipe's own `rule`.

    Args:
        choice: what the caller chose.
        rule: the recipe's.
        rate: the recipe's learning rate, for a preset that has none.
        steps: of the whole run.
    """
    if choice.optimiser is None:
        return rule
    if not isinstance(choice.optimiser, str):
        return choice.optimiser
    if choice.rate is None and choice.schedule == "constant":
        try:
            return optimisers.preset(choice.optimiser)
        except TypeError:  # it has no default rate
            return optimisers.preset(choice.optimiser, rate)
    return optimisers.preset(choice.optimiser, SCHEDULES[choice.schedule](choice.rate or rate, steps))
