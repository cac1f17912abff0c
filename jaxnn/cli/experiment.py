"""A whole run as a practitioner would do it: split, preprocess, train, keep the best, judge it beside simple models."""

import functools
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, checks, data, initialisers, losses, metrics, mlp, preprocessing, training
from jaxnn.cli import arguments
from jaxnn.cli import recipe as recipes
from jaxnn.cli.recipe import Recipe
from jaxnn.cli.source import Source
from jaxnn.cli.text import counted
from jaxnn.derivatives.budget import machine_memory
from jaxnn.objective import Objective, l2
from jaxnn.preprocessing.raw import Values, read_column, reads_as_number, rows_told
from jaxnn.version import __version__

LEAST_ROWS = 10
RECTIFIERS = {"relu", "leaky_relu", "absolute_value", "elu", "gelu", "silu", "softplus"}
# Full batches from zero: the loss is convex, and a program without batches compiles in half the time.
LOGISTIC_REGRESSION = Recipe(
    hidden=(),
    activation=("identity",),
    optimiser="adam",
    learning_rate=0.05,
    schedule="constant",
    epochs=200,
    batch_size=2**31 - 1,
    dropout=0.0,
    input_dropout=0.0,
    weight_decay=1e-4,
    patience=10,
)
PENALTIES = tuple(10.0**k for k in range(-3, 5))  # of the linear model for numbers; the validation rows choose


TOP_K = 2  # of the metric top_k_accuracy, which a command cannot be given another
COPIES = 12  # of the parameters in a run: theirs, the gradient, two moments, the best, and the ends of two epochs


class Parts(NamedTuple):
    """The rows of a source, ready for a network.

    Attributes:
        preprocessing: learnt from the training rows.
        reason: why the targets are classes, or numbers.
        x: inputs (n, n_in) of all rows.
        y: int32 class codes (n,), or standardised numbers (n, 1).
        weight: (n,) or None.
        split: which rows train, validate and test.
    """

    preprocessing: preprocessing.Preprocessing
    reason: str
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    split: data.Split

    @property
    def problem(self) -> Literal["classes", "numbers"]:
        """What is predicted."""
        return self.preprocessing.problem

    @property
    def held_out(self) -> tuple[str, ...]:
        """The parts besides the training rows that have rows: "validation", "test", both or neither."""
        return tuple(name for name in ("validation", "test") if len(getattr(self.split, name)))

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """(inputs, targets) or (inputs, targets, weight) of some rows."""
        arrays = [self.x, self.y] if self.weight is None else [self.x, self.y, self.weight]
        return tuple(array[rows] for array in arrays)


class Trained(NamedTuple):
    """A network after training.

    Attributes:
        fit: what the run left behind.
        params: those of the best epoch.
        activation: names, one for each hidden layer.
    """

    fit: training.Fit
    params: mlp.Params
    activation: tuple[str, ...]


def train(
    parts: Parts,
    recipe: Recipe,
    *,
    seed: int,
    monitor: str | None = None,
    **words: Any,
) -> Trained:
    """Trains a network by a recipe; what is kept is the best epoch on the validation rows.

    Args:
        parts: the rows.
        recipe: every choice.
        seed: of the first parameters, the order of the rows and dropout.
        monitor: what best means; the validation loss by default.
        **words: further words for `training.fit`.
    """
    classes = parts.problem == "classes"
    hidden = recipe.hidden
    n_out = len(parts.preprocessing.class_names) if classes else 1
    sizes = (parts.x.shape[1], *hidden, n_out)
    names = recipe.activation * len(hidden) if len(recipe.activation) == 1 else recipe.activation
    functions = tuple(activations.get(name) for name in names)
    key, init_key = jax.random.split(jax.random.key(seed))
    params = _first_params(init_key, sizes, names)
    predict = functools.partial(mlp.apply, activation=functions)
    if recipe.dropout or recipe.input_dropout:
        predict = functools.partial(predict, dropout=(recipe.input_dropout, *(recipe.dropout,) * len(hidden)))
    batch = parts.batch(parts.split.train)
    penalty = l2(recipe.weight_decay) if recipe.weight_decay and recipe.optimiser in arguments.METHODS else None
    fit = training.fit(
        Objective(predict, losses.softmax_cross_entropy if classes else losses.squared_error, penalty),
        recipes.make_optimiser(recipe, rows=len(batch[0]), activation=functions),
        params,
        batch,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        key=key,
        validation=parts.batch(parts.split.validation) if "validation" in parts.held_out else None,
        patience=recipe.patience or None,
        monitor=monitor,
        **words,
    )
    return Trained(fit, fit.best_params if fit.best_epoch else fit.params, names)


def check_memory(parts: Parts, recipe: Recipe) -> None:
    """Refuses a network that this machine could not train.

    Raises:
        ValueError: its parameters, `COPIES` times in single precision, are more than half of the memory.
    """
    memory = machine_memory()
    n_out = len(parts.preprocessing.class_names) if parts.problem == "classes" else 1
    sizes = (parts.x.shape[1], *recipe.hidden, n_out)
    parameters = sum((n_in + 1) * n for n_in, n in pairwise(sizes))
    needed = COPIES * 4 * parameters
    if memory is not None and needed > memory / 2:
        raise ValueError(
            f"A network of {parameters:,} parameters needs about {needed / 1e9:,.1f} GB to be trained, more than half"
            f" of this machine's {memory / 1e9:,.1f} GB: give smaller --hidden layers."
        )


def _first_params(key: Any, sizes: tuple[int, ...], names: tuple[str, ...]) -> mlp.Params:
    """He's initialisation for rectifiers, Glorot's for the rest; zeros for a linear model, whose loss is convex."""
    if not names:
        return (mlp.Layer(jnp.zeros(sizes), jnp.zeros(sizes[1])),)
    w_init = initialisers.get("he_normal" if set(names) <= RECTIFIERS else "glorot_uniform")
    return jax.jit(functools.partial(mlp.init, sizes=sizes, w_init=w_init))(key)


def prepare(
    source: Source,
    *,
    target: str | None,
    problem: str | None,
    validation: float,
    test: float,
    seed: int,
    drop: tuple[str, ...] = (),
    weight: str | None = None,
    **words: Any,
) -> Parts:
    """Splits the rows and learns the preprocessing from those that train.

    Args:
        source: the rows.
        target: the column to predict; None for a data set, which knows its own.
        problem: "classes", "numbers", or None to read it from the target.
        validation: fraction of the rows, in [0, 1).
        test: fraction of the rows, in [0, 1).
        seed: of the split.
        drop: columns to leave out.
        weight: a column that says how much each row counts.
        **words: what is said about columns, for `preprocessing.fit`.

    Raises:
        ValueError: a column does not exist or is of no use, or there are too few rows.
    """
    if source.n_rows < LEAST_ROWS:
        rows = counted(source.n_rows, "row")
        raise ValueError(f"{source.name!r} has {rows}: at least {LEAST_ROWS} are needed to train and to test on.")
    dataset = source.dataset
    values = source.rows[str(target)] if dataset is None else dataset.y
    decided, reason = _problem(source, values, target, problem, words)
    split = data.split(
        source.n_rows,
        validation=validation,
        test=test,
        seed=seed,
        stratify=np.asarray(values) if decided == "classes" else None,
    )
    _refuse_small_parts(split, decided, validation, test)
    weights = None if weight is None else _weights(source.rows[weight], weight, split)
    if dataset is None:
        if weight is not None:
            drop = (*drop, weight)
        fitted = preprocessing.fit(source.rows, str(target), problem=problem, drop=drop, rows=split.train, **words)
    else:
        fitted = preprocessing.fit_arrays(
            dataset.x,
            dataset.y,
            input_names=dataset.feature_names,
            target_name=dataset.target_name,
            class_names=dataset.class_names if decided == "classes" else (),
            problem=decided,
            common_scale=dataset.image_shape is not None,
            rows=split.train,
        )
    y = fitted.targets(values)
    return Parts(
        fitted,
        reason,
        fitted.inputs(source.rows).astype(np.float32),
        y if decided == "classes" else y.astype(np.float32)[:, None],
        weights,
        split,
    )


def _problem(
    source: Source, values: Any, target: str | None, problem: Any, words: Mapping[str, Any]
) -> tuple[Literal["classes", "numbers"], str]:
    """What is predicted, and why: as an option says, as the data set says, or by the values."""
    if problem is not None:
        return problem, "as --problem says"
    if source.dataset is not None:
        return source.dataset.problem, "the data set says so"
    if target in words.get("category", ()):
        return "classes", "as --category says"
    if target in words.get("number", ()):
        return "numbers", "as --number says"
    how = {name: words[name] for name in ("decimal", "missing") if name in words}
    return preprocessing.problem_of(values, name=str(target), **how)


def _refuse_small_parts(split: data.Split, problem: str, validation: float, test: float) -> None:
    """Raises ValueError where a part that was asked for could not be judged."""
    least = 2 if problem == "numbers" else 1
    for name, fraction in (("validation", validation), ("test", test)):
        if fraction and len(getattr(split, name)) < least:
            raise ValueError(
                f"--{name} {fraction:g} leaves {counted(len(getattr(split, name)), 'row')}, and R² needs two: "
                f"give a larger part, or 0 to go without."
            )


def _weights(values: Any, name: str, split: data.Split) -> np.ndarray:
    """A column as weights, float32 (n,), of mean 1 over the training rows: penalties then mean the same beside them.

    Raises:
        ValueError: they are no numbers ≥ 0, or all of a part are 0.
    """
    read = read_column(f"--weight {name}", values)
    wrong = _no_weights(read)
    if wrong.any():
        row = int(np.argmax(wrong))
        told = "missing" if read.missing[row] else repr(np.asarray(read.values, object)[row])
        raise ValueError(
            f"--weight {name}: the column must hold finite numbers ≥ 0 in every row, and is {told} in"
            f" {rows_told(wrong)}."
        )
    weight = np.asarray(values, np.float64)
    weight = weight / (weight.max() or 1)  # so that sums of the largest numbers are finite
    for part, rows in split._asdict().items():
        if len(rows) and not weight[rows].any():
            raise ValueError(f"--weight {name}: all {part} rows have weight 0, so that nothing would count.")
    return (weight / weight[split.train].mean()).astype(np.float32)


def _no_weights(read: Values) -> np.ndarray:
    """Which values of a column are no weights: bool (n,)."""
    if isinstance(read.values, np.ndarray):
        return ~(np.isfinite(read.values) & (read.values >= 0))
    of_text = [text is None or not reads_as_number(text) for text in read.values]
    return np.array(of_text) if any(of_text) else np.ones(len(of_text), bool)


def judge(
    source: Source, parts: Parts, recipe: Recipe, trained: Trained, *, seed: int
) -> tuple[training.Model, dict[str, dict[str, float]]]:
    """The network with all that is needed to use it, and its metrics on each part but the training rows.

    The metrics come from the raw rows through the model that is saved, not from the arrays it was trained on.
    """
    config: dict[str, Any] = {
        "sizes": list(mlp.sizes(trained.params)),
        "activation": list(trained.activation),
        "problem": parts.problem,
    }
    model = training.Model(trained.params, config, parts.preprocessing)
    found = scores(parts, model.outputs(source.rows))
    fit = trained.fit
    about = {
        "jaxnn": __version__,
        "data": source.name,
        "rows": {name: len(rows) for name, rows in parts.split._asdict().items()},
        "seed": seed,
        **{name: value for name, value in recipe._asdict().items() if name not in ("hidden", "activation")},
        "epochs": {"at_most": recipe.epochs, "done": len(fit.history.loss), "best": fit.best_epoch},
        "stop": fit.stop,
        "metrics": found,
    }
    return model._replace(config=config | {"about": about}), found


def scores(parts: Parts, outputs: np.ndarray) -> dict[str, dict[str, float]]:
    """The metrics of the parts that were held out (of the training rows if none was), from all rows' raw outputs."""
    if not parts.held_out:
        return {"training": score(parts, outputs, parts.split.train)}
    return {name: score(parts, outputs, getattr(parts.split, name)) for name in parts.held_out}


def score(parts: Parts, outputs: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """The metrics of some rows: accuracy and log loss of classes; R², RMSE and MAE of numbers in their own units."""
    weight = None if parts.weight is None else parts.weight[rows]
    outputs, y = np.asarray(outputs, np.float64)[rows], parts.y[rows]
    fitted = parts.preprocessing
    with np.errstate(all="ignore"):  # a network that went astray has metrics of inf and nan, which are told as such
        if parts.problem == "classes":
            return of_classes(outputs, y, weight)
        return of_numbers(fitted.numbers(outputs), fitted.numbers(y), weight)


def of_classes(outputs: np.ndarray, codes: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
    """Accuracy and log loss from raw outputs (n, n_classes)."""
    return {
        "accuracy": metrics.accuracy(codes, outputs.argmax(axis=1), weight=weight),
        "log loss": metrics.log_loss(codes, softmax(outputs), weight=weight),
    }


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities (n, n_classes), float64, from raw outputs."""
    outputs = np.asarray(outputs, np.float64)
    relative = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return relative / relative.sum(axis=1, keepdims=True)


def of_numbers(predictions: np.ndarray, targets: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
    """R², root mean squared error and mean absolute error of predictions (n,) in the targets' units."""
    return {
        "R²": metrics.r2(targets, predictions, weight=weight),
        "RMSE": metrics.rmse(targets, predictions, weight=weight),
        "MAE": metrics.mae(targets, predictions, weight=weight),
    }


def against(fitted: preprocessing.Preprocessing, outputs: np.ndarray, truth: Any) -> dict[str, float]:
    """The metrics of raw outputs (n, n_out) against the raw target column (n,) of a table."""
    y = fitted.targets(truth)
    outputs = np.asarray(outputs, np.float64)
    with np.errstate(all="ignore"):
        if fitted.problem == "classes":
            return of_classes(outputs, y, None)
        return of_numbers(fitted.numbers(outputs), fitted.numbers(y), None)


def constant_outputs(parts: Parts) -> np.ndarray:
    """The raw outputs of the simplest model: the training rows' class frequencies, or their mean."""
    batch = parts.batch(parts.split.train)
    weight = np.ones(len(batch[0])) if parts.weight is None else batch[2]
    if parts.problem == "classes":
        counts = np.bincount(batch[1], weight, minlength=len(parts.preprocessing.class_names))
        with np.errstate(divide="ignore"):
            output = np.log(np.maximum(counts / counts.sum(), np.finfo(np.float64).tiny))
    else:
        output = np.average(batch[1], axis=0, weights=weight)
    return np.broadcast_to(output, (len(parts.x), len(output)))


def baselines(parts: Parts, *, seed: int, **words: Any) -> tuple[dict[str, dict[str, float]], str | None]:
    """The metrics of two simple models on the last part held out, and the signal that ended the second, if any.

    Classes: multinomial logistic regression by `training.fit`, with the network's weights of classes, and always the
    most frequent class. Numbers: ridge regression in closed form, with the penalty of `PENALTIES` that is best on the
    validation rows, and always the mean.

    Args:
        parts: the rows.
        seed: of the order of rows.
        **words: further words for `training.fit`: the weights of classes.
    """
    interrupted = None
    if parts.problem == "numbers":
        outputs = {"ridge regression": _ridge(parts), "the mean": constant_outputs(parts)}
    else:
        trained = train(parts, LOGISTIC_REGRESSION, seed=seed, progress=False, **words)
        (layer,) = trained.params
        outputs = {
            "logistic regression": parts.x @ np.asarray(layer.w) + np.asarray(layer.b),
            "most frequent class": constant_outputs(parts),
        }
        interrupted = trained.fit.interrupted
    last = list(scores(parts, next(iter(outputs.values()))))[-1]
    return {f"{last}, {name}": scores(parts, each)[last] for name, each in outputs.items()}, interrupted


def _ridge(parts: Parts) -> np.ndarray:
    """(n, 1): x (X̃ᵀ W X̃ + λI)⁻¹ X̃ᵀ W ỹ with X̃, ỹ about their means over the training rows."""
    batch = parts.batch(parts.split.train)
    x, y = (np.asarray(array, np.float64) for array in batch[:2])
    weight = np.ones(len(x)) if parts.weight is None else np.asarray(batch[2], np.float64)
    x_mean, y_mean = (np.average(array, axis=0, weights=weight) for array in (x, y))
    weighted = (x - x_mean) * weight[:, None]
    gram, moment = weighted.T @ (x - x_mean), weighted.T @ (y - y_mean)
    judges = parts.split.validation if len(parts.split.validation) else parts.split.train
    candidates = [
        (parts.x - x_mean) @ np.linalg.solve(gram + penalty * np.eye(len(gram)), moment) + y_mean
        for penalty in PENALTIES
    ]
    return min(candidates, key=lambda outputs: score(parts, outputs, judges)["RMSE"])


def watched(parts: Parts, metric: str) -> tuple[str, ...]:
    """The metrics to follow during training: accuracy or R², and the one that is asked for.

    Raises:
        ValueError: that one is not for this problem, or not defined on the rows that choose the best epoch.
    """
    of_classes = {"accuracy", "top_k_accuracy", "log_loss", "brier", "roc_auc"}
    if metric != "loss" and (metric in of_classes) != (parts.problem == "classes"):
        known = sorted(
            name for name in metrics.HIGHER_IS_BETTER if (name in of_classes) == (parts.problem == "classes")
        )
        raise ValueError(f"--metric {metric} does not measure {parts.problem}: choose one of {', '.join(known)}.")
    if metric == "top_k_accuracy" and len(parts.preprocessing.class_names) <= TOP_K:
        n_classes = len(parts.preprocessing.class_names)
        raise ValueError(
            f"--metric top_k_accuracy counts a row as right if its class is among the {TOP_K} most probable, which is"
            f" always so with {n_classes} classes: choose accuracy."
        )
    if metric == "roc_auc":
        judges = parts.split.validation if len(parts.split.validation) else parts.split.train
        weight = None if parts.weight is None else parts.weight[judges]
        names = parts.preprocessing.class_names
        absent = np.flatnonzero(np.bincount(parts.y[judges], weight, minlength=len(names)) == 0)
        if len(absent):
            raise ValueError(
                f"--metric roc_auc needs validation rows of every class, and {names[absent[0]]!r} has none: choose"
                f" log_loss, or give a larger --validation."
            )
    usual = "accuracy" if parts.problem == "classes" else "r2"
    return (usual,) if metric in ("loss", usual) else (usual, metric)


def weights_of_classes(parts: Parts, given: str | Mapping[str, float] | None) -> str | dict[int, float] | None:
    """What `training.fit` takes as class weights: codes for names.

    Raises:
        ValueError: the target is a number, or a class does not exist.
    """
    if given is None:
        return None
    if parts.problem == "numbers":
        raise ValueError("--class-weight is for classes, and the target is a number: see --problem.")
    if isinstance(given, str):
        return given
    codes = {name: code for code, name in enumerate(parts.preprocessing.class_names)}
    return {checks.one_of(name, codes, "class"): weight for name, weight in given.items()}
