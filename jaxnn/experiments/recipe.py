"""How to train a network: the choices made, and defaults that depend on the number of rows."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from jaxnn import activations, checks, optimisers, schedules
from jaxnn.derivatives.budget import machine_memory
from jaxnn.experiments.rows import Rows
from jaxnn.problems import Problem

COPIES = (
    12  # in units of the parameters, in a run: parameters, gradient, two moments, best, and snapshots of two epochs
)
FEW_ROWS, MANY_ROWS = 1_000, 10_000  # training rows below and from which other defaults apply


class Recipe(NamedTuple):
    """Every choice of network and training; `complete` fills in defaults.

    Attributes:
        hidden: units of each hidden layer; () is a linear model.
        activation: one name, or one for each hidden layer.
        optimiser: a name in `optimisers.TABLE`, or a second-order method in `optimisers.METHODS`.
        learning_rate: > 0, before the schedule lowers it or after its warm-up; unused by methods.
        schedule: a name in `schedules.TABLE`, spread over all epochs.
        epochs: the maximum number of epochs.
        batch_size: rows per step.
        dropout: fraction of hidden units dropped, in [0, 1).
        input_dropout: fraction of inputs dropped, in [0, 1).
        weight_decay: ≥ 0, as the optimiser defines it; for a method, the strength of an L2 penalty in the objective.
        patience: epochs without improvement after which training stops early; 0 for never.
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

    @property
    def activations(self) -> tuple[str, ...]:
        """The name of the activation of each hidden layer."""
        return self.activation * len(self.hidden) if len(self.activation) == 1 else self.activation

    @property
    def follows_curvature(self) -> bool:
        """Whether the optimiser is a method, which evaluates the objective on all rows at every step."""
        return self.optimiser in optimisers.METHODS


_FIELDS = {name: name for name in Recipe._fields}


def complete(choices: Recipe | Mapping[str, Any], *, rows: int, problem: Problem) -> Recipe:
    """Fills in defaults: the whole recipe for `rows` training rows.

    Args:
        choices: a mapping from fields of `Recipe` to values, or a whole recipe.
        rows: the number of training rows.
        problem: what is predicted.

    Raises:
        ValueError: a field or a name is unknown, a choice does not apply to the method, or there are more or fewer
            activations than hidden layers.
    """
    chosen = choices if isinstance(choices, Recipe) else _suitable(choices, rows, problem)
    for units in chosen.hidden:
        checks.whole(1, hidden=units)
    checks.whole(1, epochs=chosen.epochs, batch_size=chosen.batch_size)
    checks.whole(0, patience=chosen.patience)
    checks.decay(dropout=chosen.dropout, input_dropout=chosen.input_dropout)
    checks.one_of(chosen.schedule, schedules.TABLE, "schedule")
    for name in chosen.activation:
        checks.one_of(name, activations.TABLE, "activation")
    names = len(chosen.activation)
    if names not in (1, len(chosen.hidden)):
        raise ValueError(
            f"--activation has {names} names for {len(chosen.hidden)} hidden layers: give one name for all layers, or "
            "one per layer."
        )
    return chosen._replace(batch_size=min(chosen.batch_size, rows))


def _suitable(choices: Mapping[str, Any], rows: int, problem: Problem) -> Recipe:
    """The choices, with defaults that suit them, the rows and the problem."""
    for name in choices:
        checks.one_of(name, _FIELDS, "choice in a recipe")
    suits = defaults(rows, problem)
    optimiser = choices.get("optimiser", suits.optimiser)
    if optimiser in optimisers.METHODS:
        _check_choices_for_method(choices, optimiser)
        hidden = suits.hidden if optimiser in MATRIX_FREE else HIDDEN_OF_MATRIX
        suits = suits._replace(**METHOD, hidden=hidden)
    elif optimiser != suits.optimiser:
        rate = checks.one_of(optimiser, LEARNING_RATES, "optimiser")
        suits = suits._replace(learning_rate=rate, weight_decay=0.0)
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in choices.items()
    }
    if isinstance(chosen.get("activation"), str):
        chosen["activation"] = (chosen["activation"],)
    return suits._replace(**chosen)


def defaults(rows: int, problem: Problem) -> Recipe:
    """The defaults for `rows` training rows.

    Chosen on digits, breast_cancer, diabetes and spirals by the median over five seeds: few rows need strong weight
    decay, and noisy numbers a small network as well.
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
        batch_size = min(32, max(8, rows // 8))  # several steps per epoch, however few the rows
        return recipe._replace(hidden=problem.hidden_of_few_rows, weight_decay=1.0, batch_size=batch_size, epochs=300)
    if rows >= MANY_ROWS:
        return recipe._replace(hidden=(128, 128), learning_rate=1e-3, weight_decay=0.03, batch_size=128, epochs=50)
    return recipe


# Default learning rate of each rule, for a small network on standardised inputs.
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


# Defaults of second-order methods: smooth activations, all rows at once, few steps. They overfit a noisy table soon, so
# the validation rows decide when to stop.
METHOD: dict[str, Any] = {
    "activation": ("tanh",),
    "learning_rate": 1.0,
    "batch_size": 2**31 - 1,
    "epochs": 200,
    "weight_decay": 0.0,
    "patience": 20,
}
HIDDEN_OF_MATRIX = (16,)  # for methods that factorise an (n, n) matrix, n the number of parameters
MATRIX_FREE = ("newton_cg", "lbfgs")


def _check_choices_for_method(choices: Mapping[str, Any], optimiser: str) -> None:
    """Raises ValueError for a choice that does not apply to a second-order method."""
    for name, why in {
        "learning_rate": "finds its own step length",
        "schedule": "finds its own step length",
        "batch_size": "uses all rows in every step",
        "dropout": "needs the same objective in every step, and dropout changes it",
        "input_dropout": "needs the same objective in every step, and dropout changes it",
    }.items():
        if name in choices:
            raise ValueError(f"{optimiser} {why}: leave out --{name.replace('_', '-')}.")


def weights_of_classes(rows: Rows, given: str | Mapping[Any, float] | None) -> str | dict[int, float] | None:
    """Class weights as `training.fit` takes them, by the code of each class instead of its name.

    Raises:
        ValueError: the problem has no classes, or a class does not exist.
    """
    if given is None:
        return None
    if not rows.problem.stratified:
        raise ValueError(
            "--class-weight applies to classes, and the target is a number: leave it out, or add --problem classes."
        )
    if isinstance(given, str):
        return given
    codes = {name: code for code, name in enumerate(rows.preprocessing.class_names)}
    return {checks.one_of(str(name), codes, "class"): weight for name, weight in given.items()}


def layer_sizes(recipe: Recipe, rows: Rows) -> tuple[int, ...]:
    """n_in, hidden, …, n_out."""
    return (rows.x.shape[1], *recipe.hidden, rows.problem.n_outputs(rows.preprocessing))


def check_memory(recipe: Recipe, rows: Rows) -> None:
    """Refuses a network that this machine has too little memory to train.

    Raises:
        ValueError: `COPIES` float32 copies of its parameters would take more than half of the memory.
    """
    memory = machine_memory()
    parameters = sum((n_in + 1) * n for n_in, n in pairwise(layer_sizes(recipe, rows)))
    needed = COPIES * 4 * parameters
    if memory is not None and needed > memory / 2:
        raise ValueError(
            f"A network of {parameters:,} parameters needs about {needed / 1e9:,.1f} GB for training, more than half"
            f" of this machine's {memory / 1e9:,.1f} GB: make the --hidden layers smaller."
        )
