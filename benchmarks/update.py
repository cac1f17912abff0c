"""How long does one Adam update take, from 10³ to 10⁷ parameters?

An update reads the parameters, the gradient and two moments, and writes the parameters and the moments: seven float32
numbers, 28 bytes a parameter. For large arrays nothing but memory counts. As scales stand beside it a copy of as many
bytes (half read, half written), and as many bytes read and overwritten where they stand, which is what an update does.
For small arrays the cost of calling a compiled function from Python counts.

A call is a number of updates in a row, each called from Python with buffers that may be overwritten, the same gradient
every time. The witness is the mean |change| of a parameter in the first call, per update: the learning rate.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machine
from benchmarks.harness import Contender, Question, cores
from jaxnn import optimisers, tree

LEARNING_RATE = 1e-3
BYTES = 7 * 4  # a parameter: θ, g, m, v read; θ, m, v written
WORK = 2_000_000  # parameters to update in a call
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Update(NamedTuple):
    """A number of parameters, and of updates in a call."""

    exponent: int
    units: int

    @property
    def parameters(self) -> int:
        """How many, in one array."""
        return 10**self.exponent

    @property
    def name(self) -> str:
        """The number of parameters, and what an update must move."""
        return f"10{str(self.exponent).translate(SUPERSCRIPTS)} parameters, {self.bytes_moved / 1e6:g} MB an update"

    @property
    def bytes_moved(self) -> int:
        """By one update."""
        return BYTES * self.parameters

    @property
    def trial(self) -> "Update":
        """A tenth of the updates, at least one."""
        return self._replace(units=max(self.units // 10, 1))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and gradient, float32, the same for all."""
        rng = np.random.default_rng(0)
        return rng.standard_normal(self.parameters, np.float32), rng.standard_normal(self.parameters, np.float32)


def problems(quick: bool) -> Iterable[Update]:
    for exponent in (3, 4) if quick else (3, 4, 5, 6, 7):
        yield Update(exponent, units=2 if quick else min(max(WORK // 10**exponent, 3), 200))


def mean_change(problem: Update, after: Any) -> float | None:
    """Of a parameter, per update; None for what updates nothing."""
    return None if after is None else float(np.mean(np.abs(after - problem.arrays()[0]))) / problem.units


def jax_update(optimiser: Any, add: Callable[[Any, Any], Any]) -> Callable[[Update], Callable[[], Any]]:
    """One jitted function (params, grads, state) -> (params, state); both are overwritten."""

    def make(problem: Update) -> Callable[[], Any]:
        params, grads = map(jnp.asarray, problem.arrays())
        state = optimiser.init(params)

        def update(params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
            updates, state = optimiser.update(grads, state, params)
            return add(params, updates), state

        take = jax.jit(update, donate_argnums=(0, 2))

        def call() -> Any:
            nonlocal params, state
            for _ in range(problem.units):
                params, state = take(params, grads, state)
            return jax.block_until_ready(params)

        return call

    return make


def jaxnn_adam(problem: Update) -> Callable[[], Any]:
    return jax_update(optimisers.adam(LEARNING_RATE), tree.add)(problem)


def optax_adam(problem: Update) -> Callable[[], Any]:
    import optax

    return jax_update(optax.adam(LEARNING_RATE), optax.apply_updates)(problem)


def torch_adam(threads: int, **words: bool) -> Callable[[Update], Callable[[], Any]]:
    """The Adam of torch in one of its fast implementations."""

    def make(problem: Update) -> Callable[[], Any]:
        import torch

        params, grads = (torch.from_numpy(array) for array in problem.arrays())
        params.requires_grad_()
        params.grad = grads
        adam = torch.optim.Adam([params], lr=LEARNING_RATE, **words)

        def call() -> Any:
            torch.set_num_threads(threads)
            for _ in range(problem.units):
                adam.step()
            return params.detach().numpy()

        return call

    return make


QUESTION = Question(
    name="update",
    title="One Adam update, called from Python",
    unit="update",
    witness_name="change",
    problems=problems,
    witness=mean_change,
    contenders=(
        Contender("jaxnn", "jitted, buffers donated", jaxnn_adam),
        Contender("optax", "jitted, buffers donated", optax_adam, "optax"),
        Contender(
            "torch",
            "buffers its own",
            {
                f"{kind}, {threads} thread{'s' * (threads > 1)}": torch_adam(threads, **{kind: True})
                for kind in ("fused", "foreach")
                for threads in (1, 2)
            },
            "torch",
        ),
        Contender("copy", "numpy.copyto of as many bytes, one thread; updates nothing", machine.copy(1)),
        Contender("copy, all cores", "the same, a thread for each core", machine.copy(cores())),
        Contender(
            "in place, all cores", "signs of as many bytes changed, a thread for each", machine.in_place(cores())
        ),
    ),
    rounds=21,
)
