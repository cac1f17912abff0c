"""How long does it take to train many small networks? Digits, 64-32-10, ReLU, batch 32, Adam, 20 epochs.

Member i starts from its own parameters and visits the rows in an order of its own. As in `training`, 1,792 = 56 · 32 of
the 1,797 rows are used, so no library has a short last batch. Arithmetic is float32 everywhere, and all is warm, the
processes of scikit-learn's pool too. The witness is the mean over the members of their cross-entropy over all rows, in
float64; a contender of which any member has learnt too little is not measured, but ends the run with an error.

Libraries that train one network after another take as long for each, however many there are. Their calls train at most
`FEW`, those of the pool `FEW_IN_A_CORE` in each process, and are told per network like the others.

flops of a network = rows · epochs · 6 · (64 · 32 + 32 · 10)     2 for each weight, forwards, and twice that backwards

The machine's peak is what large matrix products in float32 reach, by NumPy's BLAS or by XLA, whichever is quicker, on
one core and on all. The loss's derivative by the inputs, which nobody computes, is in the count; Adam is not.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machine
from benchmarks import training as single
from benchmarks.harness import Contender, Make, Question, cores
from benchmarks.training import Layers, Run
from jaxnn import mlp, training

FEW = 2  # networks that a call trains at most, of a library that trains one after another
FEW_IN_A_CORE = 2  # likewise in each process of a pool
AT_ONCE = 8  # members that the chunks of plain JAX hold


class Ensemble(NamedTuple):
    """Many networks, and the bound below which every one of them has learnt."""

    run: Run  # of each
    members: int
    highest: float  # cross-entropy of a member that has learnt; ln 10 = 2.3 is that of one that knows nothing
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """How many, and of what."""
        return f"{self.members} networks, {self.run.name}"

    @property
    def units(self) -> int:
        """Networks."""
        return self.members

    @property
    def flops(self) -> int:
        """Of the matrix products of one network's training."""
        weights = sum(n_in * n_out for n_in, n_out in pairwise(self.run.sizes))
        return 6 * weights * self.run.units * self.run.batch_size

    @property
    def trial(self) -> "Ensemble":
        """One network for one epoch."""
        return self._replace(members=1, run=self.run.trial)

    def first(self, count: int) -> list[Run]:
        """The runs of the first members, so many of them if there are."""
        return [self.run._replace(seed=seed) for seed in range(min(self.members, count))]

    def start(self) -> mlp.Params:
        """The parameters from which the members start, those of `first`, with a leading axis of members."""
        return jax.vmap(lambda seed: mlp.init(jax.random.key(seed), self.run.sizes))(jnp.arange(self.members))

    def keys(self) -> jax.Array:
        """(members,), for the order of rows."""
        return jax.vmap(jax.random.key)(1 + jnp.arange(self.members))


def problems(quick: bool) -> Iterable[Ensemble]:
    (run,) = single.problems(quick)
    run = run._replace(sizes=(64, 32, 10), epochs=10 if quick else 20)
    for members in (2, 5) if quick else (8, 64, 512):
        yield Ensemble(run, members, highest=2.0 if quick else 0.4)


def mean_loss(problem: Ensemble, layers: Layers | None) -> float | None:
    """The mean over the members; None for what trains nothing.

    Raises:
        ValueError: a member's loss is above the problem's bound, or not a number: it did not do the work.
    """
    if layers is None:
        return None
    members = len(layers[0][0])
    found = [single.final_loss(problem.run, [(w[i], b[i]) for w, b in layers]) for i in range(members)]
    if not max(found) < problem.highest:
        raise ValueError(
            f"{problem.name}: a network ended with a cross-entropy of {max(found):.3g}, but one that has learnt is"
            f" below {problem.highest:g}. A contender did not do the work, so its time means nothing."
        )
    return float(np.mean(found))


def fit_ensemble(problem: Ensemble) -> Callable[[], Layers]:
    objective, optimiser, _, data = single.ours(problem.run)
    params, keys = problem.start(), problem.keys()

    def train() -> Layers:
        fitted = training.fit_ensemble(
            objective,
            optimiser,
            params,
            data,
            epochs=problem.run.epochs,
            batch_size=problem.run.batch_size,
            key=keys,
            progress=False,
        )
        return single.as_layers(fitted.params)

    return train


def of_runs(several: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Make:
    """One jitted program of `training.run` over all members; their rows are data, and no one's time."""

    def make(problem: Ensemble) -> Callable[[], Layers]:
        objective, optimiser, _, data = single.ours(problem.run)
        params = problem.start()
        rows = jax.vmap(lambda key: single.rows_of(problem.run, key))(problem.keys())

        @jax.jit
        def train(params: Any, rows: Any, data: Any) -> Any:
            return several(lambda params, rows: training.run(objective, optimiser, params, data, rows))(params, rows)

        return lambda: single.as_layers(train(params, rows, data)[0].params)

    return make


def in_chunks(run: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.vmap` over `AT_ONCE` members, and a loop over such chunks."""
    return lambda *members: jax.lax.map(lambda one: run(*one), members, batch_size=AT_ONCE)


@dataclass(frozen=True)
class OneByOne:
    """Calls that train a network each, one after another."""

    calls: list[Callable[[], Layers]]

    @property
    def units(self) -> int:
        """Networks."""
        return len(self.calls)

    def __call__(self) -> Layers:
        """All of them, with a leading axis."""
        return stacked([call() for call in self.calls])


def one_by_one(make: Callable[[Run], Callable[[], Layers]]) -> Make:
    """What trains a single network, for the first `FEW` members."""
    return lambda problem: OneByOne([make(run) for run in problem.first(FEW)])


@dataclass
class Pool:
    """scikit-learn's `MLPClassifier` in a process for each core."""

    runs: list[Run]
    elsewhere: float = 0.0  # seconds of processor time of the last call's processes

    @property
    def units(self) -> int:
        """Networks."""
        return len(self.runs)

    def __call__(self) -> Layers:
        """All of them, with a leading axis."""
        from joblib import Parallel, delayed, parallel_config

        with parallel_config("loky", n_jobs=cores(), inner_max_num_threads=1):
            found = Parallel(batch_size=1)(delayed(in_a_process)(run) for run in self.runs)
        self.elsewhere = sum(seconds for _, seconds in found)
        return stacked([layers for layers, _ in found])


def in_a_process(run: Run) -> tuple[Layers, float]:
    """A network, and the seconds of processor time that it took."""
    began = time.process_time()
    return single.scikit_learn(1)(run)(), time.process_time() - began


def stacked(members: list[Layers]) -> Layers:
    """Networks with a leading axis of members; copies, since a library may overwrite its own."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *members)


QUESTION = Question(
    name="ensembles",
    title="Many small networks, Adam",
    unit="network",
    witness_name="mean loss",
    problems=problems,
    witness=mean_loss,
    contenders=(
        Contender("fit_ensemble", "with its checks, best parameters, clock and signals; all cores", fit_ensemble),
        Contender("jit(vmap(run))", "rows given; all members in step", of_runs(jax.vmap)),
        Contender("jit(map(run))", f"rows given; jax.lax.map, {AT_ONCE} members in step", of_runs(in_chunks)),
        Contender("jaxnn fit", f"one by one, {FEW} at most", one_by_one(single.jaxnn_fit)),
        Contender(
            "torch",
            f"fused Adam, one by one, {FEW} at most",
            {f"{n} thread{'s' * (n > 1)}": one_by_one(single.torch_eager(n)) for n in (1, 2)},
            "torch",
        ),
        Contender(
            "torch compiled",
            "the same, torch.compile of the loss",
            one_by_one(single.torch_eager(1, compiled=True)),
            "torch",
            True,
        ),
        Contender(
            "scikit-learn",
            f"MLPClassifier, a process on each core, {FEW_IN_A_CORE} in each at most",
            lambda problem: Pool(problem.first(FEW_IN_A_CORE * cores())),
            "sklearn",
        ),
        Contender(machine.ONE_CORE, "no training", machine.peak(1)),
        Contender(machine.ALL_CORES, "no training", machine.peak(None)),
    ),
    rounds=3,
    scale="ms",
    limit=machine.ALL_CORES,
)
