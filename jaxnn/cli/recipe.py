"""How a network is to be trained: what the options say, and what suits the number of rows where they say nothing."""

import argparse
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnn.cli import arguments

FEW_ROWS, MANY_ROWS = 1_000, 10_000  # for training, below and from which other defaults suit


class Recipe(NamedTuple):
    """Every choice of a run; `Recipe.complete` fills what was left open.

    Attributes:
        hidden: units of each hidden layer; () is a linear model.
        activation: one name, or one for each hidden layer.
        optimiser: a name in `optimisers.TABLE`, or in `optimisers.METHODS`, which evaluate the objective themselves.
        learning_rate: > 0, the schedule's largest; a method has none.
        schedule: a name in `schedules.TABLE`, stretched over all epochs.
        epochs: at most.
        batch_size: rows per step.
        dropout: rate of dropped hidden units, in [0, 1).
        input_dropout: rate of dropped inputs, in [0, 1).
        weight_decay: ≥ 0, as the optimiser understands it; for a method, of an L2 penalty in the objective.
        patience: epochs without improvement after which training ends; 0 for never.
    """

    hidden: tuple[int, ...]
    activation: tuple[str, ...]
    optimiser: str
    learning_rate: float
    schedule: str
    epochs: int
    batch_size: int
    dropout: float
    input_dropout: float
    weight_decay: float
    patience: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say how to train. Each default is None: what suits is known when the rows are."""
    add = parser.add_argument_group("the network and its training").add_argument
    add("--hidden", type=arguments.sizes, metavar="N,N…", help="units of the hidden layers; none: a linear model")
    add(
        "--activation",
        type=arguments.names_from(arguments.ACTIVATIONS, "activation"),
        metavar="NAME",
        help="activation function of the hidden layers: one for all, or one for each, separated by commas (relu): "
        f"{', '.join(arguments.ACTIVATIONS)}",
    )
    add(
        "--optimiser",
        type=arguments.name_from((*arguments.OPTIMISERS, *arguments.METHODS), "optimiser"),
        metavar="NAME",
        help=f"(adamw): {', '.join(arguments.OPTIMISERS)}; on all rows at every step, with a step length of their own: "
        f"{', '.join(arguments.METHODS)}",
    )
    add("--learning-rate", type=arguments.positive, metavar="RATE", help="the largest one (by the optimiser)")
    add(
        "--schedule",
        type=arguments.name_from(arguments.SCHEDULES, "schedule"),
        metavar="NAME",
        help=f"how the learning rate changes over the epochs (constant): {', '.join(arguments.SCHEDULES)}",
    )
    add("--epochs", type=arguments.whole(1), metavar="N", help="epochs to train for at most")
    add("--batch-size", type=arguments.whole(1), metavar="ROWS", help="rows per step")
    add("--dropout", type=arguments.below_one, metavar="RATE", help="share of hidden units to drop in each step")
    add("--input-dropout", type=arguments.below_one, metavar="RATE", help="share of inputs to drop in each step (0)")
    add("--weight-decay", type=arguments.non_negative, metavar="λ", help="as the optimiser understands it")
    add(
        "--patience",
        type=arguments.whole(0),
        metavar="EPOCHS",
        help="stop after so many epochs without improvement on the validation rows; 0: never",
    )


def complete(options: Any, *, rows: int, problem: str) -> Recipe:
    """The recipe for `rows` rows to train on: each option as given, or by default what suits.

    Raises:
        ValueError: there are more or fewer activations than hidden layers.
    """
    chosen = defaults(rows, problem)
    optimiser = options.optimiser or chosen.optimiser
    if optimiser in arguments.METHODS:
        _refuse_words_of_rules(options, optimiser)
        chosen = chosen._replace(**METHOD)
        hidden = chosen.hidden if optimiser in MATRIX_FREE else HIDDEN_OF_MATRIX
        chosen = chosen._replace(hidden=hidden)
    elif optimiser != chosen.optimiser:
        chosen = chosen._replace(learning_rate=LEARNING_RATES[optimiser], weight_decay=0.0)
    given = {name: getattr(options, name) for name in Recipe._fields}
    chosen = chosen._replace(**{name: value for name, value in given.items() if value is not None})
    names = len(chosen.activation)
    if names not in (1, len(chosen.hidden)):
        raise ValueError(
            f"--activation names {names} functions for {len(chosen.hidden)} hidden layers: name one for all of them, "
            "or one for each."
        )
    return chosen._replace(batch_size=min(chosen.batch_size, rows))


def defaults(rows: int, problem: str) -> Recipe:
    """What suits `rows` rows to train on.

    Chosen on digits, breast_cancer, diabetes and spirals by the median over five seeds: few rows want strong decay,
    and noisy numbers a small network as well.
    """
    recipe = Recipe(
        hidden=(64, 64),
        activation=("relu",),
        optimiser="adamw",
        learning_rate=3e-3,
        schedule="constant",
        epochs=100,
        batch_size=32,
        dropout=0.0,
        input_dropout=0.0,
        weight_decay=0.3,
        patience=20,
    )
    if rows < FEW_ROWS:
        batch_size = min(32, max(8, rows // 8))  # several steps in an epoch, however few the rows
        hidden = (32,) if problem == "numbers" else recipe.hidden
        return recipe._replace(hidden=hidden, weight_decay=1.0, batch_size=batch_size, epochs=300)
    if rows >= MANY_ROWS:
        return recipe._replace(hidden=(128, 128), learning_rate=1e-3, weight_decay=0.03, batch_size=128, epochs=50)
    return recipe


# Rates that bring a small network on standardised inputs on its way with each rule.
LEARNING_RATES = {
    "sgd": 0.05,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.05,
    "rmsprop": 1e-3,
    "adadelta": 1.0,
    "adam": 1e-3,
    "adamw": 1e-3,
    "adamax": 2e-3,
    "amsgrad": 1e-3,
    "nadam": 1e-3,
    "radam": 1e-3,
    "lion": 3e-4,
}


# What suits methods that follow curvature: smooth activations, all rows at once, few steps. They soon fit the noise
# of a table as well: the validation rows say when to stop.
METHOD: dict[str, Any] = {
    "activation": ("tanh",),
    "learning_rate": 1.0,
    "batch_size": 2**31 - 1,
    "epochs": 200,
    "weight_decay": 0.0,
    "patience": 20,
}
HIDDEN_OF_MATRIX = (16,)  # of those that factorise a matrix of all parameters
MATRIX_FREE = ("newton_cg", "lbfgs")


def _refuse_words_of_rules(options: Any, optimiser: str) -> None:
    """Raises ValueError for an option that means nothing to a method."""
    for word, why in {
        "learning_rate": "finds the length of its own step",
        "schedule": "finds the length of its own step",
        "batch_size": "takes all rows at every step",
        "dropout": "needs the same objective at every step, and dropout changes it",
        "input_dropout": "needs the same objective at every step, and dropout changes it",
    }.items():
        if getattr(options, word) is not None:
            raise ValueError(f"{optimiser} {why}: leave out --{word.replace('_', '-')}.")


def make_optimiser(recipe: Recipe, *, rows: int, activation: Any = ()) -> Any:
    """The update rule, with its schedule stretched over all the steps of `epochs` epochs; or the method.

    Args:
        recipe: every choice.
        rows: to train on.
        activation: of the hidden layers, as functions: by them Newton's Hessian is formed layer by layer.
    """
    from jaxnn import derivatives, optimisers

    if recipe.optimiser in arguments.METHODS:
        factory = optimisers.get(recipe.optimiser)
        if recipe.optimiser in ("newton", "saddle_free_newton"):
            return factory(hessian=functools.partial(derivatives.mlp_hessian, activation=activation))
        return factory()
    steps = recipe.epochs * -(-rows // min(recipe.batch_size, rows))
    return optimisers.get(recipe.optimiser)(_schedule(recipe, steps), weight_decay=recipe.weight_decay)


def _schedule(recipe: Recipe, steps: int) -> Callable[[Any], Any] | float:
    """The schedule by name: where it has shape parameters, such that the end has a small part of the first rate."""
    from jaxnn import schedules

    rate = recipe.learning_rate
    shapes: dict[str, Callable[[], Any]] = {
        "constant": lambda: rate,
        "exponential_decay": lambda: schedules.exponential_decay(rate, rate=0.01, steps=steps),
        "step_decay": lambda: schedules.step_decay(rate, rate=0.3, steps=max(1, -(-steps // 4))),
        "inverse_time": lambda: schedules.inverse_time(rate, decay=9.0 / steps),
        "cosine": lambda: schedules.cosine(rate, steps=steps),
        "warmup_cosine": lambda: schedules.warmup_cosine(rate, warmup=max(1, steps // 20), steps=max(2, steps)),
        "piecewise": lambda: schedules.piecewise(
            (rate, rate / 10, rate / 100), boundaries=(max(1, steps // 2), max(2, steps * 3 // 4))
        ),
    }
    return shapes[recipe.schedule]()
