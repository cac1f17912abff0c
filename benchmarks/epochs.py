"""What does `fit` add to `run`? Digits, 64-100-10, ReLU, batch 32, Adam, for 20 epochs and more.

`run` is one compiled scan. `fit` returns to Python after every epoch: it checks the data before the first, keeps the
best parameters, and listens to the clock and to Ctrl-C. The shorter the run, the more its start weighs.
"""

from collections.abc import Iterable

from benchmarks import training as single
from benchmarks.harness import Contender, Question
from benchmarks.training import Run


def problems(quick: bool) -> Iterable[Run]:
    (run,) = single.problems(quick)
    for epochs in (2, 4) if quick else (20, 50, 200):
        yield run._replace(epochs=epochs)


QUESTION = Question(
    name="epochs",
    title="What `fit` adds to `run`, from 20 epochs to 200",
    unit="step",
    witness_name="final loss",
    problems=problems,
    witness=single.final_loss,
    contenders=(
        Contender("jaxnn run", "one jit, with the shuffling", single.jaxnn_run),
        Contender("jaxnn fit", "with its checks, best parameters, clock and signals", single.jaxnn_fit),
        Contender("jaxnn run, rows given", "one jit, without the shuffling", single.jaxnn_run_rows_given),
        Contender("optax scan", "one jit; jax.random.permutation, two nested scans", single.optax_scan, "optax"),
    ),
    rounds=9,
)
