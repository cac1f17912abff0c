"""How long does a step of a large network take? 784-1024-1024-10, ReLU, batch 512, Adam, random inputs in float32.

Here arithmetic counts, not calls: matrix products, and the bytes that Adam moves. A call is a whole run, as in
`training`, and the witness is the same. The targets are a teacher's, so that there is something to learn.

flops of a step = batch · (6 · weights - 2 · 784 · 1024)     the loss's derivative by the inputs is not computed

What the machine could do at most takes turns with the others: large matrix products, the step's own products and
nothing else, and a copy of the 28 bytes for each parameter that an update must move.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machine, update
from benchmarks import training as single
from benchmarks.harness import Contender, Make, Question, cores
from benchmarks.training import Layers, Run
from jaxnn import mlp, optimisers, training


class Large(NamedTuple):
    """A training run of a network whose arithmetic is counted."""

    run: Run
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """Of its run."""
        return self.run.name

    @property
    def units(self) -> int:
        """Steps."""
        return self.run.units

    @property
    def trial(self) -> "Large":
        """One epoch of it."""
        return self._replace(run=self.run.trial)

    @property
    def weights(self) -> int:
        """How many, biases not counted."""
        return sum(n_in * n_out for n_in, n_out in pairwise(self.run.sizes))

    @property
    def flops(self) -> int:
        """Of the matrix products of a step."""
        first = self.run.sizes[0] * self.run.sizes[1]
        return self.run.batch_size * (6 * self.weights - 2 * first)


def problems(quick: bool) -> Iterable[Large]:
    sizes, batch_size, steps, epochs = ((20, 32, 32, 10), 64, 4, 2) if quick else ((784, 1024, 1024, 10), 512, 8, 2)
    rng = np.random.default_rng(0)
    x = rng.random((batch_size * steps, sizes[0]), np.float32)
    teacher = rng.standard_normal((sizes[0], sizes[-1]))
    # Not by BLAS: with its kernels for AVX2, OpenBLAS 0.3.34 (of NumPy 2.5.5) crashes at this shape.
    y = np.argmax(np.einsum("ni,ik->nk", x - 0.5, teacher), axis=1).astype(np.int32)
    yield Large(Run(x, y, sizes, batch_size, epochs, data="random inputs"))


def of_run(make: Callable[[Run], Callable[[], Layers]]) -> Make:
    """What trains a single network."""
    return lambda problem: make(problem.run)


def without_moments(problem: Large) -> Callable[[], None]:
    """`run` with gradient descent: what is left of a step without Adam. It goes elsewhere, so it has no witness."""
    objective, _, params, data = single.ours(problem.run)

    @jax.jit
    def train(params: Any, data: Any, key: Any) -> Any:
        rows = single.rows_of(problem.run, key)
        return training.run(objective, optimisers.sgd(single.LEARNING_RATE), params, data, rows)

    def call() -> None:
        jax.block_until_ready(train(params, data, jax.random.key(1)))

    return call


def products(problem: Large) -> Callable[[], None]:
    """The matrix products of the steps, with operands as a step has them, in one compiled loop."""
    params, widths = problem.run.start(), problem.run.sizes
    rng = np.random.default_rng(0)
    inputs = [jnp.asarray(rng.random((problem.run.batch_size, width), np.float32)) for width in widths]

    @jax.jit
    def steps(params: mlp.Params, inputs: list[jax.Array]) -> Any:
        def step(total: jax.Array, _: None) -> tuple[jax.Array, None]:
            # The operands depend on the step before, or the products would be moved out of the loop.
            weights, h = jax.lax.optimization_barrier(([w for w, _ in params], [*inputs[:-1], inputs[-1] + total]))
            found = []
            for k, w in enumerate(weights):
                found += [h[k] @ w, h[k].T @ h[k + 1]] + ([h[k + 1] @ w.T] if k else [])
            found = jax.lax.optimization_barrier(found)
            return 1e-9 * jnp.stack([product[0, 0] for product in found]).sum(), None

        return jax.lax.scan(step, jnp.zeros(()), None, length=problem.units)

    def call() -> None:
        jax.block_until_ready(steps(params, inputs))

    return call


def copied(problem: Large) -> Callable[[], None]:
    """The bytes of as many updates as there are steps."""
    size = update.BYTES * sum(leaf.size for leaf in jax.tree.leaves(problem.run.start()))
    return machine.copy(cores())(_Bytes(size, problem.units))


class _Bytes(NamedTuple):
    bytes_moved: int
    units: int


QUESTION = Question(
    name="large",
    title="A training run of a large network, Adam",
    unit="step",
    witness_name="final loss",
    problems=problems,
    witness=lambda problem, layers: None if layers is None else single.final_loss(problem.run, layers),
    contenders=(
        Contender(
            "jaxnn run",
            "one jit; gradient norm and learning rate of every step are recorded too",
            of_run(single.jaxnn_run),
        ),
        Contender("jaxnn fit", "with its checks, best parameters, clock and signals", of_run(single.jaxnn_fit)),
        Contender("optax scan", "one jit; two nested scans", of_run(single.optax_scan), "optax"),
        Contender(
            "torch",
            "fused Adam, no DataLoader",
            {f"{n} thread{'s' * (n > 1)}": of_run(single.torch_eager(n)) for n in (1, 2)},
            "torch",
        ),
        Contender(
            "torch compiled",
            "the same, torch.compile of the loss",
            {f"{n} thread{'s' * (n > 1)}": of_run(single.torch_eager(n, compiled=True)) for n in (1, 2)},
            "torch",
            True,
        ),
        Contender("jaxnn run, gradient descent", "the step without Adam's moments", without_moments),
        Contender("products of a step", "no training; XLA, in one loop", products),
        Contender("copy of Adam's bytes", "no training; 28 bytes a parameter, all cores", copied),
        Contender(machine.ONE_CORE, "no training", machine.peak(1)),
        Contender(machine.ALL_CORES, "no training", machine.peak(None)),
    ),
    rounds=5,
    scale="ms",
    limit=machine.ALL_CORES,
)
