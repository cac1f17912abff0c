"""What is gained by averaging members of a pack, and which of them should be averaged?

For each data set and split, the pack of `experiments.packs`: 32 networks around the default recipe. Their mean is
scored on test rows, which decided nothing, for several ways to choose members on the validation rows. What is told is
the loss of the mean as a share of the recipe's own, both averaged over the splits; below 1 the pack is better.

python -m benchmarks.packs [--splits N] prints the table of docs/ensembles.md.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import environment
from jaxnn import ensemble, experiments, metrics
from jaxnn.experiments.packs import recipes
from jaxnn.experiments.recipe import complete
from jaxnn.experiments.rows import split_and_preprocess

MEMBERS = 32
DATA_SETS = ("breast_cancer", "diabetes", "digits", "iris", "two_moons", "wine")
CHOICES = {"digits": {"epochs": 30}}  # of the recipe; the others are the defaults

Choose = Callable[[np.ndarray, np.ndarray, Any, str], np.ndarray]  # losses, said, targets, metric -> weights


def best(count: int) -> Choose:
    """The best so many members, with equal weights."""
    return lambda losses, *_: (np.argsort(np.argsort(losses, kind="stable")) < count).astype(float)


WAYS: dict[str, Choose] = {
    "best member": best(1),
    "all": best(MEMBERS),
    "best half": best(MEMBERS // 2),
    "best quarter": best(MEMBERS // 4),
    "greedy": lambda losses, said, targets, metric: ensemble.greedy_selection(said, targets, metric),
}


def losses(name: str, seed: int) -> list[float]:
    """The test loss of the recipe alone, then of each way to average."""
    rows = split_and_preprocess(experiments.source(name), validation=0.2, test=0.2, seed=seed)
    problem, (_, validation, test) = rows.problem, rows.split
    recipe = complete(CHOICES.get(name, {}), rows=len(rows.split.train), problem=problem)
    jobs = [experiments.Job(rows, each, seed + i) for i, each in enumerate(recipes(recipe, MEMBERS, seed=seed))]
    trained = experiments.train_many(jobs, metric="loss")
    outputs = [each.model._replace(preprocessing=None).outputs(rows.x) for each in trained]
    said = np.stack([problem.averaged(None, each) for each in outputs])
    loss = lambda predicted, chosen: float(getattr(metrics, problem.selection)(rows.y[chosen], predicted[chosen]))
    own = np.array([loss(each, validation) for each in said])
    found = [loss(said[0], test)]
    for choose in WAYS.values():
        weights = choose(own, said[:, validation], rows.y[validation], problem.selection)
        found.append(loss(ensemble.mean(said, weights), test))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packs", description="Which members to average?")
    parser.add_argument("--splits", type=int, default=6, help="splits of each data set (default: 6)")
    options = parser.parse_args(arguments)
    machine = environment()
    print(f"{machine['processor']}, {machine['cores']} cores; {MEMBERS} members, {options.splits} splits.\n")
    print(f"| data set | {' | '.join(WAYS)} |")
    print(f"|---|{'---:|' * len(WAYS)}")
    for name in DATA_SETS:
        alone, *averaged = np.mean([losses(name, seed) for seed in range(options.splits)], axis=0)
        print(f"| {name} | {' | '.join(f'{each / alone:.2f}' for each in averaged)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
