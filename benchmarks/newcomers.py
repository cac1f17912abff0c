"""What a process of `start` runs: one library, imported only there, trains network after network and tells how long.

python -m benchmarks.newcomers LIBRARY DATA.npz STARTED EPOCHS RATES

STARTED is `time.time()` when the process was asked for, so that the first network's time has Python's own start and all
imports in it. Its processor time counts from the process's start by itself. Printed is a line of JSON: for each moment
the seconds on the clock, those of the processor, and the mean cross-entropy of the last network trained.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

BATCH_SIZE = 32
Train = Callable[[tuple[int, ...], float, int, int], Any]  # (sizes, learning rate, epochs, seed) -> layers (w, b)


def jaxnn_fit(x: np.ndarray, y: np.ndarray) -> Train:
    import jax

    from jaxnn import losses, mlp, optimisers, training
    from jaxnn.objective import Objective

    def train(sizes: tuple[int, ...], rate: float, epochs: int, seed: int) -> Any:
        return training.fit(
            Objective(mlp.apply, losses.softmax_cross_entropy),
            optimisers.adam(rate),
            mlp.init(jax.random.key(seed), sizes),
            (x, y),
            epochs=epochs,
            batch_size=BATCH_SIZE,
            key=jax.random.key(seed + 1),
            progress=False,
        ).params

    return train


def optax_scan(x: np.ndarray, y: np.ndarray) -> Train:
    import jax
    import jax.numpy as jnp
    import optax

    def init(key: Any, sizes: tuple[int, ...]) -> Any:
        he = jax.nn.initializers.he_normal()
        shapes = list(pairwise(sizes))
        keys = jax.random.split(key, len(shapes))
        return [(he(key, shape), jnp.zeros(shape[1])) for key, shape in zip(keys, shapes, strict=True)]

    def loss(params: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2) = params
        outputs = jax.nn.relu(x @ w1 + b1) @ w2 + b2
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

    def train(sizes: tuple[int, ...], rate: float, epochs: int, seed: int) -> Any:
        adam = optax.adam(rate)
        steps = len(x) // BATCH_SIZE

        @jax.jit
        def epoch(params: Any, state: Any, key: Any, x: Any, y: Any) -> Any:
            def body(carry: Any, rows: Any) -> Any:
                params, state = carry
                value, grads = jax.value_and_grad(loss)(params, x[rows], y[rows])
                updates, state = adam.update(grads, state, params)
                return (optax.apply_updates(params, updates), state), value

            rows = jax.random.permutation(key, len(x))[: steps * BATCH_SIZE].reshape(steps, BATCH_SIZE)
            return jax.lax.scan(body, (params, state), rows)

        params = init(jax.random.key(seed), sizes)
        state = adam.init(params)
        for key in jax.random.split(jax.random.key(seed + 1), epochs):
            (params, state), _ = epoch(params, state, key, x, y)
        return params

    return train


def torch_eager(x: np.ndarray, y: np.ndarray) -> Train:
    import torch

    inputs, targets = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))

    def train(sizes: tuple[int, ...], rate: float, epochs: int, seed: int) -> Any:
        torch.manual_seed(seed)
        n_in, hidden, n_out = sizes
        model = torch.nn.Sequential(torch.nn.Linear(n_in, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n_out))
        adam = torch.optim.Adam(model.parameters(), lr=rate)
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs)).split(BATCH_SIZE):
                value = torch.nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
                adam.zero_grad()
                value.backward()
                adam.step()
        return [(linear.weight.detach().numpy().T, linear.bias.detach().numpy()) for linear in model[::2]]

    return train


def scikit_learn(x: np.ndarray, y: np.ndarray) -> Train:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def train(sizes: tuple[int, ...], rate: float, epochs: int, seed: int) -> Any:
        model = MLPClassifier(
            sizes[1:-1],
            alpha=0.0,
            batch_size=BATCH_SIZE,
            learning_rate_init=rate,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=epochs + 1,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it ends at max_iter, as it was told to
            model.fit(x, y)
        return zip(model.coefs_, model.intercepts_, strict=True)

    return train


def keras_fit(x: np.ndarray, y: np.ndarray) -> Train:
    import keras

    def train(sizes: tuple[int, ...], rate: float, epochs: int, seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        n_in, hidden, n_out = sizes
        model = keras.Sequential(
            [keras.Input((n_in,)), keras.layers.Dense(hidden, activation="relu"), keras.layers.Dense(n_out)]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(rate), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        model.fit(x, y, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
        weights = model.get_weights()
        return zip(weights[::2], weights[1::2], strict=True)

    return train


LIBRARIES = {
    "jaxnn": jaxnn_fit,
    "optax": optax_scan,
    "torch": torch_eager,
    "scikit-learn": scikit_learn,
    "keras": keras_fit,
}


def cross_entropy(layers: Any, x: np.ndarray, y: np.ndarray) -> float:
    """The mean over all rows, in float64."""
    h = x.astype(np.float64)
    for index, (w, b) in enumerate(layers):
        h = (np.maximum(h, 0) if index else h) @ np.asarray(w, np.float64) + np.asarray(b, np.float64)
    h = h - h.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(h).sum(axis=1)) - h[np.arange(len(h)), y]))


def main(library: str, data: str, started: float, epochs: int, rates: int) -> dict[str, list[float]]:
    """Trains, and gives for each moment (seconds, processor seconds, loss)."""
    file = np.load(data)
    x, y = file["x"], file["y"]
    train = LIBRARIES[library](x, y)
    moments: dict[str, list[float]] = {}
    clock, processor = started, 0.0

    def done(moment: str, layers: Any) -> None:
        nonlocal clock, processor
        layers = [(np.asarray(w), np.asarray(b)) for w, b in layers]  # which waits until they are there
        seconds = time.time() - clock, time.process_time() - processor
        moments[moment] = [*seconds, cross_entropy(layers, x, y)]
        clock, processor = time.time(), time.process_time()

    done("first", train((64, 100, 10), 1e-3, 1, 0))
    done("second", train((64, 100, 10), 2e-3, 1, 10))
    done("width", train((64, 50, 10), 1e-3, 1, 20))
    for rate in np.geomspace(1e-4, 1e-2, rates):
        layers = train((64, 100, 10), float(rate), epochs, 30)
    done("rates", layers)
    return moments


if __name__ == "__main__":
    name, path, *numbers = sys.argv[1:]
    print(json.dumps(main(name, path, float(numbers[0]), int(numbers[1]), int(numbers[2]))))
