"""How long does a step of training take? Digits, 64-100-10, ReLU, batch 32, Adam.

A call is a whole training run from the same start: every epoch shuffles the rows, cuts them into batches, takes one
step with each, and records the loss. 1,792 = 56 · 32 of the 1,797 rows are used, so that no library has a short last
batch to drop or to pad. Arithmetic is float32 everywhere. The witness is the mean cross-entropy of all rows after the
last step, computed in float64 from the parameters that a contender returns.

Rows of the tables with "rows given" leave the shuffling out, on either side: they show what the step alone costs.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Contender, Question
from jaxnn import losses, mlp, optimisers, training
from jaxnn.data import bundled
from jaxnn.objective import Objective

LEARNING_RATE = 1e-3
Layers = list[tuple[np.ndarray, np.ndarray]]  # (w (n_in, n_out), b (n_out,)) of every layer


class Run(NamedTuple):
    """One training run."""

    x: np.ndarray  # (rows, n_in) float32
    y: np.ndarray  # (rows,) int32
    sizes: tuple[int, ...]
    batch_size: int
    epochs: int
    seed: int = 0  # of the initial parameters; the next one is that of the order of rows
    data: str = "digits"
    bytes_moved: None = None

    @property
    def steps(self) -> int:
        """Of one epoch."""
        return len(self.x) // self.batch_size

    @property
    def units(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps

    @property
    def name(self) -> str:
        """Network, batch and length."""
        sizes = "-".join(map(str, self.sizes))
        return f"{self.data}, {sizes}, batch {self.batch_size}, {self.epochs} epochs of {self.steps} steps"

    @property
    def trial(self) -> "Run":
        """One epoch of it."""
        return self._replace(epochs=1)

    def start(self) -> mlp.Params:
        """The parameters from which every contender starts, except scikit-learn, which draws its own."""
        return mlp.init(jax.random.key(self.seed), self.sizes)


def problems(quick: bool) -> Iterable[Run]:
    digits = bundled.load("digits")
    batch_size, epochs = 32, 2 if quick else 50
    rows = (256 if quick else len(digits.x)) // batch_size * batch_size
    x, y = (digits.x[:rows] / 16).astype(np.float32), digits.y[:rows].astype(np.int32)
    yield Run(x, y, (64, 100, 10), batch_size, epochs)


def final_loss(problem: Run, layers: Layers) -> float:
    """The mean cross-entropy over all rows, in float64."""
    h = problem.x.astype(np.float64)
    for index, (w, b) in enumerate(layers):
        h = (np.maximum(h, 0) if index else h) @ w.astype(np.float64) + b.astype(np.float64)
    highest = h.max(axis=1)
    log_sums = highest + np.log(np.exp(h - highest[:, None]).sum(axis=1))
    return float(np.mean(log_sums - h[np.arange(len(h)), problem.y]))


def ours(problem: Run) -> tuple[Any, Any, mlp.Params, tuple[jax.Array, jax.Array]]:
    objective = Objective(mlp.apply, losses.softmax_cross_entropy)
    data = jnp.asarray(problem.x), jnp.asarray(problem.y)
    return objective, optimisers.adam(LEARNING_RATE), problem.start(), data


def rows_of(problem: Run, key: Any) -> jax.Array:
    """The rows of every step, (steps, batch), shuffled anew for every epoch."""
    chosen = jax.lax.map(
        lambda epoch: training.batches(key, epoch, len(problem.x), problem.batch_size), jnp.arange(problem.epochs)
    )
    return chosen.reshape(-1, problem.batch_size)


def jaxnn_run(problem: Run) -> Callable[[], Layers]:
    objective, optimiser, params, data = ours(problem)

    @jax.jit
    def train(params: Any, data: Any, key: Any) -> Any:
        return training.run(objective, optimiser, params, data, rows_of(problem, key))

    return lambda: as_layers(train(params, data, jax.random.key(1))[0].params)


def jaxnn_run_rows_given(problem: Run) -> Callable[[], Layers]:
    objective, optimiser, params, data = ours(problem)
    rows = rows_of(problem, jax.random.key(1))

    @jax.jit
    def train(params: Any, data: Any, rows: Any) -> Any:
        return training.run(objective, optimiser, params, data, rows)

    return lambda: as_layers(train(params, data, rows)[0].params)


def jaxnn_fit(problem: Run) -> Callable[[], Layers]:
    objective, optimiser, params, data = ours(problem)

    def train() -> Layers:
        fitted = training.fit(
            objective,
            optimiser,
            params,
            data,
            epochs=problem.epochs,
            batch_size=problem.batch_size,
            key=jax.random.key(problem.seed + 1),
            progress=False,
        )
        return as_layers(fitted.params)

    return train


def optax_step(problem: Run) -> tuple[Any, Callable[..., Any]]:
    """The Adam of optax, and one step with it as its documentation writes one; the network is written out."""
    import optax

    adam = optax.adam(LEARNING_RATE)

    def loss(params: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = params
        for w_hidden, b_hidden in hidden:
            x = jax.nn.relu(x @ w_hidden + b_hidden)
        outputs = x @ w + b
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

    def step(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        value, grads = jax.value_and_grad(loss)(params, x, y)
        updates, state = adam.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    return adam, step


def optax_scan(problem: Run) -> Callable[[], Layers]:
    adam, step = optax_step(problem)
    x, y, params = jnp.asarray(problem.x), jnp.asarray(problem.y), problem.start()

    @jax.jit
    def train(params: Any, x: Any, y: Any, key: Any) -> Any:
        def epoch(carry: Any, key: Any) -> Any:
            def body(carry: Any, rows: Any) -> Any:
                params, state, value = step(*carry, x[rows], y[rows])
                return (params, state), value

            rows = jax.random.permutation(key, len(problem.x)).reshape(problem.steps, problem.batch_size)
            return jax.lax.scan(body, carry, rows)

        return jax.lax.scan(epoch, (params, adam.init(params)), jax.random.split(key, problem.epochs))

    return lambda: as_layers(train(params, x, y, jax.random.key(1))[0][0])


def optax_scan_rows_given(problem: Run) -> Callable[[], Layers]:
    adam, step = optax_step(problem)
    x, y, params = jnp.asarray(problem.x), jnp.asarray(problem.y), problem.start()
    rows = rows_of(problem, jax.random.key(1))

    @jax.jit
    def train(params: Any, x: Any, y: Any, rows: Any) -> Any:
        def body(carry: Any, rows: Any) -> Any:
            params, state, value = step(*carry, x[rows], y[rows])
            return (params, state), value

        return jax.lax.scan(body, (params, adam.init(params)), rows)

    return lambda: as_layers(train(params, x, y, rows)[0][0])


def optax_step_by_step(problem: Run) -> Callable[[], Layers]:
    adam, step = optax_step(problem)
    x, y, start = jnp.asarray(problem.x), jnp.asarray(problem.y), problem.start()

    @jax.jit
    def take(params: Any, state: Any, total: Any, x: Any, y: Any, rows: Any) -> Any:
        params, state, value = step(params, state, x[rows], y[rows])
        return params, state, total + value

    def train() -> Layers:
        rng = np.random.default_rng(1)
        params, state, history = start, adam.init(start), []
        for _ in range(problem.epochs):
            total = jnp.zeros(())
            for rows in rng.permutation(len(problem.x)).reshape(problem.steps, problem.batch_size):
                params, state, total = take(params, state, total, x, y, rows)
            history.append(float(total) / problem.steps)
        return as_layers(params)

    return train


def torch_eager(threads: int, *, compiled: bool = False) -> Callable[[Run], Callable[[], Layers]]:
    """The ordinary loop of torch, data as two tensors, batches by index."""

    def make(problem: Run) -> Callable[[], Layers]:
        import torch
        from torch.nn import functional

        x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y.astype(np.int64))
        start = as_layers(problem.start())
        widths = list(pairwise(problem.sizes))
        model = torch.nn.Sequential(
            torch.nn.Linear(*widths[0]),
            *(layer for width in widths[1:] for layer in (torch.nn.ReLU(), torch.nn.Linear(*width))),
        )

        def loss(x: Any, y: Any) -> Any:
            return functional.cross_entropy(model(x), y)

        forward = torch.compile(loss) if compiled else loss

        def train() -> Layers:
            torch.set_num_threads(threads)
            torch.manual_seed(problem.seed + 1)
            with torch.no_grad():
                for linear, (w, b) in zip(model[::2], start, strict=True):
                    linear.weight.copy_(torch.from_numpy(w.T.copy()))
                    linear.bias.copy_(torch.from_numpy(b.copy()))
            adam, history = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True), []
            for _ in range(problem.epochs):
                total = torch.zeros(())
                for rows in torch.randperm(len(problem.x)).split(problem.batch_size):
                    value = forward(x[rows], y[rows])
                    value.backward()
                    adam.step()
                    adam.zero_grad()
                    total += value.detach()
                history.append(total.item() / problem.steps)
            return [(linear.weight.detach().numpy().T, linear.bias.detach().numpy()) for linear in model[::2]]

        return train

    return make


def scikit_learn(threads: int) -> Callable[[Run], Callable[[], Layers]]:
    """scikit-learn's `MLPClassifier`, with every reason to stop early taken away."""

    def make(problem: Run) -> Callable[[], Layers]:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import ThreadpoolController

        controller = ThreadpoolController()

        def train() -> Layers:
            model = MLPClassifier(
                problem.sizes[1:-1],
                solver="adam",
                alpha=0.0,
                batch_size=problem.batch_size,
                learning_rate_init=LEARNING_RATE,
                max_iter=problem.epochs,
                tol=0.0,
                n_iter_no_change=problem.epochs + 1,
                random_state=problem.seed + 1,
            )
            with controller.limit(limits=threads), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # it ends at max_iter, as it was told to
                model.fit(problem.x, problem.y)
            return list(zip(model.coefs_, model.intercepts_, strict=True))

        return train

    return make


def as_layers(params: Any) -> Layers:
    """The parameters as numpy arrays, which waits until they are there."""
    return [(np.asarray(w), np.asarray(b)) for w, b in params]


QUESTION = Question(
    name="training",
    title="A training run, shuffled every epoch, Adam",
    unit="step",
    witness_name="final loss",
    problems=problems,
    witness=final_loss,
    contenders=(
        Contender("jaxnn run", "one jit; gradient norm and learning rate of every step are recorded too", jaxnn_run),
        Contender("jaxnn run, rows given", "the same without the shuffling", jaxnn_run_rows_given),
        Contender("jaxnn fit", "with its checks, best parameters, clock and signals", jaxnn_fit),
        Contender("optax scan", "one jit; jax.random.permutation, two nested scans", optax_scan, "optax"),
        Contender("optax scan, rows given", "the same without the shuffling", optax_scan_rows_given, "optax"),
        Contender("optax step by step", "one jitted step, called from Python", optax_step_by_step, "optax"),
        Contender(
            "torch", "fused Adam, no DataLoader", {"1 thread": torch_eager(1), "2 threads": torch_eager(2)}, "torch"
        ),
        Contender(
            "torch compiled", "the same, torch.compile of the loss", torch_eager(1, compiled=True), "torch", True
        ),
        Contender(
            "scikit-learn",
            "MLPClassifier, own initial weights",
            {"1 thread": scikit_learn(1), "2 threads": scikit_learn(2)},
            "sklearn",
        ),
    ),
    rounds=15,
)
