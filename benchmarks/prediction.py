"""How long does a prediction take, of one row and of 100,000? 64-100-10, ReLU, float32, the same weights everywhere.

One row shows what a call costs, many show the arithmetic and the memory. All give an array of numpy's. Inputs are a
numpy array, which torch shares without a copy. The witness is the greatest difference from the probabilities computed
in float64; a contender that is further away than float32 explains is not measured, but ends the run with an error.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.harness import Contender, Make, Question
from benchmarks.training import as_layers
from jaxnn import mlp, training
from jaxnn import problems as kinds

SIZES = (64, 100, 10)
TOLERANCE = 1e-5  # of a probability


class Rows(NamedTuple):
    """Rows to predict, and how often a call does so."""

    rows: int
    units: int
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """How many, of what."""
        return f"{self.rows:,} row{'s' * (self.rows > 1)}, {'-'.join(map(str, SIZES))}"

    @property
    def trial(self) -> "Rows":
        """A few calls of it."""
        return self._replace(units=max(self.units // 10, 1))

    def inputs(self) -> np.ndarray:
        """(rows, n_in), in [0, 1)."""
        return np.random.default_rng(0).random((self.rows, SIZES[0]), np.float32)

    def params(self) -> mlp.Params:
        """The weights that all contenders have."""
        return mlp.init(jax.random.key(0), SIZES)


def problems(quick: bool) -> Iterable[Rows]:
    yield Rows(1, 20 if quick else 100)
    yield Rows(2000 if quick else 100_000, 1)


class Answer(NamedTuple):
    """What a contender predicts."""

    kind: str  # "outputs" (rows, n_out), "probabilities" (rows, n_out) or "classes" (rows,)
    values: np.ndarray


def error(problem: Rows, answer: Answer) -> float:
    """The greatest difference from the probabilities in float64; of classes, from the greatest probability.

    Raises:
        ValueError: it is more than rounding.
    """
    h = problem.inputs().astype(np.float64)
    for index, (w, b) in enumerate(as_layers(problem.params())):
        h = (np.maximum(h, 0) if index else h) @ w.astype(np.float64) + b.astype(np.float64)
    expected = kinds.softmax(h)
    if answer.kind == "classes":
        found = expected.max(axis=1) - expected[np.arange(problem.rows), answer.values]
    else:
        found = expected - (kinds.softmax(answer.values) if answer.kind == "outputs" else answer.values)
    greatest = float(np.abs(found).max())
    if not greatest < TOLERANCE:
        raise ValueError(f"{problem.name}: a contender's probabilities are {greatest:.2g} off, so it did other work.")
    return greatest


def repeated(kind: str, predict: Callable[[Rows], Callable[[], Any]]) -> Make:
    """A call that predicts as often as the problem wants."""

    def make(problem: Rows) -> Callable[[], Answer]:
        once = predict(problem)

        def call() -> Answer:
            for _ in range(problem.units):
                values = once()
            return Answer(kind, values)

        return call

    return make


def model(method: str) -> Callable[[Rows], Callable[[], np.ndarray]]:
    """A method of `training.Model`, without preprocessing."""

    def make(problem: Rows) -> Callable[[], np.ndarray]:
        trained = training.Model(problem.params(), {"sizes": list(SIZES), "problem": "classes"})
        x, predict = problem.inputs(), getattr(trained, method)
        return lambda: predict(x)

    return make


def jitted(problem: Rows) -> Callable[[], np.ndarray]:
    params, x, apply = problem.params(), problem.inputs(), jax.jit(mlp.apply)
    return lambda: np.asarray(apply(params, x))


def torch_model(threads: int, how: str) -> Callable[[Rows], Callable[[], np.ndarray]]:
    """Torch in inference mode: "eager", "scripted" (traced and frozen) or "compiled"."""

    def make(problem: Rows) -> Callable[[], np.ndarray]:
        import torch

        widths = list(pairwise(SIZES))
        network = torch.nn.Sequential(
            torch.nn.Linear(*widths[0]),
            *(layer for width in widths[1:] for layer in (torch.nn.ReLU(), torch.nn.Linear(*width))),
        ).eval()
        with torch.no_grad():
            for linear, (w, b) in zip(network[::2], as_layers(problem.params()), strict=True):
                linear.weight.copy_(torch.from_numpy(w.T.copy()))
                linear.bias.copy_(torch.from_numpy(b.copy()))
        x, apply = problem.inputs(), network
        torch.set_num_threads(threads)
        if how == "compiled":
            apply = torch.compile(network)
        elif how == "scripted":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # still the quickest way without a compiler
                apply = torch.jit.freeze(torch.jit.trace(network, torch.from_numpy(x[:1])))

        def predict() -> np.ndarray:
            with torch.inference_mode():
                return apply(torch.from_numpy(x)).numpy()

        return predict

    return make


def torch_threads(how: str) -> dict[str, Make]:
    """With one thread and with two; the number is set with each call, since it is the process's."""

    def limited(threads: int) -> Make:
        make = repeated("outputs", torch_model(threads, how))

        def made(problem: Rows) -> Callable[[], Answer]:
            import torch

            call = make(problem)

            def with_threads() -> Answer:
                torch.set_num_threads(threads)
                return call()

            return with_threads

        return made

    return {f"{threads} thread{'s' * (threads > 1)}": limited(threads) for threads in (1, 2)}


def scikit_learn(problem: Rows) -> Callable[[], np.ndarray]:
    """`MLPClassifier.predict_proba`; one step of training makes its arrays, which are then replaced."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    classifier = MLPClassifier(SIZES[1:-1], max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(np.zeros((SIZES[-1], SIZES[0]), np.float32), np.arange(SIZES[-1]))
    weights, biases = zip(*as_layers(problem.params()), strict=True)
    classifier.coefs_, classifier.intercepts_ = list(weights), list(biases)
    x = problem.inputs()
    return lambda: classifier.predict_proba(x)


def keras_model(how: str) -> Callable[[Rows], Callable[[], np.ndarray]]:
    """Keras by `predict` or by `predict_on_batch`, which leaves out the loop over batches."""

    def make(problem: Rows) -> Callable[[], np.ndarray]:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # read by its import; tensorflow otherwise
        import keras

        *hidden, last = SIZES[1:]
        layers = [keras.layers.Dense(width, activation="relu") for width in hidden] + [keras.layers.Dense(last)]
        network = keras.Sequential([keras.Input(SIZES[:1]), *layers])
        for layer, weights in zip(layers, as_layers(problem.params()), strict=True):
            layer.set_weights(list(weights))
        x = problem.inputs()
        if how == "predict":
            return lambda: network.predict(x, batch_size=8192, verbose=0)
        return lambda: np.asarray(network.predict_on_batch(x))

    return make


QUESTION = Question(
    name="prediction",
    title="Predictions, of one row and of many",
    unit="call",
    witness_name="error",
    problems=problems,
    witness=error,
    contenders=(
        Contender("Model.predict", "classes; with all its checks", repeated("classes", model("predict"))),
        Contender("Model.outputs", "raw outputs; with all its checks", repeated("outputs", model("outputs"))),
        Contender("jit(mlp.apply)", "raw outputs", repeated("outputs", jitted)),
        Contender("torch", "raw outputs; inference mode", torch_threads("eager"), "torch"),
        Contender("torch scripted", "raw outputs; traced and frozen", torch_threads("scripted"), "torch"),
        Contender("torch compiled", "raw outputs; torch.compile", torch_threads("compiled"), "torch", True),
        Contender(
            "scikit-learn",
            "MLPClassifier.predict_proba",
            repeated("probabilities", scikit_learn),
            "sklearn",
        ),
        Contender(
            "keras",
            "raw outputs; jax as its backend",
            {how: repeated("outputs", keras_model(how)) for how in ("predict", "predict_on_batch")},
            "keras",
        ),
    ),
    rounds=9,
)
