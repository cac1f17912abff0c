"""What options accept: names from tables and numbers in ranges; error messages fit on one line.

The names are written out here because `--help` must not import the packages that define them; a test checks that
both lists agree.
"""

import argparse
import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

ACTIVATIONS = (
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "absolute_value",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "identity",
    "softmax",
)
DATA_SETS = (
    "breast_cancer",
    "diabetes",
    "digits",
    "fashion_mnist",
    "iris",
    "spirals",
    "stroke_risk",
    "two_moons",
    "wine",
    "xor",
)
METRICS = (
    "accuracy",
    "top_k_accuracy",
    "log_loss",
    "brier",
    "roc_auc",
    "macro_f1",
    "rmse",
    "mae",
    "r2",
    "poisson_deviance",
)
OPTIMISERS = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "adamw",
    "adamax",
    "amsgrad",
    "nadam",
    "radam",
    "lion",
)
METHODS = (
    "levenberg_marquardt",
    "bayesian_regularisation",
    "gauss_newton",
    "newton",
    "saddle_free_newton",
    "newton_cg",
    "lbfgs",
    "bfgs",
)
PROBLEMS = ("classes", "numbers", "counts")
SCHEDULES = (
    "constant",
    "exponential_decay",
    "step_decay",
    "inverse_time",
    "cosine",
    "warmup_cosine",
    "piecewise",
)


class Parser(argparse.ArgumentParser):
    """argparse without abbreviated options, with examples printed as written and errors on one line."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **arguments)

    def error(self, message: str) -> NoReturn:
        """Prints the error on one line, says which --help shows an example, and exits with status 2."""
        message = message.removeprefix("argument ")
        message = message if message.endswith((".", "?")) else f"{message}."
        printable = "".join(letter if letter.isprintable() else " " for letter in message)
        print(f"jaxnn: {printable} `{self.prog} --help` shows an example.", file=sys.stderr)
        sys.exit(2)

    def options(self) -> list[str]:
        """The long options."""
        return sorted(set(re.findall(r"--[a-z][a-z-]*", self.format_usage())))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Prints descriptions and examples as written, with a wider column for the options' names."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)

    def add_argument(self, action: argparse.Action) -> None:
        """Adds a line; argparse forgets that commands are indented two columns more than options."""
        super().add_argument(action)
        if getattr(action, "choices", None) and not action.option_strings:
            self._action_max_length += self._indent_increment


def nearest(text: str, known: Iterable[str]) -> str:
    """` Did you mean 'adam'?` if a known name is close, otherwise an empty string."""
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def name_from(known: tuple[str, ...], kind: str) -> Callable[[str], str]:
    """An option's type: one of the known names; for any other, the error suggests the closest."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(
                f"unknown {kind} {text!r}.{nearest(text, known)} Known: {', '.join(known)}"
            )
        return text

    return read


def names_from(known: tuple[str, ...], kind: str) -> Callable[[str], tuple[str, ...]]:
    """An option's type: known names separated by commas."""
    read = name_from(known, kind)
    return lambda text: tuple(read(part.strip()) for part in text.split(","))


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """An option's type: a whole number in [least, most], without an upper limit if `most` is None."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            bound = f"≥ {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"expected a whole number {bound}, got {text!r}")
        return number

    return read


def number(accepts: Callable[[float], bool], accepted: str) -> Callable[[str], float]:
    """An option's type: a finite number in the range that the text `accepted` describes."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accepts(value)):
            raise argparse.ArgumentTypeError(f"expected a number {accepted}, got {text!r}")
        return value

    return read


def decimal(text: str) -> str:
    """An option's type: the decimal mark, as a word (point, comma) or a character."""
    marks = {"point": ".", "comma": ",", ".": ".", ",": ","}
    if text not in marks:
        raise argparse.ArgumentTypeError(f"expected point or comma, got {text!r}")
    return marks[text]


positive = number(lambda x: x > 0, "> 0")
non_negative = number(lambda x: x >= 0, "≥ 0")
below_one = number(lambda x: 0 <= x < 1, "in [0, 1)")
level = number(lambda x: 0.5 <= x <= 0.99, "from 0.5 to 0.99")
seed = whole(0, 2**32 - 1)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The option `--seed` of commands that draw random numbers."""
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed for all random numbers (default: 0)")


def sizes(text: str) -> tuple[int, ...]:
    """An option's type: the hidden layers, as `64,32`; `none` is a linear model."""
    if text == "none":
        return ()
    read = whole(1, 2**31 - 1)
    try:
        return tuple(read(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            "expected layer sizes from 1 to 2³¹ - 1 separated by commas, such as 64,32, or none for a linear model;"
            f" got {text!r}"
        ) from None
